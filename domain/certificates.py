"""What goes into and comes out of a certificate's renewal: ids, public texts and outcomes, never a private key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from domain.challenges import ChallengeChoice
from domain.provisioning import RunPolicy
from domain.renewal import Action
from domain.renewal_retries import FailureKind


def covers(names: Sequence[str], wanted: str) -> bool:
    """Whether a certificate for `names` names it, or the wildcard one label above it (RFC 6125 §6.4.3)."""
    return wanted in names or f"*.{wanted.partition('.')[2]}" in names


class HolderKind(StrEnum):
    """Whose certificate it is."""

    DEPLOYMENT = "deployment"
    SUBSCRIPTION = "subscription"


class RenewalCall(BaseModel):
    """Input of the workflow RenewCertificate. `forced`: somebody asks for it now, whatever the plan says.
    `fresh_key`: and by another key, because the one in use may be known. `wildcard`: with or without everything below
    the name; `challenge`: how it is proven. Where nothing is said both are as before."""

    certificate_id: str
    forced: bool = False
    fresh_key: bool = False
    wildcard: bool | None = None
    challenge: ChallengeChoice = ""
    requested_by: str = ""
    policy: RunPolicy = Field(default_factory=RunPolicy)


class Renewal(BaseModel):
    """What a run does for the certificate. `fresh_key`: the old key is not to be used again. `old_serves`: the old
    certificate may be put back where the new one is not seen from outside. `served`: what is looked at from there.
    `shared_id`: of the uploaded certificate that is to be served, if any."""

    certificate_id: str
    holder_kind: HolderKind
    holder_id: str
    names: list[str]
    served: list[str] = Field(default_factory=list)
    challenge: ChallengeChoice = ""
    action: Action
    fresh_key: bool = False
    old_serves: bool = True
    shared_id: str = ""


class RenewalCsr(BaseModel):
    """A CSR that was made on the server. It is public; the key never leaves the host."""

    renewal: Renewal
    csr_pem: str


class Failed(BaseModel):
    """Why a try did not succeed. `until`: what a CA that limits said, or what our ledger of its limits says."""

    kind: FailureKind
    message: str
    until: datetime | None = None


class Tried(BaseModel):
    """What the CA did: the new certificate's row, or why there is none. A rehearsal that passed has neither."""

    successor_id: str = ""
    failed: Failed | None = None


class Installation(BaseModel):
    """Which certificate is to be served for the holder of a renewal."""

    renewal: Renewal
    certificate_id: str


class RenewalEnd(BaseModel):
    """How a run ended; `at` makes a repeat of the same end harmless."""

    renewal: Renewal
    at: datetime
    successor_id: str = ""
    failed: Failed | None = None


class CertificatesSwept(BaseModel):
    """What one sweep did: windows asked for, renewals started."""

    polled: int = 0
    started: int = 0
