"""The journal of a run: step events written by workflows, and the row changes that go with them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, Field

from domain.provisioning import AbsenceReport, Parked


class StepEvent(BaseModel):
    """One line of a run's story. `seq` comes from workflow state, so a replay or a retry writes the same row."""

    seq: int
    step: str
    state: str
    message: str
    at: datetime
    data: dict[str, object] = Field(default_factory=dict)


class Projection(BaseModel):
    """What the subject's row shows. Always the whole picture, so that the newest one alone is right."""

    status: str
    phase: str
    attention: str
    status_message: str = ""
    error_code: str | None = None
    error_message: str | None = None
    parked: list[Parked] = Field(default_factory=list)
    absence: AbsenceReport | None = None  # with the phase that says that all is gone, never after it


class SubjectKind(StrEnum):
    """Whose row a run writes."""

    DEPLOYMENT = "deployment"
    JOB = "job"


class Subject(NamedTuple):
    """What a run is about: its row, and what Temporal's lists call it."""

    kind: SubjectKind
    id: str
    label: str
    provider: str


class JournalBatch(BaseModel):
    """Input of the local activity `record`: events in order, and the newest projection, applied if it is newer.

    `task` is the workflow task that made it: the length of the run's history by then. Rows are written before Temporal
    keeps what a task decided. A task that is given up is done again, later and perhaps otherwise, because something
    came meanwhile; what the given-up one wrote under the same numbers never happened, and yields.
    """

    deployment_id: str  # the subject's id; older histories know deployments alone
    kind: SubjectKind = SubjectKind.DEPLOYMENT
    run_id: str
    family: str
    task: int = 0
    events: list[StepEvent]
    projection: Projection
