"""GET /api/operator/attention: the one list of everything that needs somebody, the oldest first.

Waits, unstarted orders, cases of payment, failed refunds, mails, changes of zones and certificates are rows and always
answered. Runs whose code fails are known to Temporal alone: when it is away the list says that this part is missing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import attention_certificates, attention_sales, attention_zones
from api.deps import Held, Staff
from api.envelope import reply, stamp
from api.failing import Answer, FailingRun, overdue_from
from api.services import Services
from api.statusview import temporal_url, workflow_url
from db.queries.attention import parked_rows, rows_of, unstarted_rows
from db.queries.attention_sales import jobs_by_run
from db.queries.reading import Row
from domain.ids import deployment_of
from domain.statuses import AttentionKind
from domain.steps import BY_NAME
from settings import Settings

router = APIRouter(prefix="/api/operator", tags=["operations"])

START_PATIENCE = timedelta(minutes=10)  # the sweep tries each minute; beyond this something is wrong
UNKNOWN = "Temporal does not answer, so runs whose workflow task keeps failing are not in this list."
MORE = "More runs fail than are listed here."


@router.get("/attention")
async def attention(request: Request, principal: Staff, held: Held) -> Response:
    """Each item says what, since, until, who (owner) and its kind; `temporal` says whether all kinds were asked."""
    answer = await held.failing.ask()
    items = [
        *(_wait(held.settings, row, wait) for row in await parked_rows(held.reader) for wait in row["parked"]),
        *(_unstarted(held.settings, row) for row in await unstarted_rows(held.reader)),
        *await attention_sales.items(held.reader, held.settings),
        *await attention_certificates.items(held.reader),
        *await attention_zones.items(held.reader, held.settings),
        *await _failing(held, answer),
    ]
    items.sort(key=lambda item: datetime.fromisoformat(item["since"]))
    said = UNKNOWN if not answer.known else MORE if answer.more else ""
    return reply(request, {"items": items, "temporal": {"answered": answer.known, "message": said}})


def _about(settings: Settings, row: Row) -> dict[str, Any]:
    return {
        "deployment_id": row["id"],
        "slug": row["slug"],
        "label": row["slug"],
        "organization_name": row["organization_name"],
        "deployment_type": row["deployment_type"],
        "tier": row["tier"],
        "phase": row["phase"],
        "attention": row["attention"],
        "price_cents_month": row["price_cents_month"],
        "currency": row["currency"],
        "temporal_url": temporal_url(settings, row["id"], row["phase"]),
    }


def _wait(settings: Settings, row: Row, wait: dict[str, Any]) -> dict[str, Any]:
    step = BY_NAME.get(wait["step"])
    title = step.title if step else wait["step"]
    kind = AttentionKind.ESCALATED if wait.get("escalated") else AttentionKind.WAITS
    what = f"{title} could not be undone" if wait.get("undoing") else f"{title} failed"
    return {**_about(settings, row), "kind": kind, "what": what, **wait}


def _unstarted(settings: Settings, row: Row) -> dict[str, Any]:
    return {
        **_about(settings, row),
        "kind": AttentionKind.NOT_STARTED,
        "what": "The run was not started",
        "step": None,
        "trouble": "NotStarted",
        "message": "The order is kept and is started as soon as Temporal and a worker of the runs pool are there.",
        "since": stamp(row["created_at"]),
        "until": stamp(row["created_at"] + START_PATIENCE),
        "owner": "operator",
        "editable": [],
        "current": {},
    }


async def _failing(held: Services, answer: Answer) -> list[dict[str, Any]]:
    ids = {run.workflow_id: deployment_of(run.workflow_id) for run in answer.runs}
    rows = await rows_of(held.reader, [found for found in ids.values() if found])
    jobs = await jobs_by_run(held.reader, [run for run, found in ids.items() if not found])
    return [_failed(held, run, rows.get(ids[run.workflow_id] or ""), jobs.get(run.workflow_id)) for run in answer.runs]


def _failed(held: Services, run: FailingRun, row: Row | None, job: Row | None) -> dict[str, Any]:
    # A run without a row, such as a sweep, is called by its own id.
    about: dict[str, Any] = {"deployment_id": None, "slug": run.workflow_id, "label": run.workflow_id}
    if row is not None:
        about = _about(held.settings, row)
    elif job is not None:
        about = attention_sales.about_job(held.settings, job)
    return {
        **about,
        "kind": AttentionKind.TASK_FAILING,
        "what": "The run's own code fails",
        "step": None,
        "trouble": run.cause,
        "message": f"Its workflow task failed {run.attempts} times and is tried again for ever; "
                   "deploy code that can go on with it, or reset the run.",
        "since": stamp(run.since),
        "until": stamp(overdue_from(run, timedelta(hours=held.settings.park_hours))),
        "owner": "developer",
        "editable": [],
        "current": {},
        "temporal_url": workflow_url(held.settings, run.workflow_id),
    }  # fmt: skip
