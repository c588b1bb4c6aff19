"""The routes beside `/linode/instances`: types, regions, images, StackScripts, events, tags, profile and account."""

from __future__ import annotations

import time
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.clouds.store import Store
from sandbox.linode import catalogue, wire
from sandbox.linode.filters import filtered
from sandbox.linode.orders import remember_tags, scripts_of, tags_of
from sandbox.linode.records import Event, Linode, StackScript, Tag
from sandbox.linode.wire import NOT_FOUND, Refusal

# What may be filtered by, as Linode's own command line knows it.
TYPES = {"accelerated_devices", "class", "disk", "gpus", "label", "memory", "network_out", "transfer", "vcpus"}
REGIONS = {"country", "site_type"}
IMAGES = {"deprecated", "is_public", "is_shared", "label", "size", "status", "tags", "type", "vendor"}
SCRIPTS = {"deployments_total", "description", "is_public", "label", "mine", "rev_note"}
EVENTS = {"action", "created", "entity.id", "entity.type", "id"}
SCRIPT_MEMBERS = {"description", "images", "is_public", "label", "rev_note", "script"}
FIRST_SCRIPT = 1_400_000


class General:
    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        script = "/linode/stackscripts/{id:int}"
        return [
            Route("/linode/types", self.types, methods=["GET"]),
            Route("/linode/types/{id}", self.type, methods=["GET"]),
            Route("/linode/stackscripts", self.stackscripts, methods=["GET"]),
            Route("/linode/stackscripts", self.add_stackscript, methods=["POST"]),
            Route(script, self.stackscript, methods=["GET"]),
            Route(script, self.change_stackscript, methods=["PUT"]),
            Route(script, self.delete_stackscript, methods=["DELETE"]),
            Route("/regions", self.regions, methods=["GET"]),
            Route("/regions/{id}", self.region, methods=["GET"]),
            Route("/images", self.images, methods=["GET"]),
            Route("/images/{id:path}", self.image, methods=["GET"]),
            Route("/account", self.account, methods=["GET"]),
            Route("/account/events", self.events, methods=["GET"]),
            Route("/account/events/{id:int}", self.event, methods=["GET"]),
            Route("/profile", self.profile, methods=["GET"]),
            Route("/tags", self.tags, methods=["GET"]),
            Route("/tags", self.add_tag, methods=["POST"]),
            Route("/tags/{label}", self.delete_tag, methods=["DELETE"]),
        ]

    # ---- what is sold

    async def types(self, request: Request) -> Response:
        return _listed(request, [catalogue.plan(plan) for plan in catalogue.PLANS.values()], TYPES)

    async def type(self, request: Request) -> Response:
        return _one(request, {plan.id: catalogue.plan(plan) for plan in catalogue.PLANS.values()})

    async def regions(self, request: Request) -> Response:
        return _listed(request, [catalogue.region(slug) for slug in catalogue.REGIONS], REGIONS)

    async def region(self, request: Request) -> Response:
        return _one(request, {slug: catalogue.region(slug) for slug in catalogue.REGIONS})

    async def images(self, request: Request) -> Response:
        return _listed(request, [catalogue.image(image) for image in catalogue.IMAGES.values()], IMAGES)

    async def image(self, request: Request) -> Response:
        return _one(request, {image.id: catalogue.image(image) for image in catalogue.IMAGES.values()})

    # ---- StackScripts

    async def stackscripts(self, request: Request) -> Response:
        account = request.scope["account"]
        return _listed(request, [wire.stackscript(one, account) for one in scripts_of(self._store, account)], SCRIPTS)

    async def stackscript(self, request: Request) -> Response:
        account = request.scope["account"]
        return _one(request, {one.id: wire.stackscript(one, account) for one in scripts_of(self._store, account)})

    async def add_stackscript(self, request: Request) -> Response:
        members = _script(await wire.body_of(request, SCRIPT_MEMBERS))
        for name in ("label", "images", "script"):
            if name not in members:
                raise Refusal(f"{name} is required", name)
        now = time.time()
        with self._store.transaction():
            number = FIRST_SCRIPT + self._store.next("stackscript")
            script = StackScript(id=number, account=request.scope["account"], created_at=now, updated_at=now,
                                 **members)  # fmt: skip
            self._store.put(str(number), script)
        return wire.answer(wire.stackscript(script, script.account))

    async def change_stackscript(self, request: Request) -> Response:
        members = _script(await wire.body_of(request, SCRIPT_MEMBERS))
        changed = self._own_script(request).model_copy(update={**members, "updated_at": time.time()})
        self._store.put(str(changed.id), changed)
        return wire.answer(wire.stackscript(changed, changed.account))

    async def delete_stackscript(self, request: Request) -> Response:
        self._store.delete(StackScript, str(self._own_script(request).id))
        return wire.answer({})

    # ---- the account

    async def account(self, request: Request) -> Response:
        name: str = request.scope["account"]
        texts = ("first_name", "last_name", "address_1", "address_2", "city", "state", "zip", "phone", "tax_id")
        shown: dict[str, Any] = {
            **dict.fromkeys(texts, ""),
            "company": name,
            "email": f"{name}@example.com",
            "country": "NL",
            "balance": 0.0,
            "balance_uninvoiced": 0.0,
            "billing_source": "linode",
            "credit_card": {"last_four": None, "expiry": None},
            "active_since": catalogue.CREATED,
            "capabilities": ["Linodes", "Cloud Firewall", "Vlans", "VPCs", "Machine Images"],
            "active_promotions": [],
            "euuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.linode")).upper(),
        }
        return wire.answer(shown)

    async def profile(self, request: Request) -> Response:
        name: str = request.scope["account"]
        shown: dict[str, Any] = {
            "uid": 6_000_000 + sum(name.encode()),
            "username": name,
            "email": f"{name}@example.com",
            "verified_phone_number": None,
            "timezone": "GMT",
            "email_notifications": True,
            "referrals": {"code": "", "url": "", "total": 0, "completed": 0, "pending": 0, "credit": 0},
            "ip_whitelist_enabled": False,
            "lish_auth_method": "password_keys",
            "authorized_keys": None,
            "two_factor_auth": True,
            "restricted": False,
            "authentication_type": "password",
            "user_type": "default",
        }
        return wire.answer(shown)

    async def events(self, request: Request) -> Response:
        """The newest first."""
        return _listed(request, self._events(request)[::-1], EVENTS)

    async def event(self, request: Request) -> Response:
        return _one(request, {event["id"]: event for event in self._events(request)})

    # ---- tags

    async def tags(self, request: Request) -> Response:
        mine = [tag for tag in self._store.all(Tag) if tag.account == request.scope["account"]]
        return _listed(request, [{"label": tag.label} for tag in mine], set())

    async def add_tag(self, request: Request) -> Response:
        body = await wire.body_of(request, {"domains", "label", "linodes", "nodebalancers", "volumes"})
        (label,) = tags_of([body.get("label")])
        with self._store.transaction():
            remember_tags(self._store, request.scope["account"], [label])
            for linode in self._linodes(request):
                if linode.id in (body.get("linodes") or []) and label not in linode.tags:
                    self._store.put(linode.name, linode.model_copy(update={"tags": [*linode.tags, label]}))
        return wire.answer({"label": label})

    async def delete_tag(self, request: Request) -> Response:
        """Also from everything that carries it."""
        label = request.path_params["label"]
        key = f"{request.scope['account']}/{label}"
        if self._store.get(Tag, key) is None:
            raise Refusal(NOT_FOUND, status=404)
        with self._store.transaction():
            self._store.delete(Tag, key)
            for linode in self._linodes(request):
                tags = [tag for tag in linode.tags if tag != label]
                self._store.put(linode.name, linode.model_copy(update={"tags": tags}))
        return wire.answer({})

    # ----

    def _linodes(self, request: Request) -> list[Linode]:
        return [one for one in self._store.all(Linode) if one.account == request.scope["account"] and one.living]

    def _events(self, request: Request) -> list[dict[str, Any]]:
        account = request.scope["account"]
        return [wire.event(event, account) for event in self._store.all(Event) if event.account == account]

    def _own_script(self, request: Request) -> StackScript:
        script = self._store.get(StackScript, str(request.path_params["id"]))
        if script is None or script.account != request.scope["account"]:
            raise Refusal(NOT_FOUND, status=404)
        return script


def _listed(request: Request, items: list[dict[str, Any]], filters: set[str]) -> Response:
    return wire.listed(request, filtered(request.headers.get("X-Filter"), items, filters))


def _one(request: Request, items: dict[Any, dict[str, Any]]) -> Response:
    found = items.get(request.path_params["id"])
    if found is None:
        raise Refusal(NOT_FOUND, status=404)
    return wire.answer(found)


def _script(body: dict[str, Any]) -> dict[str, Any]:
    """Checked members of a StackScript."""
    label, images, script = body.get("label", "   "), body.get("images", []), body.get("script", "#!")
    if not isinstance(label, str) or not 3 <= len(label) <= 128:
        raise Refusal("Length must be 3-128 characters", "label")
    if not isinstance(images, list) or not all(image in catalogue.IMAGES for image in images):
        raise Refusal("images is not valid", "images")
    if not isinstance(script, str) or not script.startswith("#!"):
        raise Refusal("script must start with a '#!'", "script")
    return body
