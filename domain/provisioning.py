"""What goes into and comes out of provisioning and termination: ids and references, never secrets or bulk data.

Fields are only ever added, with defaults: histories of running workflows carry the old shape.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, Field

from domain.challenges import ChallengeChoice
from domain.statuses import DeploymentType, Tier


class Placement(BaseModel):
    """Where a server may be ordered instead. What is empty is chosen as it is for the first place."""

    provider: str
    provider_id: str = ""
    availability_zone: str = ""
    product: str = ""
    operating_system: str = ""


class RunInputs(BaseModel):
    """What an operator may correct when a step is parked; which step offers which field stands in domain/steps.py."""

    provider: str = "transip"
    provider_id: str = ""  # the account there; empty means: the one that stands for that kind of cloud
    product: str = ""  # the cloud's product; empty means: by tier
    availability_zone: str = ""  # empty means: the provider's default
    operating_system: str = ""
    blueprint: str = "recruitiq"
    blueprint_version: str = ""  # empty means: the newest
    registry: str = ""
    migration_command: list[str] = Field(default_factory=list)  # empty means: the blueprint's
    environment: dict[str, str] = Field(default_factory=dict)  # additional, non-secret variables of the application
    acme_profile: str = ""
    challenge: ChallengeChoice = ""
    fallbacks: list[Placement] = Field(default_factory=list)  # in this order, where a cloud has no room, before paying


class RunPolicy(BaseModel):
    """How patient a run is. Part of the input, so that a replay sees the same numbers."""

    automatic_minutes: float = 10  # automatic retries of one step before it parks
    park_hours: float = 24  # a parked step's deadline before it escalates
    line_minutes: float = 180  # a step may stand in line for an account's calls before it parks


class ProvisionOrder(BaseModel):
    """Input of the workflow Provisioning."""

    deployment_id: str
    slug: str
    fqdn: str
    deployment_type: DeploymentType
    tier: Tier
    vps_id: str | None = None  # the shared server asked for, if any
    inputs: RunInputs = Field(default_factory=RunInputs)
    policy: RunPolicy = Field(default_factory=RunPolicy)


class TerminationOrder(BaseModel):
    """Input of the workflow Termination. `immediately` ends the contract now where the cloud allows it."""

    deployment_id: str
    slug: str
    fqdn: str
    immediately: bool = True
    reason: str = ""
    requested_by: str = ""
    inputs: RunInputs = Field(default_factory=RunInputs)
    deployment_type: DeploymentType = DeploymentType.DEDICATED
    policy: RunPolicy = Field(default_factory=RunPolicy)


class StepCall(BaseModel):
    """What nearly every activity gets: which deployment, with which inputs. The rest it reads from the rows."""

    deployment_id: str
    inputs: RunInputs = Field(default_factory=RunInputs)


class Reservation(BaseModel):
    """What the reserve step settled. `new_server` says whether the run orders one."""

    vps_id: str
    vps_name: str
    place: int = 0
    new_server: bool
    intent_id: str | None = None
    price_cents_month: int | None = None
    currency: str = "EUR"


class MoveCall(BaseModel):
    """To another place, because the first one has no room and nothing was bought there."""

    deployment_id: str
    to: Placement


class ServerFound(BaseModel):
    vps_id: str
    provider_ref: str
    address: str | None = None


class ServerQuote(BaseModel):
    """What the cloud asks for a server; checked against its own lists before anything is ordered."""

    product: str
    availability_zone: str
    operating_system: str
    price_cents_month: int
    currency: str = "EUR"
    hourly: Decimal | None = None


class QuoteCall(BaseModel):
    """With a deployment, the answer is written on its rows; a plan has none yet."""

    tier: Tier
    inputs: RunInputs = Field(default_factory=RunInputs)
    deployment_id: str | None = None


class DestroyCall(BaseModel):
    """`immediately` false leaves the server running to the end of its contract, as the cloud offers."""

    deployment_id: str
    immediately: bool = True


class Destroyed(BaseModel):
    """What became of the server: `kept` where others live on it."""

    provider_ref: str | None = None
    kept: bool = False
    still_billed: str | None = None
    billed_until: datetime | None = None


class CertificateRequest(BaseModel):
    """A CSR made on the server. It is public; the key never leaves the host."""

    deployment_id: str
    csr_pem: str
    inputs: RunInputs = Field(default_factory=RunInputs)


class CertificateIssued(BaseModel):
    certificate_id: str
    serial: str
    not_after: datetime


class Absence(BaseModel):
    """One proof that something does not exist any more."""

    what: str
    evidence: str
    at: datetime


class AbsenceReport(BaseModel):
    """The certificate of a rollback or a termination, shown on the instance."""

    proofs: list[Absence] = Field(default_factory=list)
    still_billed: str | None = None
    billed_until: datetime | None = None


class RetryRequest(BaseModel):
    """An operator's retry. Without a step it means every parked step; `changes` may name only editable inputs."""

    step: str | None = None
    changes: dict[str, object] = Field(default_factory=dict)
    operator: str = "operator"
    request_id: str = ""


class RollbackRequest(BaseModel):
    reason: str = ""
    operator: str = "operator"
    request_id: str = ""


class Parked(BaseModel):
    """A named wait: what, since, until when, and who may end it."""

    step: str
    trouble: str
    message: str
    since: datetime
    until: datetime
    owner: str = "operator"
    undoing: bool = False
    escalated: bool = False  # its first deadline passed without a decision
    editable: list[str] = Field(default_factory=list)
    current: dict[str, object] = Field(default_factory=dict)


class RunProgress(BaseModel):
    """Answer of the query `progress`, for operators and tests."""

    phase: str
    running: list[str] = Field(default_factory=list)
    parked: list[Parked] = Field(default_factory=list)
    done: list[str] = Field(default_factory=list)
    seq: int = 0


class PlanOrder(BaseModel):
    """Input of the workflow Planning: an order as it would be placed."""

    slug: str
    fqdn: str
    deployment_type: DeploymentType
    tier: Tier
    vps_id: str | None = None
    https_port: int = 443
    inputs: RunInputs = Field(default_factory=RunInputs)


class Plan(BaseModel):
    """What a run would do, from the same code that does it; nothing is written or ordered."""

    slug: str
    fqdn: str
    access_url: str
    vps_name: str
    new_server: bool
    provider: str
    product: str | None = None
    price_cents_month: int | None = None
    currency: str = "EUR"
    steps: list[str] = Field(default_factory=list)
