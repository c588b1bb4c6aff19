"""What the implementations of `base.Cloud` share beside HTTP: configuration, options, and states of servers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from domain.servers import ActionState, PowerAction
from domain.statuses import Tier
from providers.cloud.base import CallLimit, CloudServer, ServerOrder, seconds_of, text_of
from providers.errors import InvalidInput


def tiers_of(configuration: Mapping[str, Any], defaults: Mapping[Tier, str]) -> dict[Tier, str]:
    """The size of each tier: the configured one, or the cloud's default."""
    configured = configuration.get("tiers")
    return {tier: text_of(configured if isinstance(configured, dict) else {}, tier, defaults[tier]) for tier in Tier}


def limits_of(configuration: Mapping[str, Any], defaults: tuple[CallLimit, ...]) -> tuple[CallLimit, ...]:
    """The cloud's documented limits, with the counts an administrator has configured."""
    counts = configuration.get("limits")
    counts = counts if isinstance(counts, dict) else {}
    return tuple(
        limit.model_copy(update={"count": int(seconds_of(counts, limit.calls, limit.count))}) for limit in defaults
    )


def refuse_options(order: ServerOrder, *names: str, provider: str, title: str) -> None:
    """InvalidInput where an order asks for what this cloud has not; leaving it out would sell something else."""
    for name in names:
        if getattr(order, name):
            raise InvalidInput(f"{title} has no option '{name}' for a server", provider=provider, field=name)


def reached(server: CloudServer, action: PowerAction, *, off: Collection[str]) -> ActionState:
    """How an action fares by the server's own state; `off` are the cloud's words for a server that is powered off.

    A state that is not reached is never FAILED: the cloud may not have begun. Whoever waits sets the end.
    """
    if server.locked:
        return ActionState.RUNNING
    wants_off = action in {PowerAction.SHUTDOWN, PowerAction.POWER_OFF}
    there = server.status in off if wants_off else server.running
    return ActionState.DONE if there else ActionState.RUNNING
