"""How Linode writes things: answers, errors, pages, times, and its view of an instance."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.hosts.driver import PowerState
from sandbox.linode import catalogue
from sandbox.linode.records import Event, Linode, StackScript

NOT_FOUND = "Not found"
ALERTS = {"cpu": 90, "network_in": 10, "network_out": 10, "transfer_quota": 80, "io": 10000}
AT_WORK = {"start": "booting", "stop": "shutting_down", "kill": "shutting_down", "reboot": "rebooting"}
UDF = re.compile(r"<UDF\s([^>]*)>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"(\w+)\s*=\s*\"([^\"]*)\"")


class Refusal(Exception):
    """An answer that is no success: a reason, and the field it is about. Validation is 400 at Linode."""

    def __init__(self, reason: str, field: str | None = None, *, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.field = field


def errors_of(reason: str, field: str | None = None) -> dict[str, Any]:
    return {"errors": [{"reason": reason, "field": field} if field else {"reason": reason}]}


def answer(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")


async def body_of(request: Request, known: set[str]) -> dict[str, Any]:
    """The members of the body. One that the specification does not know is refused, as bodies are closed."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal("Invalid JSON")
    for name in body:
        if name not in known:
            raise Refusal("Unknown parameter", name)
    return body


def listed(request: Request, items: list[Any]) -> Response:
    page, size = number_of(request, "page", 1, 1, None), number_of(request, "page_size", 100, 25, 500)
    pages = max(1, -(-len(items) // size))
    if page > pages:
        raise Refusal(NOT_FOUND, status=404)
    shown = items[(page - 1) * size : page * size]
    return answer({"data": shown, "page": page, "pages": pages, "results": len(items)})


def number_of(request: Request, name: str, default: int, least: int, most: int | None) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise Refusal(f"Must be at least {least}", name)
    if most is not None and int(text) > most:
        raise Refusal(f"Must be at most {most}", name)
    return int(text)


def time_of(at: float) -> str:
    """UTC, and nothing in it says so."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def linode(record: Linode, power: PowerState) -> dict[str, Any]:
    plan = catalogue.PLANS[record.type]
    ipv4 = [record.address] if record.address else []
    if record.private_ip:
        ipv4.append(f"192.168.{record.id >> 8 & 127 | 128}.{record.id & 255}")
    return {
        "id": record.id,
        "label": record.label,
        "group": record.group,
        "status": status_of(record, power),
        "created": time_of(record.ordered_at),
        "updated": time_of(record.updated_at),
        "type": record.type,
        "ipv4": ipv4,
        "ipv6": f"2a01:7e01::f03c:95ff:{record.id >> 16 & 0xFFFF:x}:{record.id & 0xFFFF:x}/128",
        "image": record.image,
        "region": record.region,
        "site_type": "core",
        "specs": {
            "disk": plan.disk_mb,
            "memory": plan.memory_mb,
            "vcpus": plan.vcpus,
            "gpus": 0,
            "transfer": plan.transfer_gb,
            "accelerated_devices": 0,
        },
        "alerts": {**ALERTS, **record.alerts},
        "backups": {
            "enabled": record.backups,
            "available": False,
            "schedule": {"day": None, "window": None},
            "last_successful": None,
        },
        "hypervisor": "kvm",
        "watchdog_enabled": record.watchdog,
        "tags": record.tags,
        "host_uuid": hashlib.sha1(record.name.encode()).hexdigest(),
        "has_user_data": record.has_user_data,
        "placement_group": None,
        "disk_encryption": "enabled",
        "lke_cluster_id": None,
        "capabilities": ["Block Storage Encryption"],
        "interface_generation": "legacy_config",
        "maintenance_policy": "linode/migrate",
    }


def status_of(record: Linode, power: PowerState) -> str:
    if record.phase == "installing" and record.booted:
        return "booting"
    if record.phase != "active":
        return "provisioning"
    if record.power is not None:
        return AT_WORK[record.power]
    return "running" if power == "running" else "offline"


def event(record: Event, account: str) -> dict[str, Any]:
    over = record.ended_at is not None
    image = catalogue.IMAGES.get(record.image or "")
    secondary = image and {"id": image.id, "type": "image", "label": image.label, "url": f"/v4/images/{image.id}"}
    running = (record.ended_at or time.time()) - record.created_at
    return {
        "id": record.id,
        "created": time_of(record.created_at),
        "seen": False,
        "read": False,
        "percent_complete": 100 if over else min(99, math.floor(running * 10)),
        "time_remaining": 0 if over else None,
        "rate": None,
        "duration": round(running, 6),
        "action": record.action,
        "username": account,
        "entity": {
            "label": record.label,
            "id": record.linode,
            "type": "linode",
            "url": f"/v4/linode/instances/{record.linode}",
        },
        "status": record.status,
        "secondary_entity": secondary,
        "message": "",
    }


def stackscript(record: StackScript, account: str) -> dict[str, Any]:
    return {
        "id": record.id,
        "username": record.account,
        "user_gravatar_id": hashlib.md5(record.account.encode()).hexdigest(),
        "label": record.label,
        "description": record.description,
        "ordinal": 0,
        "logo_url": "",
        "images": record.images,
        "deployments_total": 0,
        "deployments_active": 0,
        "is_public": record.is_public,
        "mine": record.account == account,
        "created": time_of(record.created_at),
        "updated": time_of(record.updated_at),
        "rev_note": record.rev_note,
        "script": record.script,
        "user_defined_fields": fields_of(record.script),
    }


def fields_of(script: str) -> list[dict[str, str]]:
    """The fields a script asks for, which stand in its comments."""
    found = [dict(ATTRIBUTE.findall(udf)) for udf in UDF.findall(script)]
    lowered = [{name.lower(): value for name, value in field.items()} for field in found]
    return [{"label": field["name"], "example": "", **field} for field in lowered if "name" in field]
