"""The deployment steps on a host. Each looks first and says "already present" where its work is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import update
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._context import Deps
from activities._errors import mapped
from activities._heartbeat import beating
from activities._hosts import Work, open_work, secrets_of
from activities._log import Lines
from db.models import VpsInstance
from db.queries.certificates import to_install
from domain.errors import Trouble
from domain.provisioning import CertificateRequest, StepCall
from domain.statuses import Lifecycle
from providers.errors import HostUnreachable, NotReady, Unauthorized
from providers.hosts import application, commands, migrations, services, setup, tls
from providers.hosts.packages import Say
from providers.hosts.ssh import Host, connect

_Act = Callable[[Host, Say], Awaitable[None]]
SSH_INTERVAL = 3.0  # seconds between looks while a server boots
REFUSED_INTERVAL = 20.0  # sshd counts refused logins against our address: ask seldom


class HostActivities:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    @activity.defn
    @mapped
    async def await_ssh(self, call: StepCall) -> None:
        """Look once whether the host lets us in and holds the pinned key; a try that finds it silent is repeated.

        Effect: none on the host but a login.
        Idempotency: reads only.
        Undo: none.
        Heartbeat: while connecting.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "await_ssh") as log, beating():
            user = await _first_let_in(work)
            await log.say(f"SSH answers at {work.root.address} with the pinned host key; {user} is let in")

    @activity.defn
    @mapped
    async def set_up_server(self, call: StepCall) -> None:
        """Step 1: packages, firewall, deploy user, web server; then root's door is closed, and that is proven.

        Effect: the host as described in providers/hosts/setup.py; set_up_version on our row, which is active from now
            on: a shared server may take further applications.
        Idempotency: a marker on the host, written last; every act is preceded by a look.
        Undo: none; the server itself is given back.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        registries = (work.app.context.registry,) if self._deps.config.registry_insecure else ()
        plan = setup.SetUpPlan(
            authorized_key=str(work.facts.server.specs.get("ssh_public_key", "")),
            minimum_memory_mb=work.app.blueprint.minimum_memory_mb,
            insecure_registries=tuple(filter(None, registries)),
        )
        async with Lines(self._deps, call.deployment_id, "set_up_server") as log, beating():
            done = await setup.set_up(
                work.root, plan, log.say, on_line=log.sink, deploy_first=work.facts.server.set_up_version is not None
            )
            async with self._deps.db.begin() as session:
                await session.execute(
                    update(VpsInstance)
                    .where(VpsInstance.id == work.facts.server.id)
                    .values(set_up_version=done.version)
                )
                await session.execute(
                    update(VpsInstance)
                    .where(VpsInstance.id == work.facts.server.id, VpsInstance.lifecycle == Lifecycle.PROVISIONING)
                    .values(lifecycle=Lifecycle.ACTIVE)
                )

    @activity.defn
    @mapped
    async def transfer_files(self, call: StepCall) -> None:
        """Step 2: the blueprint's files, rendered for this deployment.

        Effect: files under /srv/slipway/<slug>.
        Idempotency: only what differs is written, each file whole or not at all.
        Undo: remove_application on a shared server.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "transfer_files") as log, beating():
            async with work.enter(log) as host:
                await application.transfer(host, work.app, log.say)

    @activity.defn
    @mapped
    async def write_env(self, call: StepCall) -> None:
        """Step 3: `.env.production`, readable by its owner only.

        Effect: secrets of the deployment as rows, once; one file on the host.
        Idempotency: the same secrets on every try (X39); an equal file is left alone.
        Undo: remove_application on a shared server; the secrets go with release.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "write_env") as log, beating():
            await self._with_environment(work, call, log)

    @activity.defn
    @mapped
    async def start_services(self, call: StepCall) -> None:
        """Step 4: pull the images, start the containers, wait until all are well.

        Effect: images and containers on the host; corrected inputs reach files and environment first.
        Idempotency: images that are there are not pulled, containers that run are kept.
        Undo: remove_application on a shared server.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "start_services") as log, beating():

            async def start(host: Host, say: Say) -> None:
                await services.start_services(host, work.app, say, login=work.login)

            await self._with_environment(work, call, log, start)

    @activity.defn
    @mapped
    async def make_csr(self, call: StepCall) -> CertificateRequest:
        """Make the TLS key on the host, once, and a CSR for it.

        Effect: a key under /etc/slipway/tls/<name> that never leaves the host.
        Idempotency: an existing key is kept.
        Undo: remove_application on a shared server.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "make_csr") as log, beating():
            async with work.enter(log) as host:
                csr = await tls.make_csr(host, work.app, log.say)
        return CertificateRequest(deployment_id=call.deployment_id, csr_pem=csr, inputs=call.inputs)

    @activity.defn
    @mapped
    async def configure_tls(self, call: StepCall) -> None:
        """Step 5: the issued chain and the site, tested before nginx reads them.

        Effect: chain and site on the host, nginx reloaded.
        Idempotency: equal files are left alone; where nginx refuses, the old state is restored.
        Undo: remove_application on a shared server.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        chain = await self._chain(work)
        async with Lines(self._deps, call.deployment_id, "configure_tls") as log, beating():
            async with work.enter(log) as host:
                await tls.install_certificate(host, work.app, chain, log.say)

    async def _chain(self, work: Work) -> str:
        async with self._deps.db.begin() as session:
            found = await to_install(session, work.facts.deployment.id)
        if found is None:
            raise ApplicationError("no certificate was issued yet", type=Trouble.MISSING_SETTING, non_retryable=True)
        return found.chain_pem

    @activity.defn
    @mapped
    async def run_migrations(self, call: StepCall) -> None:
        """Step 6: wait for PostgreSQL, migrate in the backend's container, verify the schema.

        Effect: the application's database schema; a corrected environment reaches the containers first.
        Idempotency: nothing is run when nothing is pending.
        Undo: none; the database goes with the application.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "run_migrations") as log, beating():

            async def migrate(host: Host, say: Say) -> None:
                await services.start_services(host, work.app, say, login=work.login)
                await migrations.run_migrations(host, work.app, say, command=call.inputs.migration_command or None)

            await self._with_environment(work, call, log, migrate)

    @activity.defn
    @mapped
    async def remove_application(self, call: StepCall) -> None:
        """Take one application off a shared server; its neighbours are not touched.

        Effect: containers, volumes, site, files and TLS key of this deployment are gone.
        Idempotency: what is gone already is passed over.
        Undo: none.
        Heartbeat: while at work.
        """
        work = await open_work(self._deps, call)
        async with Lines(self._deps, call.deployment_id, "remove_application") as log, beating():
            try:
                async with work.enter(log) as host:
                    await application.remove(host, work.app, log.say)
            except Unauthorized:
                # Before the end of step 1 there is no deploy user, hence no application either.
                async with connect(work.root):
                    await log.say("The server was never set up: no application to remove")

    async def _with_environment(self, work: Work, call: StepCall, log: Lines, act: _Act | None = None) -> None:
        """Enter with the environment as it should be: an operator's correction must arrive with the retry."""
        known = await secrets_of(work)
        async with work.enter(log, known.all) as host:
            await application.write_env(
                host, work.app, log.say, values=known.values, admin=known.admin, extra=call.inputs.environment
            )
            if act is not None:
                await act(host, log.say)


async def _first_let_in(work: Work) -> str:
    """The user that is let in: root before step 1 has closed that door, the deploy user after."""
    targets = [work.root, setup.deploy_target(work.root)]
    for target in targets if work.facts.server.set_up_version is None else reversed(targets):
        try:
            async with connect(target) as host:
                return (await host.run(commands.whoami())).stdout.strip()
        except Unauthorized:
            continue
        except HostUnreachable as error:
            raise HostUnreachable(error.message, retry_after=SSH_INTERVAL) from error
    raise NotReady(f"{work.root.address} does not accept this server's key yet", retry_after=REFUSED_INTERVAL)
