"""The commands of `slipway` that concern this machine: up, down, lab. Only how they are called and shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Annotated, NoReturn

import typer

from sandbox.stack.layout import PROJECT, Layout, StackError, last_lines
from sandbox.stack.reports import Reports, Screen, parse

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready; `slipway down` stops it.")]
Forget = Annotated[bool, typer.Option("--forget", help="Also remove all data, servers included.")]


def up(detach: Detach = False) -> None:
    """Start everything Slipway needs on this machine, and keep it running."""
    if detach:
        raise typer.Exit(_detached(Layout.from_environment()))
    from sandbox.stack.up import up as run

    raise typer.Exit(asyncio.run(run(Layout.from_environment(), Reports(Screen()))))


def down(forget: Forget = False) -> None:
    """Stop what `slipway up` started."""
    from sandbox.stack.forget import forget_everything
    from sandbox.stack.up import down as run

    layout, reports = Layout.from_environment(), Reports(Screen())
    status = asyncio.run(run(layout, reports))
    if status == 0 and forget:
        forget_everything(layout, reports)
    raise typer.Exit(status)


def lab(action: Annotated[str, typer.Argument(help="prepare, check or clean")] = "prepare") -> None:
    """Prepare what real hosts need on this machine (once; root on Linux)."""
    replace_process("sandbox.lab", action)


def sandbox(
    hosts: Annotated[str, typer.Option(help="emulated, or machine: real Debian hosts (root on Linux)")] = "emulated",
    port: Annotated[int, typer.Option(help="First of three ports to listen on; 0 takes free ones.")] = 0,
) -> None:
    """Run the sandbox's clouds alone: TransIP, DigitalOcean and Linode, with hosts behind them.

    Prints one line of JSON with their addresses and how to sign in; Ctrl-C stops them, and their memory stays.
    """
    from sandbox.stack.clouds import alone

    if hosts not in ("emulated", "machine"):
        raise typer.BadParameter(f"'{hosts}' is neither emulated nor machine", param_hint="--hosts")
    try:
        alone(Layout(Layout.from_environment().root / "sandbox"), "machine" if hosts == "machine" else "emulated", port)
    except StackError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def replace_process(module: str, *arguments: str) -> NoReturn:
    """Become `python -m module …`, so that signals reach it and its exit status is ours."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def _detached(layout: Layout) -> int:
    """Start the supervisor as a process of its own and show what it reports until it is ready or gave up."""
    layout.prepare()
    reading, writing = os.pipe()
    log = os.open(layout.log("up"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.stack", "--events", str(writing)],
        cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writing], start_new_session=True,
    )  # fmt: skip
    os.close(writing)
    os.close(log)
    screen, outcome = Screen(), ""
    try:
        with os.fdopen(reading) as events:
            for line in events:
                event = parse(line)
                outcome = event.kind if event.kind in ("ready", "failed") else outcome
                screen(event)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 1
    if outcome == "ready":
        return 0
    process.wait()
    if outcome != "failed":
        Reports(screen).failed("Slipway ended while it was starting:\n" + "\n".join(last_lines(layout.log("up"))))
    return 1
