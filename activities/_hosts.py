"""What activities on hosts have in common: from a deployment's rows to a target, an application and its secrets."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._log import Lines
from db import secrets
from db.queries.runs import RunFacts, load
from domain.errors import Trouble
from domain.provisioning import StepCall
from providers.hosts.application import Application
from providers.hosts.blueprints import AdminAccount, DeployContext
from providers.hosts.services import RegistryLogin
from providers.hosts.setup import deploy_target
from providers.hosts.ssh import Host, connect
from providers.hosts.target import HostTarget


@dataclass(frozen=True)
class Work:
    """One deployment on its server. Nothing secret is kept but the key to get in."""

    deps: Deps
    facts: RunFacts
    app: Application
    root: HostTarget

    @property
    def login(self) -> RegistryLogin | None:
        config = self.deps.config
        if config.registry_username is None or config.registry_password is None:
            return None
        return RegistryLogin(username=config.registry_username, password=config.registry_password)

    def enter(self, log: Lines, redact: tuple[str, ...] = ()) -> Host:
        """As the deploy user; every line goes to the deployment's log."""
        known = (*redact, self.deps.config.registry_password or "")
        return connect(deploy_target(self.root), on_line=log.sink, redact=known)


@dataclass(frozen=True)
class Secrets:
    """The values of an application's secrets: made on first use, the same ever after (X39)."""

    values: dict[str, str]
    admin: AdminAccount

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.values.values(), self.admin.password)


async def open_work(deps: Deps, call: StepCall) -> Work:
    async with deps.db.begin() as session:
        facts = await load(session, call.deployment_id)
        private = await secrets.read(session, deps.keys, "ssh-key", vps_id=facts.server.id)
    config, row = deps.config, facts.deployment
    if private is None or facts.server.host_key is None:
        raise ApplicationError("the server's keys are missing", type=Trouble.MISSING_SETTING, non_retryable=True)
    context = DeployContext(
        slug=row.slug,
        fqdn=row.assigned_subdomain,
        organization_name=facts.organization.name,
        tier=row.tier,
        place=facts.place,
        registry=call.inputs.registry or config.registry,
        https_port=config.https_port,
    )
    blueprint = deps.blueprints.get(call.inputs.blueprint, call.inputs.blueprint_version)
    root = HostTarget(address=facts.address, port=config.ssh_port, user=config.ssh_user, private_key=private,
                      host_key=facts.server.host_key)  # fmt: skip
    return Work(deps, facts, Application(blueprint, context), root)


async def secrets_of(work: Work) -> Secrets:
    deps, row = work.deps, work.facts.deployment
    async with deps.db.begin() as session:
        values = {
            spec.name: await secrets.ensure(session, deps.keys, f"env:{spec.name}", spec.generate, deployment_id=row.id)
            for spec in work.app.blueprint.secrets
        }
        password = await secrets.read(session, deps.keys, "admin-password", deployment_id=row.id)
    if password is None:
        raise ApplicationError("the first administrator's password is missing", type=Trouble.MISSING_SETTING,
                               non_retryable=True)  # fmt: skip
    return Secrets(values, AdminAccount(email=row.admin_email, name=row.admin_name, password=password))
