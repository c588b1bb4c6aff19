"""What goes into the runs that deliver an order and that change a subscription: ids and references, never secrets.

Fields are only ever added, with defaults: histories of running workflows carry the old shape.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from domain.challenges import ChallengeChoice
from domain.provisioning import RunPolicy


class FulfilmentInputs(BaseModel):
    """What an operator may correct while a step is parked; which step offers which field stands in
    domain/fulfilment_steps.py."""

    domain: str = ""  # empty: a name of the platform's own
    runtime: str = "php"  # or static
    web_server_id: str = ""  # empty: the active one with the most room
    mail_server_id: str = ""  # empty: the active one with the most room, or none where mailboxes are only recorded
    acme_profile: str = ""
    challenge: ChallengeChoice = ""
    price_id: str = ""  # of a change of limits: what the subscription costs from then on
    refund_reference: str = ""  # a refund that was made by hand: the payment service's id of it


class FulfilmentOrder(BaseModel):
    """Input of the workflow Fulfilment; its id is the payment's. `parts` are the job ids of the three children."""

    order_id: str
    subscription_id: str
    job_id: str
    payment_intent: str
    label: str  # what people call it: the tenant's slug and the name asked for
    parts: dict[str, str] = Field(default_factory=dict)  # JobType → job id
    inputs: FulfilmentInputs = Field(default_factory=FulfilmentInputs)
    policy: RunPolicy = Field(default_factory=RunPolicy)


class PartOrder(BaseModel):
    """Input of the children ProvisionDns, ProvisionHosting, ProvisionMail."""

    job_id: str
    subscription_id: str
    label: str
    inputs: FulfilmentInputs = Field(default_factory=FulfilmentInputs)
    policy: RunPolicy = Field(default_factory=RunPolicy)


class ChangeOrder(BaseModel):
    """Input of the workflow SubscriptionChange: one story for each of domain/sales.py's CHANGES."""

    job_id: str
    job_type: str
    subscription_id: str
    label: str
    reason: str = ""
    requested_by: str = ""
    inputs: FulfilmentInputs = Field(default_factory=FulfilmentInputs)
    policy: RunPolicy = Field(default_factory=RunPolicy)


class JobCall(BaseModel):
    """What nearly every activity of these runs gets: whose job, and the inputs. The rest it reads from the rows."""

    job_id: str
    subscription_id: str
    reason: str = ""
    inputs: FulfilmentInputs = Field(default_factory=FulfilmentInputs)


class SiteCsr(BaseModel):
    """A CSR made on the web server. It is public; the key never leaves the host."""

    job_id: str
    subscription_id: str
    csr_pem: str
    inputs: FulfilmentInputs = Field(default_factory=FulfilmentInputs)
