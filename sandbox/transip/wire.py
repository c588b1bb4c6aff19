"""How TransIP writes things: answers, error sentences, pages, times, and its view of a VPS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from sandbox.transip import catalogue
from sandbox.transip.records import Action, SshKey, Vps

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Refusal(Exception):
    """An answer that is no success, with the sentence TransIP would give."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, "application/json")


def refusal(error: Refusal) -> Response:
    return answer({"error": error.text}, error.status)


def read(request: Request, **members: object) -> Response:
    """An answer to GET: the members of the specification, and `_links`, which real answers carry too."""
    link = {"rel": "self", "link": str(request.url)}
    return answer({**members, "_links": [link]})


def created(action: str = "") -> Response:
    """Real answers to POST carry an empty list; what works on it stands in Content-Location only."""
    return answer([], 201, {"Content-Location": f"/v6/actions/{action}"} if action else None)


def done(action: str = "") -> Response:
    return Response(status_code=204, headers={"Content-Location": f"/v6/actions/{action}"} if action else None)


def page_of(request: Request, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`?page=&pageSize=`, and no word about how many there are."""
    try:
        page = int(request.query_params.get("page", 1))
        size = int(request.query_params.get("pageSize", len(items) or 1))
    except ValueError:
        raise Refusal(406, "The provided parameters 'page' and 'pageSize' should be numbers") from None
    if page < 1 or size < 1:
        raise Refusal(406, "The provided parameters 'page' and 'pageSize' should be 1 or more")
    return items[(page - 1) * size : page * size]


async def body_of(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise Refusal(422, "The request body contains malformed JSON") from None
    if not isinstance(body, dict):
        raise Refusal(422, "The request body should be a JSON object")
    return body


def text_of(body: dict[str, Any], name: str, *, default: str = "", longest: int | None = None) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Refusal(406, f"The provided parameter '{name}' should be a string")
    if longest is not None and len(value) > longest:
        raise Refusal(406, f"The provided parameter '{name}' can be {longest} characters maximum")
    return value


def texts_of(body: dict[str, Any], name: str) -> list[str]:
    values = body.get(name)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refusal(406, f"The provided parameter '{name}' should be a list of strings")
    return list(values)


def local_time(at: float) -> str:
    return datetime.fromtimestamp(at, AMSTERDAM).strftime("%Y-%m-%d %H:%M:%S")


def utc_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def vps(record: Vps, status: str) -> dict[str, Any]:
    product = catalogue.BY_NAME[record.product]
    systems = {**catalogue.CLOUD_IMAGES, **catalogue.INSTALLERS}
    return {
        "name": record.name,
        "uuid": record.uuid,
        "description": record.description,
        "productName": record.product,
        # An order takes the name of a system; what is shown later is its description.
        "operatingSystem": systems[record.operating_system][2],
        "diskSize": product.disk_gb * 1024 * 1024,
        "memorySize": product.memory_mb * 1024,
        "cpus": product.cpus + record.addons.count("vpsAddon-1-extra-cpu-core"),
        "status": status,
        "ipAddress": record.address or "",
        "macAddress": record.mac,
        "currentSnapshots": 0,
        "maxSnapshots": 1,
        "isLocked": record.action is not None,
        "isBlocked": record.blocked,
        "isCustomerLocked": record.customer_locked,
        "availabilityZone": record.availability_zone,
        "availabilityZoneDisplayName": next(
            zone["displayName"] for zone in catalogue.zones() if zone["name"] == record.availability_zone
        ),
        "tags": record.tags,
        "createdAt": utc_time(record.created_at or record.ordered_at),
        "bandwidthInboundInGb": 0,
        "bandwidthOutboundInGb": 0,
        "diskPerformanceTier": "fast",
        "flavor": "shared",
    }


def action(record: Action) -> dict[str, Any]:
    return {
        "uuid": record.uuid,
        "name": record.name,
        "actionStartTime": local_time(record.started_at),
        "status": "running" if record.running else "finished",
        "metadata": "",
        "parentActionUuid": record.parent,
        "resourceType": "vps",
        "resourceIdentifier": record.resource,
    }


def ssh_key(record: SshKey, fingerprint: str) -> dict[str, Any]:
    return {
        "id": record.id,
        "key": record.key,
        "description": record.description,
        "creationDate": local_time(record.created_at),
        "fingerprint": fingerprint,
        "isDefault": record.default,
    }
