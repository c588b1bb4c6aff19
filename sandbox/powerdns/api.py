"""The HTTP face: paths, statuses, headers and bodies of PowerDNS 4.7.3, including where an error is not JSON."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.powerdns import changes, views
from sandbox.powerdns.contents import Refused, canonical, zone_name
from sandbox.powerdns.store import Store, Zone

BASE = "/api/v1/servers"
VERSION = "4.7.3"
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-Xss-Protection": "1; mode=block",
}
WORDS = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
         500: "Internal Server Error"}  # fmt: skip


class HttpError(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class Api:
    def __init__(self, store: Store, api_key: str, server_id: str = "localhost", soa: str = changes.DEFAULT_SOA):
        self._store = store
        self._key = api_key
        self._server = server_id
        self._soa = soa

    def app(self) -> Starlette:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._handle, methods=methods)])

    async def _handle(self, request: Request) -> Response:
        raw = await request.body()
        try:
            answer = self._route(request, raw)
        except HttpError as error:
            return self._plain_error(request, error.status)
        except Refused as error:
            return self._json({"error": str(error)}, 422)
        # The real server closes after every answer.
        answer.headers["Connection"] = "close"
        return answer

    def _route(self, request: Request, raw: bytes) -> Response:
        # Paths are known before keys are looked at: an unknown one is 404 to everybody, a last slash makes one.
        match request.url.path.removeprefix(BASE).split("/")[1:]:
            case []:
                return self._only(request, "GET", lambda: self._json([self._about()]))
            case [server]:
                return self._only(request, "GET", lambda: self._json(self._about()), server)
            case [server, "zones"]:
                return self._only(request, "GET POST", lambda: self._zones(request, raw), server)
            case [server, "search-data"]:
                return self._only(request, "GET", lambda: self._search(request), server)
            case [server, "zones", name] if name:
                methods = "GET PATCH PUT DELETE"
                return self._only(request, methods, lambda: self._zone(request, raw, self._found(name)), server)
            case [server, "zones", name, "notify"]:
                return self._only(request, "PUT", lambda: self._notify(self._found(name)), server)
            case [server, "zones", name, "axfr-retrieve"]:
                return self._only(request, "PUT", lambda: self._retrieve(self._found(name)), server)
            case [server, "zones", name, "export"]:
                return self._only(request, "GET", lambda: self._export(request, self._found(name)), server)
        raise HttpError(404)

    def _only(self, request: Request, methods: str, answer: Callable[[], Response], server: str = "") -> Response:
        if request.method not in methods.split():
            raise HttpError(405)
        given = request.headers.get("X-API-Key") or request.query_params.get("api-key") or ""
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise HttpError(401)
        if (server and server != self._server) or not request.url.path.startswith(BASE):
            raise HttpError(404)
        return answer()

    def _found(self, name: str) -> Zone:
        zone = self._store.zone(name.lower() if name.endswith(".") else f"{name.lower()}.")
        if zone is None:
            raise HttpError(404)
        return zone

    # ---- resources

    def _zones(self, request: Request, raw: bytes) -> Response:
        if request.method == "GET":
            wanted = request.query_params.get("zone")
            zone = self._store.zone(zone_name(wanted)) if wanted is not None else None
            shown = self._store.zones() if wanted is None else [zone] if zone else []
            without = {"dnssec", "edited_serial"} if request.query_params.get("dnssec") == "false" else set()
            return self._json([{k: v for k, v in self._summary(z).items() if k not in without} for z in shown])
        body = self._body(raw)
        if self._store.zone(canonical(changes.text_of(body, "name"))) is not None:
            raise HttpError(409)
        return self._json(self._full(changes.create_zone(self._store, body, self._soa)), 201)

    def _zone(self, request: Request, raw: bytes, zone: Zone) -> Response:
        match request.method:
            case "GET":
                query = request.query_params
                with_rrsets = query.get("rrsets", "true") != "false"
                return self._json(self._full(zone, query.get("rrset_name"), query.get("rrset_type"), with_rrsets))
            case "PATCH":
                changes.patch(self._store, zone, self._body(raw))
                answer = Response(status_code=204, headers=HEADERS | {"Content-Length": "0"})
                if zone.soa_edit_api:
                    # 4.7.3 reads both after the change.
                    serial = str(changes.serial_of(self._store, zone.name))
                    answer.headers["X-PDNS-Old-Serial"] = answer.headers["X-PDNS-New-Serial"] = serial
                return answer
            case "PUT":
                self._update(zone, self._body(raw))
            case _:
                self._store.drop_zone(zone.name)
        return Response(status_code=204, headers=HEADERS | {"Content-Length": "0"})

    def _update(self, zone: Zone, body: Any) -> None:
        if not isinstance(body, dict):
            return
        if isinstance(body.get("kind"), str):
            zone = zone._replace(kind=changes.KINDS.get(body["kind"].lower(), "Native"))
        for field in ("account", "soa_edit_api"):
            if isinstance(body.get(field), str):
                zone = zone._replace(**{field: body[field]})
        if isinstance(body.get("masters"), list):
            zone = zone._replace(masters=changes.masters_of(body))
        self._store.put_zone(zone)

    def _notify(self, zone: Zone) -> Response:
        self._store.put_zone(zone._replace(notified=changes.serial_of(self._store, zone.name)))
        return self._json({"result": "Notification queued"})

    def _retrieve(self, zone: Zone) -> Response:
        """Accepted, and that is all: this server copies no zones."""
        if zone.kind not in changes.COPIES or not zone.masters:
            raise Refused(f"Domain '{zone.name}' is not a slave domain (or has no master defined)")
        text = f"Added retrieval request for '{zone.name}' from master {zone.masters[0]}"
        return self._json({"result": text})

    def _search(self, request: Request) -> Response:
        query = request.query_params
        return self._json(views.search(self._store, query.get("q"), query.get("max"), query.get("object_type")))

    def _export(self, request: Request, zone: Zone) -> Response:
        text = views.export(self._store, zone.name)
        if "application/json" in request.headers.get("Accept", ""):
            return self._json({"zone": text})
        headers = HEADERS | {"Content-Type": "text/plain; charset=us-ascii"}
        return Response(text.encode(), headers=headers)

    # ---- shapes

    def _about(self) -> dict[str, str]:
        url = f"{BASE}/{self._server}"
        return {
            "autoprimaries_url": f"{url}/autoprimaries{{/autoprimary}}",
            "config_url": f"{url}/config{{/config_setting}}",
            "daemon_type": "authoritative",
            "id": self._server,
            "type": "Server",
            "url": url,
            "version": VERSION,
            "zones_url": f"{url}/zones{{/zone}}",
        }

    def _summary(self, zone: Zone) -> dict[str, Any]:
        serial = changes.serial_of(self._store, zone.name)
        number = "=2E" if zone.name == "." else zone.name
        return {
            "account": zone.account,
            "catalog": "",
            "dnssec": False,
            "edited_serial": serial,
            "id": number,
            "kind": zone.kind,
            "last_check": 0,
            "masters": zone.masters,
            "name": zone.name,
            "notified_serial": zone.notified,
            "serial": serial,
            "url": f"{BASE}/{self._server}/zones/{number}",
        }

    def _full(
        self, zone: Zone, name: str | None = None, type_: str | None = None, with_rrsets: bool = True
    ) -> dict[str, Any]:
        shape = self._summary(zone) | {
            "api_rectify": False,
            "master_tsig_key_ids": [],
            "nsec3narrow": False,
            "nsec3param": "",
            "slave_tsig_key_ids": [],
            "soa_edit": "",
            "soa_edit_api": zone.soa_edit_api,
        }
        if with_rrsets:
            shape["rrsets"] = self._rrsets(zone, name, type_)
        return dict(sorted(shape.items()))

    def _rrsets(self, zone: Zone, name: str | None, type_: str | None) -> list[dict[str, Any]]:
        if name is not None:
            name = name.lower() if name.endswith(".") else f"{name.lower()}."
        sets: dict[tuple[str, str], dict[str, Any]] = {}
        for record in self._store.records(zone.name, name, type_ if name is not None else None):
            if name is not None and record.disabled:
                continue  # the filtered view of 4.7.3 shows what is served
            empty = {"comments": [], "name": record.name, "records": [], "ttl": record.ttl, "type": record.type}
            entry = sets.setdefault((record.name, record.type), empty)
            entry["records"].append({"content": record.content, "disabled": record.disabled})
        for comment in self._store.comments(zone.name):
            key = (comment.name, comment.type)
            # All comments of the zone are shown whatever was filtered for, as sets without records.
            empty = {"comments": [], "name": comment.name, "records": [], "ttl": 0, "type": comment.type}
            shown = {"account": comment.account, "content": comment.content, "modified_at": comment.modified_at}
            sets.setdefault(key, empty)["comments"].append(shown)
        return list(sets.values())

    # ---- the wire

    @staticmethod
    def _body(raw: bytes) -> Any:
        try:
            return json.loads(raw)
        except ValueError as error:
            raise HttpError(400) from error

    @staticmethod
    def _json(body: Any, status: int = 200) -> Response:
        text = json.dumps(body, ensure_ascii=False)
        headers = HEADERS | {"Connection": "close"}
        return Response(text, status_code=status, media_type="application/json", headers=headers)

    @staticmethod
    def _plain_error(request: Request, status: int) -> Response:
        """JSON only for those who ask for it by name."""
        accept, word = request.headers.get("Accept", ""), WORDS[status]
        headers = {"Connection": "close"}
        if status == 401:
            headers["WWW-Authenticate"] = 'X-API-Key realm="PowerDNS"'
        if "application/json" in accept:
            return Response(json.dumps({"error": word}), status, headers, "application/json")
        if "text/html" in accept:
            return Response(f"<!html><title>{word}</title><h1>{word}</h1>", status, headers, "text/html")
        return Response(word, status, headers, "text/plain")
