"""The official specification as a judge: a transport that reports every request and answer that violates it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

FOLDERS = (Path(__file__).parent / "specs", Path(__file__).parents[2] / "specs")
HOSTS = {
    "transip": "https://api.transip.nl",
    "digitalocean": "https://api.digitalocean.com",
    "linode": "https://api.linode.com",
}
ANSWERS = {"linode": "linode-relaxed"}  # what is published of Linode's answers is not what it answers


@cache
def specification(name: str) -> OpenAPI:
    path = next(folder / f"{name}.yaml" for folder in FOLDERS if (folder / f"{name}.yaml").exists())
    document = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    if name.startswith("linode"):
        _as_linode_means_it(document)
    if name == "digitalocean":
        for part in ("ssh_key_id", "ssh_key_fingerprint"):
            document["components"]["schemas"][part].pop("readOnly")  # both are also what a path may hold
    return OpenAPI.from_dict(document)


def _as_linode_means_it(document: dict[str, Any]) -> None:
    """Two things no request could satisfy as they are published: an order is all of two closed objects, and the filter
    is a header whose text is an object."""
    order = document["paths"]["/linode/instances"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    properties = {name: shape for part in order.pop("allOf") for name, shape in part["properties"].items()}
    order |= {"type": "object", "properties": properties, "additionalProperties": False}
    for path in document["paths"].values():
        for parameter in path.get("get", {}).get("parameters", []):
            if parameter.get("name") == "X-Filter":
                parameter.pop("schema")
                parameter["content"] = {"application/json": {"schema": {"type": "object"}}}


class Asked:
    """An httpx request in openapi-core's terms, as if it had gone to the cloud itself."""

    def __init__(self, request: httpx.Request, cloud: str) -> None:
        self.host_url = HOSTS[cloud]
        self.path = request.url.path
        self.method = request.method.lower()
        self.body = request.content or None
        self.content_type = request.headers.get("Content-Type", "application/json")
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(request.url.params.multi_items()), header=Headers(request.headers.multi_items())
        )


class Answered:
    def __init__(self, response: httpx.Response) -> None:
        self.status_code = response.status_code
        self.data = response.content
        self.headers = Headers(response.headers.multi_items())
        self.content_type = response.headers.get("Content-Type", "application/json")


def violations(request: httpx.Request, response: httpx.Response | None, cloud: str) -> list[str]:
    """What a call violates; without an answer only the request is judged."""
    asked, found = Asked(request, cloud), []
    for part in ("request", "answer"):
        try:
            if part == "request":
                specification(cloud).validate_request(asked)
            elif response is not None:
                specification(ANSWERS.get(cloud, cloud)).validate_response(asked, Answered(response))
        except Exception as error:
            cause = error.__cause__ or error
            details = getattr(cause, "schema_errors", None) or [cause]
            what = f"{part} {request.method} {request.url.path} {response.status_code if response else ''}"
            found += [f"{what}: {type(error).__name__}: {str(detail)[:300]}" for detail in details]
    return found


class Judge(httpx.AsyncBaseTransport):
    def __init__(self, cloud: str = "transip") -> None:
        self._cloud = cloud
        self._network = httpx.AsyncHTTPTransport()
        self.judged: list[tuple[str, str, int]] = []
        self.violations: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        response = await self._network.handle_async_request(request)
        await response.aread()
        self.judged.append((request.method, request.url.path, response.status_code))
        self.violations += violations(request, response, self._cloud)
        return response

    async def aclose(self) -> None:
        await self._network.aclose()
