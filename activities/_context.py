"""What activities are given at worker start: configuration, database, clients. One object, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.config import RunConfig

if TYPE_CHECKING:
    from activities._clouds import Clouds
    from db.keyring import KeyRing
    from db.session import Database
    from providers.acme.authorities import Authorities
    from providers.acme.client import AcmeClient
    from providers.dns.powerdns import PowerDNS
    from providers.hosts.blueprints import Blueprints
    from providers.mail.smtp import SmtpClient
    from providers.payments.stripe import Stripe


@dataclass(frozen=True)
class Deps:
    config: RunConfig
    db: Database
    keys: KeyRing
    dns: PowerDNS
    acme: AcmeClient
    blueprints: Blueprints
    clouds: Clouds
    mail: SmtpClient | None = None  # None where no mail server is set up
    payments: Stripe | None = None  # None where no payment service is set up
    authorities: Authorities | None = None  # CAs beside the first one, `acme`; None where there are none
