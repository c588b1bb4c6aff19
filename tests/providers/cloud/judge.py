"""The official specification as a judge: a transport that reports every request and answer that violates it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import httpx
import yaml
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from werkzeug.datastructures import Headers, ImmutableMultiDict

SPEC = Path(__file__).parent / "specs" / "transip.yaml"


@cache
def specification() -> OpenAPI:
    return OpenAPI.from_dict(yaml.safe_load(SPEC.read_text()))


class Asked:
    """An httpx request in openapi-core's terms, as if it had gone to TransIP itself."""

    def __init__(self, request: httpx.Request) -> None:
        self.host_url = "https://api.transip.nl"
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


class Judge(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self._network = httpx.AsyncHTTPTransport()
        self.judged: list[tuple[str, str, int]] = []
        self.violations: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        response = await self._network.handle_async_request(request)
        await response.aread()
        asked = Asked(request)
        self.judged.append((request.method, request.url.path, response.status_code))
        try:
            specification().validate_request(asked)
            specification().validate_response(asked, Answered(response))
        except Exception as error:
            cause = error.__cause__ or error
            details = getattr(cause, "schema_errors", None) or [cause]
            what = f"{request.method} {request.url.path} {response.status_code}"
            self.violations += [f"{what}: {type(error).__name__}: {str(detail)[:300]}" for detail in details]
        return response

    async def aclose(self) -> None:
        await self._network.aclose()
