"""The routes beside `/vps`: test call, products, zones, systems, actions and SSH keys."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.clouds import keys
from sandbox.clouds.store import Store
from sandbox.transip import catalogue, wire
from sandbox.transip.records import Action, SshKey
from sandbox.transip.wire import Refusal


class General:
    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/api-test", self.api_test, methods=["GET"]),
            Route("/products", self.products, methods=["GET"]),
            Route("/products/{name}/elements", self.elements, methods=["GET"]),
            Route("/availability-zones", self.zones, methods=["GET"]),
            Route("/operating-systems", self.operating_systems, methods=["GET"]),
            Route("/actions", self.actions, methods=["GET"]),
            Route("/actions/{uuid}", self.action, methods=["GET"]),
            # The specification and the Go SDK differ; both are served.
            Route("/actions/{uuid}/children", self.children, methods=["GET"]),
            Route("/actions/children/{uuid}", self.children, methods=["GET"]),
            Route("/ssh-keys", self.keys, methods=["GET"]),
            Route("/ssh-keys", self.add_key, methods=["POST"]),
            Route("/ssh-keys/{id}", self.key, methods=["GET"]),
            Route("/ssh-keys/{id}", self.change_key, methods=["PUT"]),
            Route("/ssh-keys/{id}", self.delete_key, methods=["DELETE"]),
        ]

    async def api_test(self, request: Request) -> Response:
        return wire.read(request, ping="pong")

    async def products(self, request: Request) -> Response:
        return wire.read(request, products=catalogue.products())

    async def elements(self, request: Request) -> Response:
        product = catalogue.BY_NAME.get(request.path_params["name"])
        if product is None:
            raise Refusal(404, f"Product with name '{request.path_params['name']}' not found")
        return wire.read(request, productElements=catalogue.elements(product))

    async def zones(self, request: Request) -> Response:
        return wire.read(request, availabilityZones=catalogue.zones())

    async def operating_systems(self, request: Request) -> Response:
        product = request.query_params.get("productName")
        if product is not None and product not in catalogue.BY_NAME:
            raise Refusal(406, f"The provided parameter 'productName' is not a valid VPS product: '{product}'")
        return wire.read(request, operatingSystems=catalogue.operating_systems())

    async def actions(self, request: Request) -> Response:
        """Running ones only. The filter takes effect only with both of its parts."""
        found = [action for action in self._actions(request) if action.running]
        resource, kind = (request.query_params.get(name) for name in ("resourceIdentifier", "resourceType"))
        if resource is not None and kind is not None:
            found = [action for action in found if kind == "vps" and action.resource == resource]
        return wire.read(request, actions=wire.page_of(request, [wire.action(action) for action in found]))

    async def action(self, request: Request) -> Response:
        for action in self._actions(request):
            if action.uuid == request.path_params["uuid"]:
                return wire.read(request, action=wire.action(action))
        raise Refusal(404, f"Event with uuid '{request.path_params['uuid']}' not found")

    async def children(self, request: Request) -> Response:
        found = [action for action in self._actions(request) if action.parent == request.path_params["uuid"]]
        return wire.read(request, actions=[wire.action(action) for action in found])

    async def keys(self, request: Request) -> Response:
        shown = [wire.ssh_key(key, fingerprint(key.key)) for key in self._keys(request)]
        return wire.read(request, sshKeys=wire.page_of(request, shown))

    async def add_key(self, request: Request) -> Response:
        body = await wire.body_of(request)
        text = wire.text_of(body, "sshKey").strip()
        description = wire.text_of(body, "description", longest=255)
        default = body.get("isDefault") is True
        if not fingerprint(text):
            raise Refusal(406, "The provided parameter 'sshKey' is not a valid SSH key")
        if any(fingerprint(key.key) == fingerprint(text) for key in self._keys(request)):
            raise Refusal(403, "The provided SSH key already exists")
        with self._store.transaction():
            number = self._store.next("ssh key")
            key = SshKey(id=number, login=request.scope["login"], key=text, description=description,
                         default=default, created_at=time.time())  # fmt: skip
            self._store.put(str(number), key)
        return wire.created()

    async def key(self, request: Request) -> Response:
        key = self._key(request)
        return wire.read(request, sshKey=wire.ssh_key(key, fingerprint(key.key)))

    async def change_key(self, request: Request) -> Response:
        body = await wire.body_of(request)
        key = self._key(request)
        changes = {
            "description": wire.text_of(body, "description", default=key.description, longest=255),
            "default": body.get("isDefault", key.default) is True,
        }
        self._store.put(str(key.id), key.model_copy(update=changes))
        return wire.done()

    async def delete_key(self, request: Request) -> Response:
        self._store.delete(SshKey, str(self._key(request).id))
        return wire.done()

    def _actions(self, request: Request) -> list[Action]:
        return [action for action in self._store.all(Action) if action.login == request.scope["login"]]

    def _keys(self, request: Request) -> list[SshKey]:
        return [key for key in self._store.all(SshKey) if key.login == request.scope["login"]]

    def _key(self, request: Request) -> SshKey:
        for key in self._keys(request):
            if str(key.id) == request.path_params["id"]:
                return key
        raise Refusal(404, f"SSH Key with id '{request.path_params['id']}' not found")


def fingerprint(key: str) -> str:
    """MD5 of the key's blob, as TransIP shows it; empty for what is no key."""
    # The documentation's own example is cut in the middle: what is no base64 is taken as it is.
    blob = keys.blob_of(key) or "".join(key.split()[1:2]).encode()
    return keys.fingerprint(blob) if blob else ""
