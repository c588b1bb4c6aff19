"""One PowerDNS server's HTTP API (https://doc.powerdns.com/authoritative/http-api/): a call and its refusal."""

from __future__ import annotations

from typing import Any

import httpx

from providers.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderError,
    RateLimited,
    Transient,
    Unauthorized,
)

PROVIDER = "powerdns"


class Api:
    """Every call here is safe to repeat or followed by a look, so whatever leaves a doubt is Transient."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        server_id: str = "localhost",
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 10,
    ) -> None:
        # Error bodies are JSON only where Accept names application/json. The environment's proxies and bundles do not
        # apply to a name server's own API.
        self._url = f"{base_url.rstrip('/')}/servers/{server_id}"
        self._http = httpx.AsyncClient(
            headers={"X-API-Key": api_key, "Accept": "application/json"},
            transport=transport,
            timeout=timeout,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: Any = None, *, params: dict[str, str] | None = None) -> Any:
        """The answer's JSON, None where there is no body. Raises from providers/errors.py."""
        try:
            answer = await self._http.request(method, self._url + path, json=body, params=params)
        except httpx.TransportError as error:
            raise Transient(f"the name server's API did not answer: {error!r}", provider=PROVIDER) from error
        if answer.is_success:
            return _json(answer)
        raise _refusal(answer, f"{method} {path or '/'}")


def _json(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise Transient("the name server's API answered something that is not JSON", provider=PROVIDER) from error


def _refusal(answer: httpx.Response, what: str) -> ProviderError:
    """Statuses of the API's documentation, as recorded from 4.7.3."""
    try:
        said = str(answer.json().get("error", ""))
    except (ValueError, AttributeError):
        said = answer.text
    message = f"PowerDNS answered {answer.status_code} to {what}: {said[:500]}"
    match answer.status_code:
        case 401 | 403:
            return Unauthorized(message, provider=PROVIDER)
        case 404:
            return NotFound(message, provider=PROVIDER)
        case 409:
            return Conflict(message, provider=PROVIDER)
        case 422 if "Conflicts with" in said:
            return Conflict(message, provider=PROVIDER)
        case 429:
            wait = answer.headers.get("Retry-After", "")
            return RateLimited(message, provider=PROVIDER, retry_after=float(wait) if wait.isdigit() else None)
        case status if status >= 500:
            return Transient(message, provider=PROVIDER)
        case _:
            return InvalidInput(message, provider=PROVIDER)
