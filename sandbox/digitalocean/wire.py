"""How DigitalOcean writes things: answers, error sentences, pages, times, and its view of a droplet."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.digitalocean import catalogue
from sandbox.digitalocean.records import Action, Droplet, SshKey
from sandbox.hosts.driver import PowerState

MOST_A_PAGE = 200
NOT_FOUND = "The resource you requested could not be found."
IDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    422: "unprocessable_entity",
    429: "too_many_requests",
}


class Refusal(Exception):
    """An answer that is no success, with the sentence DigitalOcean would give."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def error_of(status: int, text: str) -> dict[str, str]:
    """Real answers name the request too, but for refused tokens."""
    found = {"id": IDS.get(status, "server_error"), "message": text}
    return found if status == 401 else {**found, "request_id": str(uuid.uuid4())}


def answer(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json; charset=utf-8")


def done() -> Response:
    return Response(status_code=204)


async def body_of(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise Refusal(400, "The request body could not be read as JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "The request body must be a JSON object.")
    return body


def number_of(request: Request, name: str, default: int, most: int | None = None) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) < 1 or (most is not None and int(text) > most):
        upto = f" and at most {most}" if most is not None else ""
        raise Refusal(422, f"{name} must be a number of at least 1{upto}.")
    return int(text)


def listed(request: Request, name: str, items: list[Any]) -> Response:
    """A page of a list, with links to the others and the total."""
    page, size = number_of(request, "page", 1), number_of(request, "per_page", 20, MOST_A_PAGE)
    last = max(1, -(-len(items) // size))

    def link(number: int) -> str:
        return str(request.url.include_query_params(page=number, per_page=size))

    pages: dict[str, str] = {}
    if page > 1:
        pages |= {"first": link(1), "prev": link(min(page - 1, last))}
    if page < last:
        pages |= {"next": link(page + 1), "last": link(last)}
    shown = items[(page - 1) * size : page * size]
    links = {"pages": pages} if pages else {}
    return answer({name: shown, "links": links, "meta": {"total": len(items)}})


def time_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def droplet(record: Droplet, power: PowerState) -> dict[str, Any]:
    size, image = catalogue.SIZES[record.size], catalogue.image_of(record.image)
    assert image is not None
    optional = {"backups": record.backups, "ipv6": record.ipv6, "monitoring": record.monitoring}
    return {
        "id": record.id,
        "name": record.label,
        "memory": size.memory_mb,
        "vcpus": size.vcpus,
        "disk": size.disk_gb,
        "disk_info": catalogue.disks(size),
        "locked": record.action is not None,
        "status": status_of(record, power),
        "kernel": None,
        "created_at": time_of(record.ordered_at),
        "features": ["droplet_agent", "private_networking", *(name for name, on in optional.items() if on)],
        "backup_ids": [],
        "next_backup_window": None,
        "snapshot_ids": [],
        "image": catalogue.image(image),
        "volume_ids": [],
        "size": catalogue.size(size),
        "size_slug": record.size,
        "networks": networks(record),
        "region": catalogue.region(record.region),
        "tags": record.tags,
        "vpc_uuid": record.vpc,
    }


def status_of(record: Droplet, power: PowerState) -> str:
    if record.phase in {"ordered", "created", "installing"}:
        return "new"
    return "active" if power == "running" else "off"


def networks(record: Droplet) -> dict[str, list[dict[str, Any]]]:
    """Empty at first. The private address comes before the public one, as it does in real answers."""
    if record.address is None:
        return {"v4": [], "v6": []}
    high, low = record.id >> 8 & 255, record.id & 255
    private = {"ip_address": f"10.110.{high}.{low}", "netmask": "255.255.0.0", "gateway": "10.110.0.1",
               "type": "private"}  # fmt: skip
    gateway = f"{record.address.rpartition('.')[0]}.1"
    public = {"ip_address": record.address, "netmask": "255.255.255.0", "gateway": gateway, "type": "public"}
    v6 = {"ip_address": f"2604:a880:2:d0::{record.id & 0xFFFF:x}:1", "netmask": 64, "gateway": "2604:a880:2:d0::1",
          "type": "public"}  # fmt: skip
    return {"v4": [private, public], "v6": [v6] if record.ipv6 else []}


def action(record: Action) -> dict[str, Any]:
    return {
        "id": record.id,
        "status": record.status,
        "type": record.type,
        "started_at": time_of(record.started_at),
        "completed_at": time_of(record.completed_at) if record.completed_at is not None else None,
        "resource_id": record.droplet,
        "resource_type": "droplet",
        "region": catalogue.region(record.region),
        "region_slug": record.region,
    }


def ssh_key(record: SshKey) -> dict[str, Any]:
    return record.model_dump(exclude={"account"})


def tag(name: str, droplets: list[Droplet], root: str) -> dict[str, Any]:
    counted: dict[str, Any] = {"count": len(droplets)}
    if droplets:
        counted["last_tagged_uri"] = f"{root}/droplets/{droplets[-1].id}"
    none = {"count": 0}
    others = dict.fromkeys(("images", "volumes", "volume_snapshots", "databases"), none)
    return {"name": name, "resources": {**counted, "droplets": counted, **others}}
