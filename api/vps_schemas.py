"""What clients may send about bare servers (R011, R012, R015)."""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.schemas import Asked, NewPassword
from domain.servers import PowerAction, ProviderType

MAX_USER_DATA = 48 * 1024  # TransIP's limit, the narrowest
_LABEL = re.compile(r"[A-Za-z](?!.*(?:--|\.\.))[A-Za-z0-9.-]{1,62}[A-Za-z0-9]")


def _label(value: str) -> str:
    if _LABEL.fullmatch(value) is None:
        raise PydanticCustomError(
            "label",
            "label must have 3 to 64 letters, digits, dots or hyphens, begin with a letter, end with a letter or "
            "digit, and have no two dots or hyphens in a row.",
        )
    return value


def _user_data(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) > MAX_USER_DATA:
        raise PydanticCustomError("user_data", "userData must have at most 48 KiB.")
    return value


Label = Annotated[str, AfterValidator(_label)]
# The cloud says which it has; a pattern keeps what cannot be one out of addresses and messages.
Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:-]{1,50}$")]
SshKey = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,100}$")]


class CreateServer(Asked):
    """Body of POST /api/vps: the documented DigitalOcean and Linode bodies, and the same for TransIP."""

    provider_type: ProviderType
    # The account; absent: the one that stands for that kind of cloud.
    provider_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    organization_id: uuid.UUID | None = None  # for staff; a customer's servers are the customer's
    label: Label
    type: Slug
    region: Slug
    image: Slug | None = None  # absent: the cloud's default system
    root_password: NewPassword | None = None
    ssh_keys: list[SshKey] = Field(default_factory=list, max_length=20)
    backups: bool = False
    monitoring: bool = False
    ipv6: bool = False
    private_ip: bool = Field(False, alias="privateIP")
    vpc_uuid: uuid.UUID | None = None
    app_slug: Slug | None = None
    stackscript_id: int | None = Field(None, ge=1)
    stackscript_data: dict[FieldName, Annotated[str, StringConstraints(max_length=5000)]] = Field(
        default_factory=dict, max_length=50, repr=False
    )
    user_data: Annotated[SecretStr, AfterValidator(_user_data)] | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=20)

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        if self.root_password is None and not self.ssh_keys:
            raise PydanticCustomError("access", "sshKeys or rootPassword is required: nobody could sign in otherwise.")
        if self.stackscript_data and self.stackscript_id is None:
            raise PydanticCustomError("stackscript", "stackscriptData needs a stackscriptId.")
        return self


# Fields that only some clouds know. Sent to another one they are refused rather than forgotten.
ONLY_AT: dict[str, frozenset[ProviderType]] = {
    "vpc_uuid": frozenset({ProviderType.DIGITALOCEAN}),
    "app_slug": frozenset({ProviderType.DIGITALOCEAN}),
    "monitoring": frozenset({ProviderType.DIGITALOCEAN}),
    "stackscript_id": frozenset({ProviderType.LINODE}),
    "private_ip": frozenset({ProviderType.LINODE}),
    "backups": frozenset({ProviderType.DIGITALOCEAN, ProviderType.LINODE}),
    "ipv6": frozenset({ProviderType.DIGITALOCEAN, ProviderType.LINODE}),
}

ACTIONS: dict[str, PowerAction] = {"boot": PowerAction.POWER_ON} | {str(action): action for action in PowerAction}
DELETE = "delete"


class AskAction(Asked):
    """Body of POST /api/vps/{id}/action. Any text, so that an unknown one gets its own code, INVALID_ACTION."""

    action: Annotated[str, StringConstraints(max_length=40)]
