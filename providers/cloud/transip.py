"""TransIP's REST API v6 as a Cloud: the calls, in the order their traps demand.

An order names no server, creates an invoice, and has no idempotency key: the correlation token goes into the
description, and the server appears in the list later. Nothing is repeated in here but a call whose token was refused.
Reads and updates may be repeated by the caller; `order()` says Unconfirmed where it cannot know.

Source: https://api.transip.nl/rest/docs.html (OpenAPI 6.53), gotransip and transip-api-php for what that file lacks.
"""

from __future__ import annotations

import builtins
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from domain.ids import QUARANTINE_TAG, correlation_tag
from domain.servers import ActionState, PowerAction
from domain.statuses import Tier
from providers.cloud import transip_wire as wire
from providers.cloud.base import (
    Account,
    CallGate,
    CallLimit,
    Cancellation,
    CloudServer,
    OrderReceipt,
    ServerOrder,
    seconds_of,
    text_of,
)
from providers.cloud.common import limits_of, reached, tiers_of
from providers.cloud.transip_catalogue import CALL_LIMITS, Catalogue
from providers.cloud.transip_errors import READER, AlreadyCancelled
from providers.errors import Conflict, NotFound, ProviderError, Transient, Unconfirmed

BASE_URL = "https://api.transip.nl/v6"


