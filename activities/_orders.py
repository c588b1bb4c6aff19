"""From rows to what a cloud is sent: the order of a server for an application, and of a bare one for a customer."""

from __future__ import annotations

import asyncio
import json

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from db import secrets
from db.models import VpsInstance
from db.queries.runs import RunFacts
from domain.errors import Trouble
from domain.provisioning import RunInputs
from domain.servers import ROOT_PASSWORD, STACKSCRIPT_DATA, USER_DATA, ServerOptions
from domain.statuses import DeploymentType, Tier
from providers.cloud.base import Cloud, ServerOrder
from providers.hosts.cloud_init import user_data, with_root_password


def draft(cloud: Cloud, tier: Tier, inputs: RunInputs, *, correlation: str, hostname: str) -> ServerOrder:
    """What is chosen where nothing is said: the tier's product, the cloud's zone and system."""
    return ServerOrder(
        correlation=correlation,
        product=inputs.product or cloud.product_for(tier),
        availability_zone=inputs.availability_zone or cloud.default_availability_zone,
        operating_system=inputs.operating_system or cloud.default_operating_system,
        hostname=hostname,
    )


def with_options(order: ServerOrder, facts: RunFacts) -> ServerOrder:
    """A draft as its cloud can judge it beforehand: with the options of a bare server, without secrets."""
    if facts.deployment.deployment_type != DeploymentType.SERVER:
        return order
    return order.model_copy(update=ServerOptions.model_validate(facts.server.options).model_dump())


async def complete(deps: Deps, cloud: Cloud, facts: RunFacts, inputs: RunInputs, correlation: str) -> ServerOrder:
    """The whole order with its secrets. ApplicationError(MissingSetting) where keys that must exist do not."""
    vps = facts.server
    order = draft(cloud, Tier(facts.deployment.tier), inputs, correlation=correlation,
                  hostname=vps.vps_hostname or vps.vps_name)  # fmt: skip
    async with deps.db.begin() as session:
        if facts.deployment.deployment_type == DeploymentType.SERVER:
            return await _bare(session, deps, cloud, vps, order)
        return await _for_application(session, deps, vps, order)


async def _for_application(session: AsyncSession, deps: Deps, vps: VpsInstance, order: ServerOrder) -> ServerOrder:
    host_private = await secrets.read(session, deps.keys, "host-key", vps_id=vps.id)
    public = str(vps.specs.get("ssh_public_key", ""))
    if host_private is None or vps.host_key is None or not public:
        raise ApplicationError("the server's keys are missing", type=Trouble.MISSING_SETTING, non_retryable=True)
    order.user_data = user_data(
        hostname=order.hostname, authorized_key=public, host_private_key=host_private, host_public_key=vps.host_key,
        apt_source=deps.config.apt_source,
    )  # fmt: skip
    order.ssh_keys = [public]
    return order


async def _bare(session: AsyncSession, deps: Deps, cloud: Cloud, vps: VpsInstance, order: ServerOrder) -> ServerOrder:
    options = ServerOptions.model_validate(vps.options)
    password = await secrets.read(session, deps.keys, ROOT_PASSWORD, vps_id=vps.id)
    data = await secrets.read(session, deps.keys, USER_DATA, vps_id=vps.id) or ""
    answers = await secrets.read(session, deps.keys, STACKSCRIPT_DATA, vps_id=vps.id)
    if password is not None and not cloud.takes_root_password:
        data = await asyncio.to_thread(with_root_password, data, password)  # a hash takes a while
    # Validated anew: the password is a SecretStr from here on.
    return ServerOrder.model_validate({
        **order.model_dump(), **options.model_dump(), "user_data": data,
        "stackscript_data": json.loads(answers) if answers else {},
        "root_password": password if cloud.takes_root_password else None,
    })  # fmt: skip
