"""What may be sent about drills, how one is shown, and documented examples of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from api.envelope import stamp
from api.examples import described
from api.schemas import Asked, Reason, printable
from db.models_certificates import CertificateDrill
from db.queries.drills import Progress
from domain.drills import MOST_AN_HOUR, UNFINISHED, DrillState, ends_about


class DrillRequest(Asked):
    """Body of POST /api/ssl/drills. `ca`: the directory of the CA that issued them; `keyType`: such as `rsa-2048`; one
    of them at least. A drill by kind of key always makes new keys."""

    ca: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(printable)] = ""
    key_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,20}$")] = ""
    pace_per_hour: Annotated[int, Field(ge=1, le=MOST_AN_HOUR)]
    fresh_key: bool = False
    reason: Reason


DRILL_REQUEST: dict[str, Any] = {
    "ca": "https://acme-v02.api.letsencrypt.org/directory", "pacePerHour": 600, "freshKey": False,
    "reason": "They withdraw what they issued before Sunday",
}  # fmt: skip
_DRILL: dict[str, Any] = {
    "id": "drill-uuid", "ca": "https://acme-v02.api.letsencrypt.org/directory", "key_type": "", "fresh_key": False,
    "reason": "They withdraw what they issued before Sunday", "pace_per_hour": 600, "state": "running", "why": "",
    "total": 1000, "waiting": 380, "under_way": 20, "failing": 1, "replaced": 600, "gone": 0,
    "next_at": "2025-01-19T11:30:06Z", "last_about": "2025-01-19T12:08:00Z", "requested_by": "ada",
    "created_at": "2025-01-19T10:30:00Z", "ended_at": None,
}  # fmt: skip
_PAGE = {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}
_HOLDING: dict[str, Any] = {
    "ca": "https://acme-v02.api.letsencrypt.org/directory", "key_type": "ec-secp256r1", "certificates": 1000,
    "most_per_hour": 36000,
}  # fmt: skip

DRILL = described("How far it is", {"drill": _DRILL})
BEGUN = described("It has begun; Location names it", {"drill": _DRILL | {"waiting": 1000, "replaced": 0}})
DRILLS = described("The last that began first; `holdings` are what the next one can be about",
                   {"drills": [_DRILL], "holdings": [_HOLDING], "pagination": _PAGE})  # fmt: skip


def drill_shown(row: CertificateDrill, found: Progress, now: datetime) -> dict[str, Any]:
    """`last_about`: when the last one is made due at this pace; none while it stands still."""
    unfinished, runs = row.state in UNFINISHED, row.state == DrillState.RUNNING
    last = ends_about(row.pace_per_hour, found.waiting, row.next_at, now) if runs and found.waiting else None
    return {
        "id": str(row.id),
        "ca": row.directory_url,
        "key_type": row.key_type,
        "fresh_key": row.fresh_key,
        "reason": row.reason,
        "pace_per_hour": row.pace_per_hour,
        "state": row.state,
        "why": row.why,
        "total": row.total,
        "waiting": found.waiting,
        "under_way": found.under_way,
        "failing": found.failing,
        "replaced": found.replaced,
        "gone": found.gone,
        "next_at": stamp(row.next_at) if unfinished and found.waiting else None,
        "last_about": stamp(last),
        "requested_by": row.requested_by,
        "created_at": stamp(row.created_at),
        "ended_at": stamp(row.ended_at),
    }
