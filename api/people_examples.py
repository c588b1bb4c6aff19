"""Examples about people for the API's own documentation (R111 and the bulk route)."""

from __future__ import annotations

from typing import Any

from api.examples import described

CREATE_REQUEST: dict[str, Any] = {
    "name": "John Doe",
    "email": "john@example.com",
    "password": "SecurePass123!",
    "role": "USER",
}
REGISTER_REQUEST: dict[str, Any] = {
    "name": "John Doe",
    "email": "john@example.com",
    "password": "SecurePass123!",
    "confirmPassword": "SecurePass123!",
}
USER: dict[str, Any] = {
    "id": "user-uuid",
    "username": "john",
    "email": "john@example.com",
    "name": "John Doe",
    "role": "USER",
    "is_active": True,
    "must_change_password": True,
    "organization_id": None,
    "created_at": "2025-01-19T10:30:00Z",
}
CREATED = described("The user, who must change the password first", {"message": "User created", "user": USER})
REGISTERED = described("The account, which may sign in", {"message": "Account opened; sign in with your password",
                       "user": USER | {"must_change_password": False}})  # fmt: skip
BULK_REQUEST: dict[str, Any] = {"ids": ["user-uuid", "another-uuid"], "action": "role", "role": "SUPPORT"}
BULK = described(
    "What became of each",
    {
        "message": "1 of 2 changed",
        "results": [
            {"id": "user-uuid", "ok": True, "user": USER | {"role": "SUPPORT"}},
            {"id": "another-uuid", "ok": False, "code": "NOT_FOUND", "error": "There is no user 'another-uuid'."},
        ],
        "succeeded": 1,
        "failed": 1,
    },
)
