"""Who may call a cloud whose tokens are made in its own web pages: one token opens one account, until it is revoked."""

from __future__ import annotations

import hmac
import re

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sandbox.clouds.store import Store


class Revoked(BaseModel):
    account: str


class Accounts:
    """`tokens` maps the names of accounts to their tokens."""

    def __init__(self, store: Store, tokens: dict[str, str]) -> None:
        for name, token in tokens.items():
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,24}", name):
                raise ValueError(f"'{name}' cannot be the name of an account of the sandbox")
            if not token.isascii() or len(token) < 8:
                raise ValueError(f"the token of the account '{name}' is too short, or not plain ASCII")
        self._store = store
        self._tokens = dict(tokens)

    def of(self, authorization: str) -> str | None:
        """The account that an Authorization header opens."""
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer" or not text.isascii():
            return None
        for name, token in self._tokens.items():
            if hmac.compare_digest(token, text.strip()):
                return None if self._store.get(Revoked, name) else name
        return None

    async def act(self, request: Request) -> Response:
        """For the admin: `revoke` the token of the account in the path, or `restore` it."""
        name, verb = request.path_params["name"], request.path_params["verb"]
        if name not in self._tokens or verb not in {"revoke", "restore"}:
            raise HTTPException(404)
        if verb == "revoke":
            self._store.put(name, Revoked(account=name))
        else:
            self._store.delete(Revoked, name)
        return Response(status_code=204)
