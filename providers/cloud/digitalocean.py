"""DigitalOcean's API v2 as a Cloud: the calls on droplets, in the order their traps demand.

A create has no idempotency key and names are not unique, so the correlation token goes into a tag at once. The answer
202 is a promise: the droplet may be unknown (404) for a while after it, or for ever where its placement failed. `get`
says NotFound in both cases; who holds a receipt asks `order_in_progress`, which goes by the create's own process, and
believes an absence only when that has ended and `find` shows nothing twice. Tags are put on after the create, so
`find` may see a droplet later than `get`. Nothing is repeated in here; `order()` says Unconfirmed where it cannot know.

Source: the official OpenAPI (github.com/digitalocean/openapi), and public issue threads for what it leaves out.
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
from providers.cloud import digitalocean_wire as wire
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
from providers.cloud.digitalocean_catalogue import CALL_LIMITS, PAGE_SIZE, Catalogue
from providers.cloud.digitalocean_errors import READER, from_response, key_in_use
from providers.cloud.http import body_of
from providers.errors import Conflict, NotFound, Transient, Unconfirmed

BASE_URL = "https://api.digitalocean.com"
ZONE = "ams3"
IMAGE = "debian-13-x64"
LATE = 600.0  # seconds; other tools wait for up to 120 looks of some seconds each
POLL = 10.0


class DigitalOcean(Catalogue):
    power_actions = frozenset(PowerAction)
    takes_root_password = False

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
        """The keys and the image's name first: what fails before the create has cost nothing and may be repeated."""
        wire.check(order)
        keys = [await self._key(key, name=correlation_tag(order.correlation)) for key in order.ssh_keys]
        body = wire.order_body(order, image=await self._image_of(order), keys=keys)
        response = await self._call("POST", "/v2/droplets", json=body, ordering=True)
        receipt = wire.receipt(body_of(response))
        if receipt is None:
            raise Unconfirmed(f"DigitalOcean answered an order with {response.status_code} and no droplet",
                              provider=self.name)  # fmt: skip
        return receipt

    async def find(self, correlation: str) -> list[CloudServer]:
        """By tag. A 404, as of an unknown tag, is no proof of absence: then the whole list is read."""
        tag = correlation_tag(correlation)
        try:
            listed = await self._all("/v2/droplets", "droplets", key="id", tag_name=tag)
        except NotFound:
            return [server for server in await self.list() if tag in server.tags]
        servers = [wire.server(droplet) for droplet in listed]
        return [server.model_copy(update={"correlation": correlation}) for server in servers if tag in server.tags]

    async def order_in_progress(self, receipt: OrderReceipt) -> bool:
        """By the process of the create. Where the answer was lost and none is known: whether any create runs whose
        droplet is not in the list yet; creates that run are among the newest processes, so one page holds them."""
        if receipt.action_ref is not None:
            return await self._process(receipt.action_ref) is ActionState.RUNNING
        if receipt.provider_ref is not None:
            return any(wire.is_create_running(a) for a in await self._actions(_path(receipt.provider_ref) + "/actions"))
        running = [action for action in await self._actions("/v2/actions") if wire.is_create_running(action)]
        listed = {server.provider_ref for server in await self.list()} if running else set()
        return any(str(action.get("resource_id")) not in listed for action in running)

    async def claim(self, provider_ref: str, *, label: str, correlation: str) -> None:
        """Mostly nothing is left to do: the create gave it our tags and its name. Conflict where the tags show another
        owner."""
        droplet = await self._droplet(provider_ref)
        server = wire.server(droplet)
        if server.correlation not in {None, correlation}:
            raise Conflict(f"droplet {provider_ref} carries the tag {correlation_tag(server.correlation or '')} of "
                           "another order", provider=self.name)  # fmt: skip
        for tag in wire.our_tags(correlation):
            if tag not in server.tags:
                await self._tag(provider_ref, tag)
        if server.label != wire.name_of(label):
            await self._act(provider_ref, {"type": "rename", "name": wire.name_of(label)})

    async def get(self, provider_ref: str) -> CloudServer:
        """NotFound also of a droplet that was accepted a moment ago: see the head of this file."""
        return wire.server(await self._droplet(provider_ref))

    async def list(self) -> list[CloudServer]:
        """Both kinds of droplets: the plain list leaves GPU droplets out."""
        found: dict[str, CloudServer] = {}
        for kind in ("droplets", "gpus"):
            for droplet in await self._all("/v2/droplets", "droplets", key="id", type=kind):
                found[str(droplet["id"])] = wire.server(droplet)
        return [*found.values()]

    async def cancel(self, provider_ref: str, *, immediately: bool) -> Cancellation:
        """Billing is by the second and there is no contract period, so both ways end at once. Volumes, snapshots and
        reserved addresses stay, and stay billed; we order none."""
        try:
            await self._call("DELETE", _path(provider_ref))
        except NotFound:
            return Cancellation(note="already gone")
        return Cancellation(note="deleted; DigitalOcean has no contract period")

    async def quarantine(self, provider_ref: str) -> None:
        """A droplet that is powered off stays billed."""
        server = await self.get(provider_ref)
        if QUARANTINE_TAG not in server.tags:
            await self._tag(provider_ref, QUARANTINE_TAG)
        if server.status not in wire.OFF:
            await self._act(provider_ref, {"type": PowerAction.POWER_OFF.value})

    async def restore(self, provider_ref: str) -> None:
        server = await self.get(provider_ref)
        if QUARANTINE_TAG in server.tags:
            await self._call("DELETE", f"/v2/tags/{QUARANTINE_TAG}/resources", json=wire.resources(provider_ref))
        if server.status in wire.OFF:
            await self._act(provider_ref, {"type": PowerAction.POWER_ON.value})

    async def power(self, provider_ref: str, action: PowerAction) -> str | None:
        """Our words for actions are DigitalOcean's. One at a time: another one's is 422, hence Transient."""
        return await self._act(provider_ref, {"type": action.value}, ordering=True)

    async def action_state(self, provider_ref: str, action: PowerAction, action_ref: str | None) -> ActionState:
        state = await self._process(action_ref) if action_ref is not None else None
        return state or reached(await self.get(provider_ref), action, off=wire.OFF)

    # ---- SSH keys, tags and processes

    async def _key(self, key: str, *, name: str) -> int | str:
        """The id by which a droplet may have a key: it must be the account's first. The list of keys may be read ten
        times a minute only, so the key is sent, and looked up by its fingerprint where it is there already."""
        if wire.is_key_reference(key):
            return wire.key_reference(key)
        response = await self._send("POST", "/v2/account/keys", json={"name": name, "public_key": key})
        if key_in_use(response):
            path = f"/v2/account/keys/{wire.fingerprint(key)}"
            try:
                body = await self._read(path)
            except NotFound:
                raise Transient("DigitalOcean says that an SSH key is in use, and does not show it",
                                provider=self.name) from None  # fmt: skip
        elif response.is_success:
            body = READER.object_of(response)
        else:
            raise from_response(response)
        return wire.key_reference(str(READER.member(body, "ssh_key", key="id")["id"]))

    async def _tag(self, provider_ref: str, tag: str) -> None:
        """A tag must be there before it is put on something; mostly it is."""
        path, body = f"/v2/tags/{quote(tag, safe=':')}/resources", wire.resources(provider_ref)
        try:
            await self._call("POST", path, json=body)
        except NotFound:
            await self._call("POST", "/v2/tags", json={"name": tag})
            await self._call("POST", path, json=body)

    async def _act(self, provider_ref: str, body: dict[str, Any], *, ordering: bool = False) -> str:
        response = await self._call("POST", f"{_path(provider_ref)}/actions", json=body, ordering=ordering)
        if (ref := wire.action_of(body_of(response))) is None:
            told = f"DigitalOcean answered {response.status_code} to an action, and no process"
            raise (Unconfirmed if ordering else Transient)(told, provider=self.name)
        return ref

    async def _process(self, action_ref: str) -> ActionState | None:
        """None where DigitalOcean does not know the process (any more)."""
        try:
            body = await self._read(f"/v2/actions/{quote(action_ref, safe='')}")
        except NotFound:
            return None
        return wire.action_state(READER.member(body, "action", key="status"))

    async def _actions(self, path: str) -> builtins.list[dict[str, Any]]:
        return READER.objects(await self._read(path, per_page=PAGE_SIZE), "actions")

    async def _droplet(self, provider_ref: str) -> dict[str, Any]:
        return READER.member(await self._read(_path(provider_ref)), "droplet", key="id")


def from_account(
    account: Account, *, gate: CallGate | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> DigitalOcean:
    """The secret is an API token. ValueError where it is empty."""
    configuration, token = account.configuration, account.api_key.get_secret_value().strip()
    if not token:
        raise ValueError("a DigitalOcean account needs an API token")
    return DigitalOcean(
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


def _path(provider_ref: str) -> str:
    return f"/v2/droplets/{quote(provider_ref, safe='')}"
