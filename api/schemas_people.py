"""What may be sent about people: new ones, changes of them, and one's own profile (R108, R110–R116)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.schemas import Asked, NewPassword, Text200, printable
from domain.statuses import Role

MAX_AT_ONCE = 100
_ALIASES = {"ADMIN": Role.ADMINISTRATOR.value}


class AccountStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class BulkAction(StrEnum):
    ACTIVATE = "activate"
    DISABLE = "disable"
    ROLE = "role"


def _role(value: object) -> object:
    """The documents say admin and user, also in lower case (X06)."""
    if not isinstance(value, str):
        return value
    name = value.strip().upper()
    return _ALIASES.get(name, name)


RoleName = Annotated[Role, BeforeValidator(_role)]
# No "@": a username can never be somebody else's e-mail, since people sign in with either.
Username = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
SearchText = Annotated[str, StringConstraints(max_length=200), AfterValidator(printable)]
# Not UUIDs: an id that cannot be one of ours is that id's own failure, not everybody's.
Ref = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(printable)]


class UserCreate(Asked):
    """`username` is made from the e-mail when absent. A `password` must be changed at the first sign-in; without it
    the person is invited: a link by mail, to choose one."""

    name: Text200
    email: EmailStr = Field(max_length=320)
    password: NewPassword | None = None
    role: RoleName
    username: Username | None = None
    organization_id: Ref | None = None


class Register(Asked):
    """R105. Answers never say whether the address is known."""

    name: Text200
    email: EmailStr = Field(max_length=320)
    password: NewPassword
    confirm_password: SecretStr

    @field_validator("confirm_password")
    @classmethod
    def _same(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if "password" in info.data and value != info.data["password"]:
            raise PydanticCustomError("differs", "The two passwords differ.")
        return value


class RegistrationConfirm(Asked):
    """The token of the mail's link, and the password that was chosen: neither alone opens an account."""

    token: SecretStr = Field(min_length=1, max_length=200)
    password: SecretStr = Field(min_length=1, max_length=200)


class UserChange(Asked):
    name: Text200 | None = None
    role: RoleName | None = None

    @model_validator(mode="after")
    def _something(self) -> UserChange:
        if self.name is None and self.role is None:
            raise PydanticCustomError("empty", "Say at least one of name and role.")
        return self


class RoleChange(Asked):
    role: RoleName


class StatusChange(Asked):
    status: AccountStatus


class Bulk(Asked):
    """`role` belongs to the action of that name, and to no other."""

    ids: list[Ref] = Field(min_length=1, max_length=MAX_AT_ONCE)
    action: BulkAction
    role: RoleName | None = None


class ProfileChange(Asked):
    name: Text200 | None = None
    email: EmailStr | None = Field(None, max_length=320)

    @model_validator(mode="after")
    def _something(self) -> ProfileChange:
        if self.name is None and self.email is None:
            raise PydanticCustomError("empty", "Say at least one of name and email.")
        return self
