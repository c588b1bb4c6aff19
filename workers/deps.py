"""From settings to what activities need: clients, key ring, database. Made once per worker process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from activities._context import Deps
from db.keyring import KeyRing
from db.session import Database
from domain.config import RunConfig
from domain.inventory import InventoryRules
from domain.provisioning import RunPolicy
from providers.acme.client import AcmeClient
from providers.cloud.base import Cloud
from providers.cloud.transip import TransIP
from providers.dns.powerdns import PowerDNS
from providers.hosts.blueprints import Blueprints
from settings import Settings, read_key


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
        acme_email=settings.letsencrypt_email,
        acme_profile=settings.acme_profile,
        trust_file=str(settings.tls_trust_file) if settings.tls_trust_file else None,
        credentials_days=settings.credentials_days,
        policy=RunPolicy(automatic_minutes=settings.activity_minutes, park_hours=settings.park_hours),
        inventory=InventoryRules(
            grace_hours=settings.inventory_grace_hours, acts_per_hour=settings.inventory_acts_per_hour
        ),
    )


def clouds(settings: Settings) -> dict[str, Cloud]:
    """The clouds that have credentials; a run that names another parks and says so."""
    made: dict[str, Cloud] = {}
    if settings.transip_username and settings.transip_private_key:
        made["transip"] = TransIP(
            username=settings.transip_username,
            private_key_pem=read_key(settings.transip_private_key),
            base_url=settings.transip_api_url,
            default_availability_zone=settings.transip_availability_zone,
            default_operating_system=settings.transip_operating_system,
            late_accept_window=settings.transip_late_accept_seconds,
            poll_interval=settings.transip_poll_seconds,
        )
    return made


@contextlib.asynccontextmanager
async def make_deps(settings: Settings) -> AsyncIterator[Deps]:
    if settings.secret_keys is None:
        raise ValueError("SECRET_KEYS must be set: one or more id:base64key, newest first")
    db = Database(settings.sqlalchemy_url, pool_min=settings.database_pool_min, pool_max=settings.database_pool_max)
    dns_key = settings.powerdns_api_key
    dns = PowerDNS(
        settings.powerdns_api_url, dns_key.get_secret_value() if dns_key else "", settings.powerdns_server_id
    )
    made = clouds(settings)
    try:
        yield Deps(
            config=run_config(settings),
            db=db,
            keys=KeyRing.parse(settings.secret_keys.get_secret_value()),
            clouds=made,
            dns=dns,
            acme=AcmeClient(
                settings.acme_directory_url, ca_file=settings.acme_ca_file, email=settings.letsencrypt_email
            ),
            blueprints=Blueprints(settings.blueprints_dir),
        )
    finally:
        for cloud in made.values():
            await cloud.close()
        await dns.close()
        await db.close()
