"""Linode's API v4 as a Cloud: the calls on instances, in the order their traps demand.

Labels are unique in an account, so an order is sent under a label made of the correlation token: sent twice it makes
one server, and the second answer ("Label must be unique") leads to the first's. Tags carry the token too, which lets
`claim` give the server the label that people see; a user who may not give tags keeps the first label, and `find` looks
for both. Nothing is repeated in here but an order whose tags were refused; `order()` says Unconfirmed where it cannot
know.

Source: the official OpenAPI, recorded answers of linodego's tests, and public issue threads.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from domain.ids import QUARANTINE_TAG, correlation_tag
from domain.servers import ActionState, PowerAction
from domain.statuses import Tier
from providers.cloud import linode_wire as wire
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
from providers.cloud.http import body_of, texts
from providers.cloud.linode_catalogue import CALL_LIMITS, Catalogue
from providers.cloud.linode_errors import READER, from_response, label_is_taken, tags_are_refused
from providers.errors import Conflict, NotFound, Unconfirmed

BASE_URL = "https://api.linode.com/v4"
ZONE = "nl-ams"
IMAGE = "linode/debian13"
LATE = 300.0  # seconds; a create is answered with the server itself, and its label forbids a second one
POLL = 10.0


class Linode(Catalogue):
    power_actions = frozenset(wire.POWER)
    takes_root_password = True

    def __init__(
        self,
        *,
        token: str,
        base_url: str = BASE_URL,
        default_availability_zone: str = ZONE,
        default_operating_system: str = IMAGE,
        tiers: Mapping[Tier, str] | None = None,
        late_accept_window: float = LATE,
        poll_interval: float = POLL,
        call_limits: tuple[CallLimit, ...] = CALL_LIMITS,
        gate: CallGate | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` replaces the network, for tests."""
        self.poll_interval = poll_interval
        self.late_accept_window = late_accept_window
        self.default_availability_zone = default_availability_zone
        self.default_operating_system = default_operating_system
        self.call_limits = call_limits
        super().__init__(token=token, base_url=base_url, tiers=tiers, gate=gate, transport=transport)

    async def order(self, order: ServerOrder) -> OrderReceipt:
        """A label that is taken is an earlier order of the same token: its server is the receipt."""
        wire.check(order)
        body = wire.order_body(order)
        response = await self._create(body)
        if tags_are_refused(response):
            # Surely nothing was made; the label alone correlates.
            response = await self._create({name: value for name, value in body.items() if name != "tags"})
        if label_is_taken(response):
            return await self._adopt(order.correlation)
        if not response.is_success:
            raise from_response(response, ordering=True)
        made = body_of(response)
        if not isinstance(made, dict) or not made.get("id"):
            raise Unconfirmed(f"Linode answered an order with {response.status_code} and no server", provider=self.name)
        return OrderReceipt(provider_ref=str(made["id"]))

    async def find(self, correlation: str) -> list[CloudServer]:
        """By the tag, and by the label of a server that is not claimed yet or whose tags were refused."""
        tag = correlation_tag(correlation)
        listed = await self._all("/linode/instances", filters={"+or": [{"tags": tag}, {"label": tag}]})
        servers = [wire.server(instance) for instance in listed]
        return [
            server.model_copy(update={"correlation": correlation})
            for server in servers
            if wire.carries(server, correlation)
        ]

    async def order_in_progress(self, receipt: OrderReceipt) -> bool:
        """By the server, which the answer to an order names. A create is finished when it is answered, so an order of
        which nothing is known leaves nothing that `find` would not show."""
        if receipt.provider_ref is None:
            return False
        try:
            return (await self.get(receipt.provider_ref)).status == "provisioning"
        except NotFound:
            return False

    async def claim(self, provider_ref: str, *, label: str, correlation: str) -> None:
        """The tags first: without them the label is all that correlates, and stays. Conflict where the tags or the
        label show another owner. A wanted label that another server has gets the token's beginning behind it."""
        instance = await self._instance(provider_ref)
        server = wire.server(instance)
        if server.correlation not in {None, correlation}:
            raise Conflict(f"the Linode {provider_ref} carries the tag {correlation_tag(server.correlation or '')} of "
                           "another order", provider=self.name)  # fmt: skip
        missing = [tag for tag in wire.our_tags(correlation) if tag not in server.tags]
        if missing and not await self._retag(provider_ref, [*missing, *server.tags]):
            return
        names = [wire.label_of(label), wire.other_label(label, correlation)]
        if server.label not in names:
            await self._rename(provider_ref, names)

    async def get(self, provider_ref: str) -> CloudServer:
        return wire.server(await self._instance(provider_ref))

    async def list(self) -> list[CloudServer]:
        return [wire.server(instance) for instance in await self._all("/linode/instances")]

    async def cancel(self, provider_ref: str, *, immediately: bool) -> Cancellation:
        """Billing is by the hour and there is no contract period, so both ways end at once, with disks and backups."""
        try:
            await self._call("DELETE", _path(provider_ref))
        except NotFound:
            return Cancellation(note="already gone")
        return Cancellation(note="deleted; Linode has no contract period")

    async def quarantine(self, provider_ref: str) -> None:
        """A Linode that is powered off stays billed. The tag is left out where the account's user may not give any."""
        instance = await self._instance(provider_ref)
        tags = texts(instance.get("tags"))
        if QUARANTINE_TAG not in tags:
            await self._retag(provider_ref, [*tags, QUARANTINE_TAG])
        if instance.get("status") not in wire.OFF:
            await self._call("POST", f"{_path(provider_ref)}/{wire.POWER[PowerAction.POWER_OFF]}")

    async def restore(self, provider_ref: str) -> None:
        instance = await self._instance(provider_ref)
        tags = texts(instance.get("tags"))
        if QUARANTINE_TAG in tags:
            await self._retag(provider_ref, [tag for tag in tags if tag != QUARANTINE_TAG])
        if instance.get("status") in wire.OFF:
            await self._call("POST", f"{_path(provider_ref)}/{wire.POWER[PowerAction.POWER_ON]}")

    async def power(self, provider_ref: str, action: PowerAction) -> str | None:
        """Linode names no process of an action. "Linode busy." is Transient."""
        await self._call("POST", f"{_path(provider_ref)}/{wire.power_path(action)}", ordering=True)
        return None

    async def action_state(self, provider_ref: str, action: PowerAction, action_ref: str | None) -> ActionState:
        """By the server's own status, which is one of work (booting, shutting_down, rebooting) meanwhile."""
        return reached(await self.get(provider_ref), action, off=wire.OFF)

    async def _create(self, body: dict[str, Any]) -> httpx.Response:
        return await self._send("POST", "/linode/instances", calls=("requests", "creates"), ordering=True, json=body)

    async def _adopt(self, correlation: str) -> OrderReceipt:
        label = correlation_tag(correlation)
        for instance in await self._all("/linode/instances", filters={"label": label}):
            if instance.get("label") == label:
                return OrderReceipt(provider_ref=str(instance["id"]))
        raise Unconfirmed(f"Linode says that the label {label} is taken, and lists no server of it", provider=self.name)

    async def _retag(self, provider_ref: str, tags: builtins.list[str]) -> bool:
        """Replaces all tags there are. False where the account's user may not give any."""
        response = await self._put(provider_ref, {"tags": tags})
        if tags_are_refused(response):
            return False
        _changed(response)
        return True

    async def _rename(self, provider_ref: str, names: builtins.list[str]) -> None:
        """To the first name that no other server has; each is tried, and the last one's refusal is told."""
        for name in names:
            response = await self._put(provider_ref, {"label": name})
            if not label_is_taken(response):
                break
        _changed(response)

    async def _put(self, provider_ref: str, changes: dict[str, Any]) -> httpx.Response:
        """What is left out stays as it is."""
        return await self._send("PUT", _path(provider_ref), json=changes)

    async def _instance(self, provider_ref: str) -> dict[str, Any]:
        body = await self._read(_path(provider_ref))
        return READER.member({"instance": body}, "instance", key="id")


def from_account(
    account: Account, *, gate: CallGate | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Linode:
    """The secret is a personal access token. ValueError where it is empty."""
    configuration, token = account.configuration, account.api_key.get_secret_value().strip()
    if not token:
        raise ValueError("a Linode account needs an API token")
    return Linode(
        token=token,
        base_url=text_of(configuration, "base_url", BASE_URL),
        default_availability_zone=text_of(configuration, "default_region", ZONE),
        default_operating_system=text_of(configuration, "default_image", IMAGE),
        tiers=tiers_of(configuration, wire.TIERS),
        late_accept_window=seconds_of(configuration, "late_accept_seconds", LATE),
        poll_interval=seconds_of(configuration, "poll_seconds", POLL),
        call_limits=limits_of(configuration, CALL_LIMITS),
        gate=gate,
        transport=transport,
    )


def _changed(response: httpx.Response) -> None:
    """A change is answered with the server; any other success is somebody else's page, and it may be asked again."""
    if not response.is_success:
        raise from_response(response)
    READER.member({"instance": body_of(response)}, "instance", key="id")


def _path(provider_ref: str) -> str:
    return f"/linode/instances/{quote(provider_ref, safe='')}"
