"""What administrators may send about accounts at clouds and the plans sold from them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.schemas import Asked, Text200, printable
from domain.servers import ProviderType
from domain.statuses import Tier

MAX_KEY = 16_384  # characters; the longest there is, a PEM text of 8192 bits, has less than half of it
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_PEM = re.compile(r"-----BEGIN (RSA )?PRIVATE KEY-----.+-----END (RSA )?PRIVATE KEY-----", re.DOTALL)


def _address(value: str) -> str:
    """Keys travel there: only encrypted, or on this machine."""
    try:
        parts = urlsplit(value)
        known = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        plain = bool(parts.hostname) and parts.username is None and not parts.query and not parts.fragment
        parts.port  # noqa: B018 - raises where it is none
    except ValueError:
        known = plain = False
    if not (known and plain):
        raise PydanticCustomError("address", "base_url must be an https address without a user, query or fragment.")
    return value.rstrip("/")


def _key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if any(ord(character) < 32 and character not in "\r\n\t" for character in text):
        raise PydanticCustomError("control", "Control characters are not allowed.")
    if not text.strip():
        raise PydanticCustomError("empty", "api_key must not be empty.")
    return SecretStr(text.strip())


Key = Annotated[SecretStr, Field(min_length=1, max_length=MAX_KEY), AfterValidator(_key)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(printable)]
Zone = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,30}$")]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
SpecificationName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
SpecificationText = Annotated[str, StringConstraints(max_length=200), AfterValidator(printable)]


class Told(Asked):
    """Source 001 writes its fields in snake_case, so errors name them that way."""

    model_config = ConfigDict(loc_by_alias=False)


class Configuration(Told):
    """What the client of a cloud is told beside the key; it has its own choice for whatever is missing."""

    base_url: Annotated[str, StringConstraints(max_length=200), AfterValidator(_address)] | None = None
    username: Word | None = None  # TransIP's login
    default_region: Zone | None = None
    default_image: Word | None = None
    tiers: dict[Tier, Word] | None = None  # tier -> size
    late_accept_seconds: float | None = Field(None, ge=1, le=86_400)
    poll_seconds: float | None = Field(None, ge=0.1, le=600)
    limits: dict[Annotated[str, StringConstraints(max_length=40)], Annotated[int, Field(ge=1)]] | None = Field(
        None, max_length=20
    )

    def kept(self) -> dict[str, object]:
        """As it is stored and shown: what was given, and nothing else."""
        return self.model_dump(mode="json", exclude_none=True)


class AccountCreate(Told):
    """Body of POST /api/admin/providers (R008)."""

    name: Text200
    type: ProviderType
    api_key: Key
    configuration: Configuration = Field(default_factory=Configuration)
    active: bool = True


class AccountChange(Told):
    """Body of PUT /api/admin/providers/{id} (R009): what is missing stays as it is."""

    name: Text200 | None = None
    api_key: Key | None = None
    active: bool | None = None
    configuration: Configuration | None = None

    @model_validator(mode="after")
    def _something(self) -> AccountChange:
        if not self.model_fields_set:
            raise PydanticCustomError("empty", "Say at least one of name, api_key, active and configuration.")
        return self


def key_problem(kind: str, api_key: SecretStr) -> str | None:
    """Why this cannot be a key of that kind of cloud."""
    text = api_key.get_secret_value()
    if kind == ProviderType.TRANSIP and _PEM.search(text) is None:
        return "api_key must be the PEM text of the account's private key."
    if kind != ProviderType.TRANSIP and not (text.isascii() and text.isprintable() and " " not in text):
        return "api_key must be one line of printable ASCII characters without spaces."
    return None


class PlanCreate(Told):
    """Prices a month; `specifications` is what the size holds, e.g. vcpus, memory (MB), disk (GB), transfer (GB)."""

    provider_plan_id: Word
    base_price: Price = Decimal(0)
    markup_price: Price = Decimal(0)
    currency: Currency = "USD"
    specifications: dict[SpecificationName, bool | int | float | SpecificationText] = Field(
        default_factory=dict, max_length=50
    )
    active: bool = True


class PlanChange(Told):
    """What is missing stays as it is."""

    provider_plan_id: Word | None = None
    base_price: Price | None = None
    markup_price: Price | None = None
    currency: Currency | None = None
    specifications: dict[SpecificationName, bool | int | float | SpecificationText] | None = Field(None, max_length=50)
    active: bool | None = None
