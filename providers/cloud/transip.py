"""TransIP's REST API v6 as a Cloud: the calls, in the order their traps demand.

An order names no server, creates an invoice, and has no idempotency key: the correlation token goes into the
description, and the server appears in the list later. Nothing is repeated in here but a call whose token was refused.
Reads and updates may be repeated by the caller; `order()` says Unconfirmed where it cannot know.

Source: https://api.transip.nl/rest/docs.html (OpenAPI 6.53), gotransip and transip-api-php for what that file lacks.
"""

from __future__ import annotations

import builtins
import ssl
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from domain.ids import QUARANTINE_TAG, correlation_tag
from domain.statuses import Tier
from providers.cloud import transip_wire as wire
from providers.cloud.base import (
    Account,
    CallGate,
    Cancellation,
    CloudServer,
    OrderReceipt,
    Price,
    ServerOrder,
    seconds_of,
    text_of,
)
from providers.cloud.transip_auth import Tokens, load_key
from providers.cloud.transip_errors import (
    from_response,
    from_transport,
    is_already_cancelled,
    json_of,
    token_is_over,
)
from providers.errors import Conflict, InvalidInput, NotFound, Transient, Unconfirmed

PAGE_SIZE = 100
MAX_PAGES = 1000  # a guard against a list that never ends
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# Below Apache's usual 5 s: an order on a connection the other side has just closed would count as unconfirmed.
LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=4.0)
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class TransIP:
    name = "transip"

    def __init__(
        self,
        *,
        username: str,
        private_key_pem: str,
        base_url: str = "https://api.transip.nl/v6",
        default_availability_zone: str = "ams0",
        default_operating_system: str = "debian-13",
        late_accept_window: float = 600.0,
        poll_interval: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """ValueError where the key is none. `transport` replaces the network, for tests."""
        self.poll_interval = poll_interval
        self.late_accept_window = late_accept_window
        self.default_availability_zone = default_availability_zone
        self.default_operating_system = default_operating_system
        key = load_key(private_key_pem)
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
            verify=verify,
            headers={"Accept": "application/json", "User-Agent": "slipway"},
            # A proxy of the environment cannot reach this machine's own addresses.
            trust_env=(urlsplit(base_url).hostname or "") not in LOOPBACK,
        )
        self._tokens = Tokens(self._http, username=username, key=key)

    def product_for(self, tier: Tier) -> str:
        return wire.PRODUCTS[tier]

    async def price(self, product: str) -> Price:
        """What each following month costs, from GET /products (cents, without VAT)."""
        found = await self._product(product)
        cents = found.get("recurringPrice")
        if not isinstance(cents, int | float):
            cents = found.get("price")
        if not isinstance(cents, int | float):
            raise InvalidInput(f"TransIP shows no price for {product}", provider=self.name, field="product")
        return Price(product=wire.short_product(product), cents_month=round(cents))

    async def check_order(self, order: ServerOrder) -> None:
        """By the cloud's own lists. Its test mode (?test=1) would ask it directly, but an order sent by mistake costs
        money, and a server that does not know the parameter would take it."""
        wire.check_lengths(order)
        await self._product(order.product)
        zones = await self._read("/availability-zones")
        names = [str(zone.get("name")) for zone in _objects(zones, "availabilityZones", required=True)]
        if order.availability_zone not in names:
            raise InvalidInput(f"TransIP has no availability zone '{order.availability_zone}': {', '.join(names)}",
                               provider=self.name, field="availability_zone")  # fmt: skip
        # The order takes the name; a VPS later shows the description.
        systems = await self._read("/operating-systems", productName=wire.wire_product(order.product))
        for system in _objects(systems, "operatingSystems", required=True):
            flavours = system.get("installFlavours")
            if system.get("name") == order.operating_system and (flavours is None or "cloudinit" in flavours):
                return
        raise InvalidInput(f"TransIP offers no '{order.operating_system}' with cloud-init for {order.product}",
                           provider=self.name, field="operating_system")  # fmt: skip

    async def order(self, order: ServerOrder) -> OrderReceipt:
        body = wire.order_body(order)
        response = await self._call("POST", "/vps", json=body, ordering=True)
        action = response.headers.get("Content-Location", "").rstrip("/").rpartition("/")[2]
        if response.status_code != 201 and not action:
            raise Unconfirmed(f"TransIP answered an order with {response.status_code} and no action",
                              provider=self.name)  # fmt: skip
        return OrderReceipt(action_ref=action or None)

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
        return wire.server(await self._vps(provider_ref))

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
        except _AlreadyCancelled as pending:
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

    async def _tag(self, vps: dict[str, Any], tags: builtins.list[str]) -> None:
        """PUT replaces all tags, and everything else in its body."""
        if set(tags) != set(wire.tags_of(vps)):
            await self._call("PUT", _path(str(vps["name"])), json={"vps": {**vps, "tags": tags}})

    async def verify_credentials(self) -> None:
        await self._read("/api-test")

    async def close(self) -> None:
        await self._http.aclose()

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
        vps = (await self._read(_path(name))).get("vps")
        if not isinstance(vps, dict) or not vps.get("name"):
            raise Transient(f"TransIP answered without the VPS '{name}'", provider=self.name)
        return vps

    async def _product(self, product: str) -> dict[str, Any]:
        groups = (await self._read("/products")).get("products")
        for found in _objects(groups if isinstance(groups, dict) else {}, "vps", required=True):
            if found.get("name") in {product, wire.wire_product(product)}:
                return found
        raise InvalidInput(f"TransIP does not sell '{product}'", provider=self.name, field="product")

    async def _children(self, ref: str) -> builtins.list[dict[str, Any]]:
        """The specification and the Go SDK name different paths; whichever is there is asked."""
        for path in (f"/actions/{ref}/children", f"/actions/children/{ref}"):
            try:
                return _objects(await self._read(path), "actions")
            except NotFound:
                continue
        return []

    async def _period_end(self, name: str) -> datetime:
        return wire.period_end((await self._vps(name)).get("createdAt"), datetime.now(UTC))

    async def _all(self, path: str, member: str, *, key: str) -> builtins.list[dict[str, Any]]:
        """A list over all its pages. No total is told and a page may be shorter than asked for, so only a page that
        brings nothing new is the end."""
        found: dict[str, dict[str, Any]] = {}
        for page in range(1, MAX_PAGES + 1):
            body = await self._read(path, page=page, pageSize=PAGE_SIZE)
            items = _objects(body, member, required=True)
            if len(items) < len(body[member]) or not all(item.get(key) for item in items):
                # Leaving it out would make the list look complete.
                raise Transient(f"TransIP listed something without '{key}' at {path}", provider=self.name)
            new = {str(item[key]): item for item in items}
            if not new.keys() - found.keys():
                return [*found.values()]
            found |= new
        raise Transient(f"the list {path} of TransIP does not end", provider=self.name)

    async def _read(self, path: str, **params: str | int) -> dict[str, Any]:
        return json_of(await self._call("GET", path, params=params))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str | int] | None = None,
        json: dict[str, Any] | None = None,
        ordering: bool = False,
    ) -> httpx.Response:
        """One call, repeated once where the token was refused, which proves that it had no effect."""
        token = await self._tokens.get()
        for last in (False, True):
            try:
                response = await self._http.request(
                    method, path, params=params, json=json, headers={"Authorization": f"Bearer {token}"}
                )
            except httpx.HTTPError as error:
                raise from_transport(error, ordering=ordering) from None
            if response.is_success:
                return response
            if last or not token_is_over(response):
                break
            token = await self._tokens.get(rejected=token)
        if method == "DELETE" and is_already_cancelled(response):
            raise _AlreadyCancelled(from_response(response).message, provider=self.name)
        raise from_response(response, ordering=ordering)


