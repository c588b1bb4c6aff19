"""What goes into the run that sets up a server of the house: ids, and what people call it; never a key.

Fields are only ever added, with defaults: histories of running workflows carry the old shape.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from domain.provisioning import RunPolicy
from domain.sales import ServerType


class SetUpInputs(BaseModel):
    """Nothing is corrected in the run: what was wrong is corrected on the server's row, and its step is retried."""


class SetUpServerOrder(BaseModel):
    """Input of the workflow SetUpServer; `label` is the server's name."""

    job_id: str
    server_id: str
    label: str
    type: ServerType = ServerType.WEB
    inputs: SetUpInputs = Field(default_factory=SetUpInputs)
    policy: RunPolicy = Field(default_factory=RunPolicy)


class HouseCall(BaseModel):
    """What an activity of such a run gets: whose job, at which server. The rest it reads from the rows."""

    job_id: str
    server_id: str
