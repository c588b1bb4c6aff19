"""Ports: a taken one is one clear sentence, inner ones stay the same over restarts."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack import ports
from sandbox.stack.layout import Layout, StackError
from sandbox.stack.up import Public


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(taken: int) -> None:
    with pytest.raises(StackError) as caught:
        ports.require_free(taken, "the API", "PORT")
    told = str(caught.value)
    assert f"Port {taken} for the API is taken" in told
    assert f"PORT={taken + 10} make up" in told
    if Path("/proc/net/tcp").exists():
        assert f"(process {os.getpid()})" in told


def test_a_free_port_is_accepted(taken: int) -> None:
    assert not ports.is_free(taken)
    ports.require_free(next(port for port in ports.INNER if ports.is_free(port)), "the API", "PORT")


def test_public_ports_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert Public.from_environment() == Public(8000, 7233, 8233)
    monkeypatch.setenv("TEMPORAL_PORT", "17233")
    assert Public.from_environment() == Public(8000, 17233, 18233)


@pytest.mark.parametrize("value", ["0", "70000", "eight", "-1"])
def test_nonsense_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PORT", value)
    with pytest.raises(StackError, match=f"PORT={value} is not a port number"):
        Public.from_environment()


def test_inner_ports_are_kept_and_differ(layout: Layout) -> None:
    first = ports.Ports(layout)
    chosen = [first.get(name) for name in ("dns", "acme", "postgres")]
    assert len(set(chosen)) == 3
    again = ports.Ports(layout)
    assert [again.get(name) for name in ("dns", "acme", "postgres")] == chosen
    assert all(port in ports.INNER for port in chosen)


def test_an_inner_port_that_was_taken_meanwhile_is_chosen_anew(layout: Layout, taken: int) -> None:
    (layout.root / "ports.json").write_text(f'{{"dns": {taken}}}')
    assert ports.Ports(layout).get("dns") != taken
