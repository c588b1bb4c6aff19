"""What clients may send. Every name is accepted in camelCase and snake_case (X31); unknown names are refused.

Messages are sentences that name the field and never repeat the value.
"""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, SecretStr, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from db.queries.users import MAX_PASSWORD_BYTES
from domain.ids import RESERVED_SLUGS, is_slug
from domain.servers import ProviderType
from domain.statuses import DeploymentType, Tier


class Asked(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        hide_input_in_errors=True,
    )


def _slug(value: str) -> str:
    if not is_slug(value):
        raise PydanticCustomError(
            "slug",
            "slug must have 3 to 63 lower-case letters, digits or hyphens, begin and end with a letter or digit, "
            "and have no hyphens at its third and fourth place.",
        )
    if value in RESERVED_SLUGS:
        raise PydanticCustomError("slug", "slug is a reserved name; choose another one.")
    return value


def printable(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise PydanticCustomError("control", "Control characters are not allowed.")
    return value


def password_problem(value: str) -> str | None:
    """The policy: 12 characters, or 8 with an upper and a lower case letter, a digit and a symbol."""
    if len(value.encode()) > MAX_PASSWORD_BYTES:
        return f"The password must have at most {MAX_PASSWORD_BYTES} bytes."
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        return "The password must not contain control characters."
    kinds = ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]")
    if len(value) >= 12 or (len(value) >= 8 and all(re.search(kind, value) for kind in kinds)):
        return None
    return (
        "The password must have at least 12 characters, or at least 8 with upper and lower case, a digit and a symbol."
    )


def _password(value: SecretStr) -> SecretStr:
    problem = password_problem(value.get_secret_value())
    if problem:
        raise PydanticCustomError("password", problem)
    return value


Text200 = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(printable)
]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(printable)]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
EnvironmentValue = Annotated[str, StringConstraints(max_length=2000), AfterValidator(printable)]
NewPassword = Annotated[SecretStr, AfterValidator(_password)]


AccountId = Annotated[str, StringConstraints(max_length=64)]
# The cloud says which zones it has; a list of ours would be out of date one day.
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,30}$")]


class ElsewhereToo(Asked):
    """Another place for an order: another cloud, another account, or another region of the same."""

    provider: ProviderType
    provider_id: AccountId | None = None
    region: Region | None = None


class CreateInstance(Asked):
    """Body of POST /api/portal/instances (R001), with what a dry run and other regions need."""

    organization_name: Text200
    slug: Annotated[str, AfterValidator(_slug)]
    tier: Tier
    deployment_model: Literal[DeploymentType.SHARED, DeploymentType.DEDICATED]
    vps_id: uuid.UUID | None = None
    admin_email: EmailStr = Field(max_length=320)
    admin_name: Text200
    admin_password: NewPassword | None = None  # generated when absent
    provider: ProviderType = ProviderType.TRANSIP
    provider_id: AccountId | None = None  # absent: the account that stands for that kind of cloud
    region: Region | None = None
    # Where to order instead, in this order, if a cloud has no room; nothing is paid before.
    fallbacks: list[ElsewhereToo] = Field(default_factory=list, max_length=5)
    # Product-specific, non-secret variables of the application (R208); secrets are generated, never sent.
    environment: dict[EnvironmentName, EnvironmentValue] = Field(default_factory=dict, max_length=50)
    dry_run: bool = False


class Retry(Asked):
    step: Annotated[str, StringConstraints(max_length=40)] | None = None
    changes: dict[str, Any] = Field(default_factory=dict)


class Rollback(Asked):
    reason: Reason = ""


class Termination(Asked):
    immediately: bool = True
    reason: Reason = ""


class Decision(Asked):
    note: Reason = ""


class SweepRequest(Asked):
    """`vouch`: list and rows are right although they look wrong; write them down, touch nothing."""

    provider: Literal[ProviderType.TRANSIP, ProviderType.DIGITALOCEAN, ProviderType.LINODE] = ProviderType.TRANSIP
    vouch: bool = False


class Login(Asked):
    """Source 002, 003 and 004 differ in the name of the login; both are taken (X04)."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    email: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    password: SecretStr = Field(min_length=1, max_length=1024)


class Refresh(Asked):
    refresh_token: SecretStr = Field(min_length=1, max_length=200)


class Logout(Asked):
    refresh_token: SecretStr | None = Field(None, max_length=200)


class PasswordChange(Asked):
    current_password: SecretStr = Field(min_length=1, max_length=1024)
    new_password: NewPassword


class PasswordForgotten(Asked):
    email: str = Field(min_length=3, max_length=320)


class PasswordReset(Asked):
    token: SecretStr = Field(min_length=1, max_length=200)
    new_password: NewPassword