class _AlreadyCancelled(Conflict):
    """A cancellation is pending; never leaves this file."""


def _done(response: httpx.Response) -> None:
    """204 says that it was done; any other success is somebody else's page, and the same may safely be asked again."""
    if response.status_code != 204:
        raise Transient(f"TransIP answered {response.status_code} to a change, not that it was made",
                        provider="transip")  # fmt: skip


def _path(name: str) -> str:
    return f"/vps/{quote(name, safe='')}"


def _objects(body: dict[str, Any], member: str, *, required: bool = False) -> builtins.list[dict[str, Any]]:
    """The objects of a list member. `required`: an answer without it says nothing, and is no proof of an empty list."""
    items = body.get(member)
    if not isinstance(items, list):
        if required:
            raise Transient(f"TransIP answered without '{member}'", provider="transip")
        return []
    return [item for item in items if isinstance(item, dict)]


def from_account(
    account: Account, *, gate: CallGate | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> TransIP:
    """ValueError where the key is none."""
    told = account.configuration
    return TransIP(
        username=text_of(told, "username", ""),
        private_key_pem=account.api_key.get_secret_value(),
        base_url=text_of(told, "base_url", "https://api.transip.nl/v6"),
        default_availability_zone=text_of(told, "default_region", "ams0"),
        default_operating_system=text_of(told, "default_image", "debian-13"),
        late_accept_window=seconds_of(told, "late_accept_seconds", 600.0),
        poll_interval=seconds_of(told, "poll_seconds", 10.0),
        transport=transport,
    )
