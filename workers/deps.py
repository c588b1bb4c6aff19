"""From settings to what activities need: clients, key ring, database. Made once per worker process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from sqlalchemy.exc import DBAPIError

from activities._clouds import CloudBook
from activities._context import Deps
from db.keyring import KeyRing
from db.queries import environment
from db.session import Database
from domain.config import RunConfig
from domain.inventory import InventoryRules
from domain.provisioning import RunPolicy
from providers.acme.accounts import ExternalAccount
from providers.acme.authorities import Authorities, Authority, Role
from providers.acme.client import AcmeClient
from providers.cloud.registry import CLOUDS
from providers.dns.powerdns import PowerDNS
from providers.hosts.blueprints import Blueprints
from providers.mail.smtp import SmtpClient
from providers.payments.stripe import Stripe
from settings import Settings, read_key

logger = logging.getLogger("slipway.workers")

SEED_TRIES, SEED_PAUSE = 15, 2.0  # seconds between two tries


def run_config(settings: Settings) -> RunConfig:
    password = settings.docker_registry_password
    return RunConfig(
        base_domain=settings.base_domain,
        registry=settings.docker_registry,
        registry_insecure=settings.docker_registry_insecure,
        registry_username=settings.docker_registry_username,
        registry_password=password.get_secret_value() if password else None,
        shared_places=settings.shared_places,
        ssh_user=settings.vps_ssh_user,
        ssh_private_key=read_key(settings.vps_ssh_private_key) if settings.vps_ssh_private_key else None,
        ssh_port=settings.host_ssh_port,
        http_port=settings.host_http_port,
        https_port=settings.host_https_port,
        apt_source=settings.host_apt_source,
        dns_servers=tuple(settings.dns_servers),
        dns_ttl=settings.dns_ttl,
        dns_zone_kind=settings.dns_zone_kind,
        dns_nameservers=tuple(settings.dns_nameservers),
        acme_email=settings.letsencrypt_email,
        acme_profile=settings.acme_profile,
        shared_keys=settings.shared_keys,
        trust_file=str(settings.tls_trust_file) if settings.tls_trust_file else None,
        credentials_days=settings.credentials_days,
        portal_url=settings.portal_url,
        policy=RunPolicy(automatic_minutes=settings.activity_minutes, park_hours=settings.park_hours),
        inventory=InventoryRules(
            grace_hours=settings.inventory_grace_hours, acts_per_hour=settings.inventory_acts_per_hour
        ),
    )


async def seed(db: Database, keys: KeyRing, settings: Settings) -> None:
    """Bring the accounts that the environment names into their rows; a database that is away for a moment is waited
    for, because nothing can be done without one."""
    accounts = settings.cloud_accounts()
    for patience in range(SEED_TRIES, -1, -1):
        try:
            await environment.seed(db, keys, accounts, retire=True)
        except (DBAPIError, OSError) as error:
            if not patience:
                raise
            logger.warning("accounts wait for the database: %s", type(error).__name__)
            await asyncio.sleep(SEED_PAUSE)
        else:
            return


def authorities(settings: Settings) -> Authorities:
    """The CAs beside the first one."""
    made: dict[Role, Authority] = {}
    if settings.acme_staging_directory_url:
        made[Role.STAGING] = Authority(directory_url=settings.acme_staging_directory_url, ca_file=settings.acme_ca_file,
                                       email=settings.letsencrypt_email, profile=settings.acme_profile)  # fmt: skip
    if settings.acme_second_directory_url:
        key = settings.acme_second_eab_hmac_key
        bound = ExternalAccount(key_id=settings.acme_second_eab_key_id, hmac_key=key) if key is not None else None
        made[Role.SECOND] = Authority(directory_url=settings.acme_second_directory_url, ca_file=settings.acme_ca_file,
                                      email=settings.letsencrypt_email, profile=settings.acme_second_profile,
                                      external_account=bound)  # fmt: skip
    return Authorities(made)


def mail_client(settings: Settings) -> SmtpClient | None:
    if settings.smtp_host is None:
        return None
    password = settings.smtp_password
    return SmtpClient(
        host=settings.smtp_host,
        port=settings.smtp_port,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else "",
        security=settings.smtp_security,
        sender=settings.mail_from,
    )


def payment_client(settings: Settings) -> Stripe | None:
    key = settings.stripe_api_key
    return Stripe(api_key=key, base_url=settings.stripe_api_url) if key is not None else None


@contextlib.asynccontextmanager
async def make_deps(settings: Settings) -> AsyncIterator[Deps]:
    if settings.secret_keys is None:
        raise ValueError("SECRET_KEYS must be set: one or more id:base64key, newest first")
    db = Database(settings.sqlalchemy_url, pool_min=settings.database_pool_min, pool_max=settings.database_pool_max)
    dns_key = settings.powerdns_api_key
    dns = PowerDNS(
        settings.powerdns_api_url, dns_key.get_secret_value() if dns_key else "", settings.powerdns_server_id
    )
    keys = KeyRing.parse(settings.secret_keys.get_secret_value())
    book = CloudBook(db, keys, CLOUDS)
    payments = payment_client(settings)
    try:
        await seed(db, keys, settings)
        yield Deps(
            config=run_config(settings),
            db=db,
            keys=keys,
            clouds=book,
            dns=dns,
            acme=AcmeClient(
                settings.acme_directory_url, ca_file=settings.acme_ca_file, email=settings.letsencrypt_email
            ),
            blueprints=Blueprints(settings.blueprints_dir),
            authorities=authorities(settings),
            mail=mail_client(settings),
            payments=payments,
        )
    finally:
        await book.close()
        if payments is not None:
            await payments.close()
        await dns.close()
        await db.close()
