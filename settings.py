"""The one reader of the environment. Every variable is documented in `.env.example`, which a test compares with this.

Names of the source documents are kept where they name one thing; aliases are listed with the field.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

KNOWN_DEFAULTS = {"admin123", "password", "changeme", "secret", "Admin123!@#", "User123!@#"}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a refused value may be a secret
    )

    # ---- process
    environment: Literal["development", "test", "production"] = "development"
    log_level: str = "INFO"
    host: str = Field("127.0.0.1", validation_alias=AliasChoices("HOST", "API_HOST"))
    port: int = Field(8000, validation_alias=AliasChoices("PORT", "API_PORT"))
    public_url: str = ""  # where people reach the portal; empty means http://HOST:PORT
    cors_origins: list[str] = []
    request_timeout_seconds: float = 30

    # ---- PostgreSQL. DATABASE_URL wins; the parts of source 000 are put together where it is missing.
    database_url: SecretStr | None = None
    database_host: str | None = None
    database_port: int = 5432
    database_name: str = "slipway"
    database_user: str = "slipway"
    database_password: SecretStr | None = None
    database_pool_min: int = 5
    database_pool_max: int = 20

    # ---- Temporal
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_ui_url: str = "http://127.0.0.1:8233"
    temporal_tls: bool = False
    temporal_api_key: SecretStr | None = None
    payload_encryption: bool = False  # second wall: encrypt every payload in Temporal with the key ring
    payload_encryption_accept_plain: bool = False  # while runs from before it was turned on are still under way

    # ---- secrets. "id:base64key[,id:base64key…]"; the first key encrypts, all decrypt.
    secret_keys: SecretStr | None = None
    jwt_secret: SecretStr | None = None
    jwt_access_expiry: str = "15m"
    jwt_refresh_expiry: str = "7d"
    bcrypt_rounds: int = Field(12, ge=4, le=16)
    registration_open: bool = False  # R105: whether people may ask for an account themselves
    metrics_token: SecretStr | None = None  # X23: without it /metrics answers loopback only

    # ---- limits (X15)
    rate_limit_window_ms: int = 900_000
    rate_limit_max_requests: int = 100
    rate_limit_max_reads: int = 1_200

    # ---- what customers get
    base_domain: str = "recruitiq.nl"
    blueprints_dir: Path = Path(__file__).parent / "deploy" / "blueprints"
    docker_registry: str = ""  # host[:port] of the images; empty means the registry named in the blueprint
    docker_registry_username: str | None = None
    docker_registry_password: SecretStr | None = None
    docker_registry_insecure: bool = False  # plain HTTP, for the lab's registry only
    shared_places: int = 4  # applications on one shared server
    servers_per_organization: int = 20  # bare servers a customer may have without asking
    credentials_days: int = 7  # how long handed-over credentials may be revealed

    # ---- TransIP
    transip_username: str | None = None
    transip_private_key: str | None = None  # a path, or the PEM text itself (X20)
    transip_api_url: str = "https://api.transip.nl/v6"
    transip_availability_zone: str = "ams0"
    transip_operating_system: str = "debian-13"
    transip_late_accept_seconds: float = 600
    transip_poll_seconds: float = 10  # R316

    # ---- DigitalOcean
    digitalocean_token: SecretStr | None = None
    digitalocean_api_url: str = "https://api.digitalocean.com"
    digitalocean_region: str | None = None
    digitalocean_image: str | None = None
    digitalocean_late_accept_seconds: float = 120
    digitalocean_poll_seconds: float = 5

    # ---- Linode
    linode_token: SecretStr | None = None
    linode_api_url: str = "https://api.linode.com/v4"
    linode_region: str | None = None
    linode_image: str | None = None
    linode_late_accept_seconds: float = 120
    linode_poll_seconds: float = 5

    # ---- inventory of the clouds
    inventory_sweep_minutes: float = Field(60, gt=0)
    inventory_grace_hours: float = Field(72, ge=1)  # from the quarantine of a lost server to its deletion
    inventory_acts_per_hour: int = Field(2, ge=0)  # quarantines, and deletions, of one cloud; 0 only reports

    # ---- hosts
    vps_ssh_user: str = "root"
    vps_ssh_private_key: str | None = None  # X20: path or PEM text of one key for all; else each server gets its own
    host_ssh_port: int = 22
    host_http_port: int = 80
    host_https_port: int = 443
    host_apt_source: str = ""  # lab only: the one apt source of new hosts; empty keeps the image's own

    # ---- DNS
    powerdns_api_url: str = "http://127.0.0.1:8081/api/v1"
    powerdns_api_key: SecretStr | None = None
    powerdns_server_id: str = "localhost"
    dns_servers: list[str] = []  # authoritative servers as host:port; empty means: those the zone names
    dns_ttl: int = 60
    dns_zone_kind: Literal["Native", "Primary"] = "Native"  # of new zones; Primary tells its secondaries of changes
    dns_nameservers: list[str] = []  # that a customer's zone names; empty means: those of the base domain's zone

    # ---- ACME
    acme_directory_url: str = "https://acme-v02.api.letsencrypt.org/directory"
    acme_profile: str = ""
    letsencrypt_email: str | None = None
    acme_ca_file: Path | None = None  # trust for the CA's own API (Pebble)
    acme_staging_directory_url: str = ""  # where renewals that failed are rehearsed; empty: nowhere
    acme_second_directory_url: str = ""  # another CA, for when the first one fails; empty: none
    acme_second_profile: str = ""
    acme_second_eab_key_id: str = ""  # where the second CA wants our account bound to one it knows
    acme_second_eab_hmac_key: SecretStr | None = None
    shared_keys: bool = False  # X18: whether certificates may be uploaded together with their private keys
    tls_trust_file: Path | None = None  # roots the outside probe trusts; empty means the system's

    # ---- paid orders. Of each secret several, separated by commas, may hold at once: that is how one is replaced.
    marketing_webhook_secret: SecretStr | None = None  # R044: what the marketing site sends as x-internal-key
    stripe_webhook_secret: SecretStr | None = None
    stripe_api_key: SecretStr | None = None
    stripe_api_url: str = "https://api.stripe.com"

    # ---- mail that goes out
    smtp_host: str | None = None  # without one mails wait for an hour, and then say so on their rows
    smtp_port: int = 587
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_from: str = "slipway@localhost"

    # ---- telemetry
    otel_exporter_otlp_endpoint: str | None = None
    otel_service_name: str = "slipway"

    # ---- operators
    park_hours: float = 24  # deadline of a parked step before it escalates
    activity_minutes: float = 10  # automatic retries of a step before it parks (X16)

    @field_validator("jwt_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("JWT_SECRET must have at least 32 characters")
        return value

    @field_validator("marketing_webhook_secret")
    @classmethod
    def _not_guessable(cls, value: SecretStr | None) -> SecretStr | None:
        if any(len(one.get_secret_value()) < 16 for one in each(value)):
            raise ValueError("each of MARKETING_WEBHOOK_SECRET must have at least 16 characters")
        return value

    @model_validator(mode="after")
    def _production_needs_secrets(self) -> Settings:
        if self.environment == "production":
            for name in ("jwt_secret", "secret_keys"):
                value: SecretStr | None = getattr(self, name)
                if value is None or value.get_secret_value() in KNOWN_DEFAULTS:
                    raise ValueError(f"{name.upper()} must be set to a secret of its own in production")
        return self

    @property
    def dsn(self) -> str:
        """libpq connection string for psycopg."""
        if self.database_url is not None:
            url = self.database_url.get_secret_value()
            return url.replace("postgresql+psycopg://", "postgresql://", 1)
        if self.database_host is None:
            raise ValueError("DATABASE_URL (or DATABASE_HOST and its companions) must be set")
        password = f":{self.database_password.get_secret_value()}" if self.database_password else ""
        return (f"postgresql://{self.database_user}{password}@{self.database_host}:"
                f"{self.database_port}/{self.database_name}")  # fmt: skip

    @property
    def sqlalchemy_url(self) -> str:
        return self.dsn.replace("postgresql://", "postgresql+psycopg://", 1)

    def cloud_accounts(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The accounts the environment names: kind of cloud -> (key, configuration). OSError for an unreadable key."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        if self.transip_username and self.transip_private_key:
            found["transip"] = (read_key(self.transip_private_key), {
                "base_url": self.transip_api_url, "username": self.transip_username,
                "default_region": self.transip_availability_zone, "default_image": self.transip_operating_system,
                "late_accept_seconds": self.transip_late_accept_seconds, "poll_seconds": self.transip_poll_seconds,
            })  # fmt: skip
        for kind in ("digitalocean", "linode"):
            token: SecretStr | None = getattr(self, f"{kind}_token")
            if token is None:
                continue
            told = {
                "base_url": getattr(self, f"{kind}_api_url"), "default_region": getattr(self, f"{kind}_region"),
                "default_image": getattr(self, f"{kind}_image"),
                "late_accept_seconds": getattr(self, f"{kind}_late_accept_seconds"),
                "poll_seconds": getattr(self, f"{kind}_poll_seconds"),
            }  # fmt: skip
            found[kind] = (token.get_secret_value(), {name: value for name, value in told.items() if value is not None})
        return found

    @property
    def portal_url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"


def each(value: SecretStr | None) -> list[SecretStr]:
    """The secrets of a list that is separated by commas; blanks around them are not part of them."""
    parts = value.get_secret_value().split(",") if value is not None else []
    return [SecretStr(part.strip()) for part in parts if part.strip()]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    return Settings()


def read_key(value: str) -> str:
    """X20: a private key given as PEM text, or as the path of a file that holds it."""
    return value if "-----BEGIN" in value else Path(value).expanduser().read_text()
