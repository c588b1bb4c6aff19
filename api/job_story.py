"""From the events of a job to the state of each of its steps, in the shape of a deployment's (api/story.py). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from api.story import Row, steps_in, tracks_of
from db.models_jobs import Job
from domain.change_steps import CHANGE_STEPS
from domain.fulfilment_steps import DNS_PART, FULFILMENT, HOSTING_PART, MAIL_PART
from domain.house_steps import HOUSE_SERVER
from domain.sales import JobType
from domain.statuses import Phase
from domain.step import Step
from domain.steps import BY_NAME

STEPS: dict[JobType, tuple[Step, ...]] = {
    JobType.FULFIL_ORDER: FULFILMENT,
    JobType.PROVISION_DNS: DNS_PART,
    JobType.PROVISION_HOSTING: HOSTING_PART,
    JobType.PROVISION_MAIL: MAIL_PART,
    JobType.SET_UP_SERVER: HOUSE_SERVER,
    **CHANGE_STEPS,
}


def job_steps(job: Job, events: Iterable[Row]) -> list[dict[str, object]]:
    """The steps of the job's table, then what its story tells beyond them: the way back has steps of its own.

    `family` is "way_back" for those, and the job's type otherwise.
    """
    tracks = tracks_of(events)
    table = STEPS.get(JobType(job.type), ())
    names = {step.name for step in table}
    more = tuple(
        BY_NAME[name].model_copy(update={"after": ()}) for name in tracks if name in BY_NAME and name not in names
    )
    parked = {wait["step"] for wait in job.parked}
    left = job.ended_at is not None or job.phase == Phase.ROLLING_BACK
    return [
        *steps_in(job.type.lower(), table, tracks, parked, left=left),
        *steps_in("way_back", more, tracks, parked, left=job.ended_at is not None),
    ]
