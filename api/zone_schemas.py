"""What may be sent about zones and their records (R156, R157), and documented examples of it."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.examples import described
from api.schemas import Asked
from domain.dns_records import DEFAULT_TTL, MAX_OCTETS, MAX_VALUES

Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]  # as typed; international names get longer
Content = Annotated[str, StringConstraints(max_length=2 * MAX_OCTETS)]


class ZoneCreate(Asked):
    """Body of POST /api/dns/zones. Without `kind` it is the configured one (DNS_ZONE_KIND)."""

    name: Name
    kind: Literal["Native", "Primary"] | None = None
    organization_id: uuid.UUID | None = None


class RecordPut(Asked):
    """Body of PUT …/records: one whole set. `content` is one value, `values` are several. `name` may be `@`, a name
    below the zone, or a whole name. `priority` (MX, SRV) goes before each value."""

    name: Name
    type: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    content: Content | None = None
    values: Annotated[list[Content], Field(max_length=MAX_VALUES)] | None = None
    ttl: Annotated[int, Field(strict=True)] = DEFAULT_TTL  # seconds
    priority: Annotated[int, Field(strict=True)] | None = None


# ---- examples

_CHANGE: dict[str, Any] = {
    "id": "change-uuid", "kind": "set", "name": "www.example.com", "type": "A", "state": "published", "trouble": "",
    "message": "example.com has serial 2025011901 or newer and 1 record sets as written at 192.0.2.53:53",
    "requested_by": "ada", "created_at": "2025-01-19T10:30:00Z", "ended_at": "2025-01-19T10:30:01Z",
    "settled_by": "", "settled_at": None,
}  # fmt: skip
_ZONE: dict[str, Any] = {
    "id": "zone-uuid", "name": "example.com", "kind": "Native", "status": "ACTIVE", "serial": 2025011901,
    "organization_id": "organization-uuid", "organization_name": "Acme B.V.", "subscription_id": None, "failed_sets": 0,
    "change": _CHANGE | {"kind": "zone", "name": "", "type": ""},
    "created_at": "2025-01-19T10:29:00Z", "updated_at": "2025-01-19T10:30:01Z",
}  # fmt: skip
_RECORD: dict[str, Any] = {
    "name": "www.example.com", "type": "A", "ttl": 3600, "values": ["192.0.2.1", "192.0.2.2"], "managed": False,
    "change": _CHANGE, "in_sync": True, "difference": None,
}  # fmt: skip
_PAGE = {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}
_CHECK: dict[str, Any] = {
    "serial": 2025011901, "published": "example.com has serial 2025011901 or newer and 0 record sets as written at "
    "192.0.2.53:53", "behind": "", "unlisted": [],
}  # fmt: skip
_WAITING = _CHANGE | {"state": "waiting", "message": "", "ended_at": None}

ZONE_REQUEST: dict[str, Any] = {"name": "example.com", "kind": "Native", "organizationId": None}
RECORD_REQUEST: dict[str, Any] = {"name": "www", "type": "A", "values": ["192.0.2.1", "192.0.2.2"], "ttl": 3600}

ZONES = described("Zones by name", {"zones": [_ZONE], "pagination": _PAGE})
ZONE = described(
    "The zone; `last_export` is the zone file that was kept when it was taken away",
    {"zone": _ZONE | {"last_export": None}},
)
ZONE_MADE = described("Every authoritative server serves it", {"zone": _ZONE, "change": _CHANGE})
RECORDS = described(
    "What is wanted, by name; with check=true also what the name servers hold",
    {"records": [_RECORD], "check": _CHECK, "pagination": _PAGE},
)
PUBLISHED = described("Seen at every authoritative server", {"change": _CHANGE})
ACCEPTED = described("Written down; Location names how it goes on", {"change": _WAITING})
SETTLED = described(
    "It leaves the operators' list",
    {"change": _CHANGE | {"state": "failed", "trouble": "Conflict", "message": "www.example.com A is not ours",
                          "settled_by": "ada", "settled_at": "2025-01-19T11:00:00Z"}},
)  # fmt: skip
CHANGE = described("How the change stands", {"change": _CHANGE})