class TransIP(Catalogue):
    power_actions = frozenset(wire.POWER)
    takes_root_password = False

    def __init__(
        self,
        *,
        username: str,
        private_key_pem: str,
        base_url: str = BASE_URL,
        default_availability_zone: str = "ams0",
        default_operating_system: str = "debian-13",
        tiers: Mapping[Tier, str] | None = None,
        late_accept_window: float = 600.0,
        poll_interval: float = 10.0,
        call_limits: tuple[CallLimit, ...] = CALL_LIMITS,
        gate: CallGate | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """ValueError where the key is none. `transport` replaces the network, for tests."""
        self.poll_interval = poll_interval
        self.late_accept_window = late_accept_window
        self.default_availability_zone = default_availability_zone
        self.default_operating_system = default_operating_system
        self.call_limits = call_limits
        super().__init__(username=username, private_key_pem=private_key_pem, base_url=base_url, tiers=tiers, gate=gate,
                         transport=transport, verify=verify)  # fmt: skip

    async def order(self, order: ServerOrder) -> OrderReceipt:
        body = wire.order_body(order)
        response = await self._call("POST", "/vps", json=body, ordering=True)
        action = _action_of(response)
        if response.status_code != 201 and not action:
            raise Unconfirmed(f"TransIP answered an order with {response.status_code} and no action",
                              provider=self.name)  # fmt: skip
        return OrderReceipt(action_ref=action)

    async def find(self, correlation: str) -> list[CloudServer]:
        servers = await self.list()
        return [
            server.model_copy(update={"correlation": correlation})
            for server in servers
            if wire.carries(server, correlation)
        ]

    async def order_in_progress(self, receipt: OrderReceipt) -> bool:
        """By the action of the order and its children. Where the answer was lost and no action is known: whether any
        action runs for a VPS that is not in the list yet."""
        if receipt.action_ref is None:
            running = [a for a in await self._all("/actions", "actions", key="uuid") if a.get("resourceType") == "vps"]
            listed = {vps["name"] for vps in await self._all("/vps", "vpss", key="name")} if running else set()
            return any(action.get("resourceIdentifier") not in listed for action in running)
        ref = quote(receipt.action_ref, safe="")
        try:
            action = (await self._read(f"/actions/{ref}")).get("action")
        except NotFound:
            return False
        if isinstance(action, dict) and action.get("status") == "running":
            return True
        return any(child.get("status") == "running" for child in await self._children(ref))

    async def claim(self, provider_ref: str, *, label: str, correlation: str) -> None:
        """The label is cut to the 32 characters TransIP allows. Conflict where the tags show another owner."""
        vps = await self._vps(provider_ref)
        owner = wire.owner_of(vps)
        if owner not in {None, correlation}:
            raise Conflict(f"VPS '{provider_ref}' carries the tag {correlation_tag(owner or '')} of another order",
                           provider=self.name)  # fmt: skip
        wanted = wire.claimed(vps, label=label, correlation=correlation)
        if wanted["description"] != vps.get("description") or set(wanted["tags"]) != set(wire.tags_of(vps)):
            _done(await self._call("PUT", _path(provider_ref), json={"vps": wanted}))

    async def get(self, provider_ref: str) -> CloudServer:
        """With the IPv6 address once it runs: that takes a second call, which polling must not pay for."""
        server = wire.server(await self._vps(provider_ref))
        if not server.running or server.locked:
            return server
        return server.model_copy(update={"ipv6_address": await self._ipv6(provider_ref)})

    async def list(self) -> list[CloudServer]:
        return [wire.server(vps) for vps in await self._all("/vps", "vpss", key="name")]

    async def cancel(self, provider_ref: str, *, immediately: bool) -> Cancellation:
        """DELETE with a body: without one TransIP cancels at the end of the contract, and bills until then.

        A cancellation that is pending already answers 409, also when the end asked for is another one; what stays
        billed then is told by whether the server is still there.
        """
        end = "immediately" if immediately else "end"
        try:
            billed = None if immediately else await self._period_end(provider_ref)
            _done(await self._call("DELETE", _path(provider_ref), json={"endTime": end}))
        except NotFound:
            return Cancellation(note="already gone")
        except AlreadyCancelled as pending:
            return await self._pending(provider_ref, immediately=immediately, sentence=pending.message)
        if immediately:
            return Cancellation(note="cancelled immediately")
        return Cancellation(billed_until=billed, note="runs until the end of the contract period, on the date shown "
                            "or a later one: TransIP tells no contract end")  # fmt: skip

    async def quarantine(self, provider_ref: str) -> None:
        """The tag first: a stop that is under way locks the server against it."""
        vps = await self._vps(provider_ref)
        await self._tag(vps, [*(tag for tag in wire.tags_of(vps) if tag != QUARANTINE_TAG), QUARANTINE_TAG])
        if vps.get("status") != "stopped":
            await self._call("PATCH", _path(provider_ref), json={"action": "stop"})

    async def restore(self, provider_ref: str) -> None:
        vps = await self._vps(provider_ref)
        await self._tag(vps, [tag for tag in wire.tags_of(vps) if tag != QUARANTINE_TAG])
        if vps.get("status") == "stopped":
            await self._call("PATCH", _path(provider_ref), json={"action": "start"})

    async def power(self, provider_ref: str, action: PowerAction) -> str | None:
        """Two actions at once are refused (409), so an action under way is Transient."""
        body = wire.power_body(action)
        response = await self._call("PATCH", _path(provider_ref), json=body, ordering=True)
        return _action_of(response)

    async def action_state(self, provider_ref: str, action: PowerAction, action_ref: str | None) -> ActionState:
        """By the process where its name is known and TransIP still knows it; then by the server's own state."""
        if action_ref is not None and await self.order_in_progress(OrderReceipt(action_ref=action_ref)):
            return ActionState.RUNNING
        server = wire.server(await self._vps(provider_ref))
        return reached(server, action, off={"stopped"})

    async def _tag(self, vps: dict[str, Any], tags: builtins.list[str]) -> None:
        """PUT replaces all tags, and everything else in its body."""
        if set(tags) != set(wire.tags_of(vps)):
            await self._call("PUT", _path(str(vps["name"])), json={"vps": {**vps, "tags": tags}})

    async def _pending(self, name: str, *, immediately: bool, sentence: str) -> Cancellation:
        """What an earlier cancellation means: our own whose answer was lost, or somebody's at the contract's end."""
        try:
            vps = await self._vps(name)
        except NotFound:
            return Cancellation(note="already gone")
        if immediately and vps.get("isLocked"):
            return Cancellation(note="already cancelled, and being removed")
        return Cancellation(billed_until=wire.period_end(vps.get("createdAt"), datetime.now(UTC)),
                            note=f"already cancelled: {sentence}")  # fmt: skip

    # ---- reading

    async def _vps(self, name: str) -> dict[str, Any]:
        return READER.member(await self._read(_path(name)), "vps", key="name")

    async def _ipv6(self, name: str) -> str | None:
        try:
            addresses = await self._read(f"{_path(name)}/ip-addresses")
            return wire.ipv6_of(READER.objects(addresses, "ipAddresses"))
        except ProviderError:
            return None  # a detail: it must not hide the server that was read already

    async def _children(self, ref: str) -> builtins.list[dict[str, Any]]:
        """The specification and the Go SDK name different paths; whichever is there is asked."""
        for path in (f"/actions/{ref}/children", f"/actions/children/{ref}"):
            try:
                return READER.objects(await self._read(path), "actions")
            except NotFound:
                continue
        return []

    async def _period_end(self, name: str) -> datetime:
        return wire.period_end((await self._vps(name)).get("createdAt"), datetime.now(UTC))


def from_account(
    account: Account, *, gate: CallGate | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> TransIP:
    """The secret is the private key; `username` must be configured. ValueError where either is not usable."""
    configuration = account.configuration
    username = text_of(configuration, "username", "")
    if not username:
        raise ValueError("a TransIP account needs the configuration 'username'")
    return TransIP(
        username=username,
        private_key_pem=account.api_key.get_secret_value(),
        base_url=text_of(configuration, "base_url", BASE_URL),
        default_availability_zone=text_of(configuration, "default_region", "ams0"),
        default_operating_system=text_of(configuration, "default_image", "debian-13"),
        tiers=tiers_of(configuration, wire.PRODUCTS),
        late_accept_window=seconds_of(configuration, "late_accept_seconds", 600.0),
        poll_interval=seconds_of(configuration, "poll_seconds", 10.0),
        call_limits=limits_of(configuration, CALL_LIMITS),
        gate=gate,
        transport=transport,
    )


def _done(response: httpx.Response) -> None:
    """204 says that it was done; any other success is somebody else's page, and the same may safely be asked again."""
    if response.status_code != 204:
        raise Transient(f"TransIP answered {response.status_code} to a change, not that it was made",
                        provider="transip")  # fmt: skip


def _action_of(response: httpx.Response) -> str | None:
    """The process that an accepted call began, where TransIP names it."""
    return response.headers.get("Content-Location", "").rstrip("/").rpartition("/")[2] or None


def _path(name: str) -> str:
    return f"/vps/{quote(name, safe='')}"
