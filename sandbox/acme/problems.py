"""Error documents of the CA (RFC 8555 §6.7, RFC 7807)."""

from __future__ import annotations

from typing import Any

PREFIX = "urn:ietf:params:acme:error:"


class Problem(Exception):
    def __init__(
        self, kind: str, detail: str, status: int = 400, *, headers: dict[str, str] | None = None, **more: Any
    ):
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.status = status
        self.headers = headers or {}
        self.more = more

    def document(self) -> dict[str, Any]:
        return {"type": PREFIX + self.kind, "detail": self.detail, "status": self.status, **self.more}
