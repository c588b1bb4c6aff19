"""The routes beside `/droplets`: account, SSH keys, tags, images, sizes, regions and 1-Click applications."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.clouds import keys
from sandbox.clouds.store import Store
from sandbox.digitalocean import catalogue, wire
from sandbox.digitalocean.orders import TAG, remember_tags
from sandbox.digitalocean.records import Droplet, Limits, SshKey, Tag
from sandbox.digitalocean.wire import NOT_FOUND, Refusal


class General:
    def __init__(self, store: Store, limits: dict[str, Limits]) -> None:
        self._store = store
        self._limits = limits

    def routes(self) -> list[BaseRoute]:
        key, tag = "/account/keys/{key}", "/tags/{tag}"
        return [
            Route("/account", self.account, methods=["GET"]),
            Route("/account/keys", self.keys, methods=["GET"]),
            Route("/account/keys", self.add_key, methods=["POST"]),
            Route(key, self.key, methods=["GET"]),
            Route(key, self.rename_key, methods=["PUT"]),
            Route(key, self.delete_key, methods=["DELETE"]),
            Route("/tags", self.tags, methods=["GET"]),
            Route("/tags", self.add_tag, methods=["POST"]),
            Route(tag, self.tag, methods=["GET"]),
            Route(tag, self.delete_tag, methods=["DELETE"]),
            Route(tag + "/resources", self.assign, methods=["POST", "DELETE"]),
            Route("/images", self.images, methods=["GET"]),
            Route("/images/{image}", self.image, methods=["GET"]),
            Route("/sizes", self.sizes, methods=["GET"]),
            Route("/regions", self.regions, methods=["GET"]),
            Route("/1-clicks", self.one_clicks, methods=["GET"]),
        ]

    async def account(self, request: Request) -> Response:
        name: str = request.scope["account"]
        shown = {
            "droplet_limit": self._limits[name].droplets,
            "floating_ip_limit": 3,
            "email": f"{name}@example.com",
            "name": name,
            "uuid": uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.digitalocean").hex,
            "email_verified": True,
            "status": "active",
            "status_message": "",
            "team": {"uuid": uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.team").hex, "name": "My Team"},
        }
        return wire.answer({"account": shown})

    # ---- SSH keys

    async def keys(self, request: Request) -> Response:
        return wire.listed(request, "ssh_keys", [wire.ssh_key(key) for key in self._keys(request)])

    async def add_key(self, request: Request) -> Response:
        body = await wire.body_of(request)
        name, text = body.get("name"), body.get("public_key")
        if not isinstance(name, str) or not name:
            raise Refusal(422, "Name can't be blank")
        blob = keys.blob_of(text) if isinstance(text, str) else b""
        if not blob:
            raise Refusal(422, "Fingerprint could not be generated, please make sure your key is valid")
        fingerprint = keys.fingerprint(blob)
        if any(key.fingerprint == fingerprint for key in self._keys(request)):
            raise Refusal(422, "SSH Key is already in use on your account")
        with self._store.transaction():
            number = 40_000_000 + self._store.next("ssh key")
            key = SshKey(id=number, account=request.scope["account"], name=name, public_key=str(text).strip(),
                         fingerprint=fingerprint)  # fmt: skip
            self._store.put(str(number), key)
        return wire.answer({"ssh_key": wire.ssh_key(key)}, 201)

    async def key(self, request: Request) -> Response:
        return wire.answer({"ssh_key": wire.ssh_key(self._key(request))})

    async def rename_key(self, request: Request) -> Response:
        name = (await wire.body_of(request)).get("name")
        if not isinstance(name, str) or not name:
            raise Refusal(422, "Name can't be blank")
        key = self._key(request).model_copy(update={"name": name})
        self._store.put(str(key.id), key)
        return wire.answer({"ssh_key": wire.ssh_key(key)})

    async def delete_key(self, request: Request) -> Response:
        self._store.delete(SshKey, str(self._key(request).id))
        return wire.done()

    # ---- tags

    async def tags(self, request: Request) -> Response:
        names = [tag.name for tag in self._store.all(Tag) if tag.account == request.scope["account"]]
        return wire.listed(request, "tags", [self._tag(request, name) for name in names])

    async def add_tag(self, request: Request) -> Response:
        name = (await wire.body_of(request)).get("name")
        if not isinstance(name, str) or not TAG.fullmatch(name):
            raise Refusal(422, "Tags may contain letters, numbers, colons, dashes, and underscores.")
        remember_tags(self._store, request.scope["account"], [name])
        return wire.answer({"tag": self._tag(request, name)}, 201)

    async def tag(self, request: Request) -> Response:
        return wire.answer({"tag": self._tag(request, self._known_tag(request))})

    async def delete_tag(self, request: Request) -> Response:
        """Also from everything that carries it."""
        name = self._known_tag(request)
        with self._store.transaction():
            for droplet in self._tagged(request, name):
                self._retag(droplet, [tag for tag in droplet.tags if tag != name])
            self._store.delete(Tag, f"{request.scope['account']}/{name}")
        return wire.done()

    async def assign(self, request: Request) -> Response:
        """Tag (POST) or untag (DELETE) droplets. A lock of a droplet does not matter here."""
        name = self._known_tag(request)
        given = (await wire.body_of(request)).get("resources")
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise Refusal(422, "resources must be a list of objects with resource_id and resource_type.")
        wanted = {str(one.get("resource_id")) for one in given if one.get("resource_type") == "droplet"}
        found = {str(droplet.id): droplet for droplet in self._droplets(request)}
        if len(wanted) < len(given) or not wanted <= found.keys():
            raise Refusal(404, NOT_FOUND)
        with self._store.transaction():
            for number in wanted:
                without = [tag for tag in found[number].tags if tag != name]
                self._retag(found[number], [*without, name] if request.method == "POST" else without)
        return wire.done()

    # ---- what is sold

    async def images(self, request: Request) -> Response:
        kind, private = request.query_params.get("type"), request.query_params.get("private") == "true"
        found = [image for image in catalogue.IMAGES
                 if (not private or image.kind == "private") and kind in {None, image.kind}]  # fmt: skip
        return wire.listed(request, "images", [catalogue.image(image) for image in found])

    async def image(self, request: Request) -> Response:
        image = catalogue.image_of(request.path_params["image"])
        if image is None:
            raise Refusal(404, NOT_FOUND)
        return wire.answer({"image": catalogue.image(image)})

    async def sizes(self, request: Request) -> Response:
        return wire.listed(request, "sizes", [catalogue.size(size) for size in catalogue.SIZES.values()])

    async def regions(self, request: Request) -> Response:
        slugs = [*catalogue.REGIONS, *catalogue.CLOSED]
        return wire.listed(request, "regions", [catalogue.region(slug) for slug in slugs])

    async def one_clicks(self, request: Request) -> Response:
        """Not in pages."""
        return wire.answer({"1_clicks": catalogue.one_clicks(request.query_params.get("type"))})

    # ----

    def _keys(self, request: Request) -> list[SshKey]:
        return [key for key in self._store.all(SshKey) if key.account == request.scope["account"]]

    def _key(self, request: Request) -> SshKey:
        """By id or fingerprint."""
        for key in self._keys(request):
            if request.path_params["key"] in {str(key.id), key.fingerprint}:
                return key
        raise Refusal(404, NOT_FOUND)

    def _droplets(self, request: Request) -> list[Droplet]:
        return [one for one in self._store.all(Droplet) if one.account == request.scope["account"] and one.living]

    def _tagged(self, request: Request, name: str) -> list[Droplet]:
        return [droplet for droplet in self._droplets(request) if name in droplet.tags]

    def _known_tag(self, request: Request) -> str:
        name: str = request.path_params["tag"]
        if self._store.get(Tag, f"{request.scope['account']}/{name}") is None:
            raise Refusal(404, NOT_FOUND)
        return name

    def _tag(self, request: Request, name: str) -> dict[str, Any]:
        return wire.tag(name, self._tagged(request, name), str(request.base_url).rstrip("/"))

    def _retag(self, droplet: Droplet, tags: list[str]) -> None:
        self._store.put(droplet.name, droplet.model_copy(update={"tags": tags}))
