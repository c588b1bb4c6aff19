"""Start the parts, watch them, start a dead one again, and stop all of them in reverse order.

Knows processes, not what they serve: whether a part is ready is asked of the part's own probe.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.stack import processes
from sandbox.stack.layout import LOG_LIMIT, Layout, StackError, last_lines

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds before a dead part is started again
STEADY = 30.0  # a part that ran this long starts again with the shortest pause

Probe = Callable[[], Awaitable[bool]]
Hook = Callable[[], Awaitable[None]]


@dataclass
class Service:
    """One process of the stack. `env` is its whole environment; secrets go there, never into `argv`."""

    name: str
    title: str
    argv: list[str]
    env: dict[str, str] = field(repr=False)
    ready: Probe | None = None
    says: str = ""  # what its log has to say since this start before it counts as ready
    ready_timeout: float = 60.0
    stop_signal: int = signal.SIGTERM
    grace: float = 10.0
    user: tuple[int, int] | None = None  # uid and gid; None keeps ours
    after_ready: Hook | None = None  # run after each start, e.g. to fetch what is new with it


class Supervisor:
    def __init__(self, layout: Layout, note: Callable[[str], None]) -> None:
        """`note` is told what happens to parts after they were ready (a death, a restart)."""
        self._layout = layout
        self._note = note
        self._order: list[Service] = []
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._begins: dict[str, int] = {}

    @property
    def started(self) -> bool:
        return bool(self._order)

    def pid(self, name: str) -> int | None:
        process = self._running.get(name)
        return process.pid if process is not None and process.returncode is None else None

    async def start(self, service: Service) -> None:
        """Start a part and return when it is ready; if it does not come up, say so with the end of its log."""
        self._order.append(service)
        process = await self._spawn(service)
        if not await self._until_ready(service, process):
            shown = "\n".join(f"  {line}" for line in last_lines(self._layout.log(service.name)))
            ended = process.returncode
            why = f"ended with status {ended}" if ended is not None else f"was not ready in {service.ready_timeout:g} s"
            raise StackError(f"{service.title} {why}. Its log, {self._layout.log(service.name)}, ends:\n{shown}")
        self._watchers[service.name] = asyncio.create_task(self._watch(service, process))

    async def stop(self, report: Callable[[Service], None] = lambda service: None) -> None:
        """Stop everything, the last started first."""
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        for service in reversed(self._order):
            report(service)
            await self._end(service)

    async def _spawn(self, service: Service) -> asyncio.subprocess.Process:
        path = self._layout.log(service.name)
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        who = {"user": service.user[0], "group": service.user[1], "extra_groups": []} if service.user else {}
        with _log(path) as log:
            self._begins[service.name] = os.lseek(log, 0, os.SEEK_END)
            try:
                # A session of its own: Ctrl-C in the terminal is for us, who then stop the parts in their order.
                process = await asyncio.create_subprocess_exec(
                    *service.argv,
                    env=service.env,
                    cwd=self._layout.root if service.user is None else "/",
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    **who,  # type: ignore[arg-type]
                )
            except FileNotFoundError as error:
                raise StackError(f"{service.title} needs the program {service.argv[0]}, which is not here") from error
        self._running[service.name] = process
        known = processes.record(process.pid, service.stop_signal, service.grace, self._order.index(service))
        known.save(self._layout.pids / f"{service.name}.json")
        return process

    async def _until_ready(self, service: Service, process: asyncio.subprocess.Process) -> bool:
        deadline = time.monotonic() + service.ready_timeout
        while process.returncode is None and time.monotonic() < deadline:
            if await self._is_ready(service) and process.returncode is None:
                if service.after_ready is not None:
                    await service.after_ready()
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 0.1)
        return False

    async def _is_ready(self, service: Service) -> bool:
        if service.says:
            with self._layout.log(service.name).open(errors="replace") as log:
                log.seek(self._begins[service.name])
                if service.says not in log.read():
                    return False
        return service.ready is None or await service.ready()

    async def _watch(self, service: Service, process: asyncio.subprocess.Process) -> None:
        pause, born = FIRST_PAUSE, time.monotonic()
        while True:
            status = await process.wait()
            if time.monotonic() - born > STEADY:
                pause = FIRST_PAUSE
            self._note(f"{service.title} ended ({_reason(status)}); starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            pause, born = min(pause * 2, LONGEST_PAUSE), time.monotonic()
            process = await self._again(service)

    async def _again(self, service: Service) -> asyncio.subprocess.Process:
        process = await self._spawn(service)
        try:
            up = await self._until_ready(service, process)
        except Exception as error:  # a failing hook must not end the watch
            self._note(f"{service.title}: {error}")
            up = False
        if up:
            self._note(f"{service.title} is back")
        elif process.returncode is None:
            await self._end(service)
        return process

    async def _end(self, service: Service) -> None:
        process = self._running.get(service.name)
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(service.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), service.grace)
            except TimeoutError:
                self._note(f"{service.title} did not stop within {service.grace:g} s and was ended")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        (self._layout.pids / f"{service.name}.json").unlink(missing_ok=True)


@contextlib.contextmanager
def _log(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _reason(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name
