"""Blueprints: what is put on a server, as data. A folder per version under deploy/blueprints/<name>/<version>/.

`blueprint.yaml` names services, ports, secrets, environment, migrations and files; texts are Jinja2 templates in which
an undefined name is an error. Secrets are only named here: who renders an environment brings their values.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jinja2
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.ids import project_name
from providers.errors import InvalidInput
from providers.hosts.dotenv import NAME, render

APPLICATIONS = "/srv/slipway"
TLS = "/etc/slipway/tls"
CHALLENGES = f"{APPLICATIONS}/.acme"  # served to everybody at /.well-known/acme-challenge/ of every site
PORTS_PER_PLACE = 10
_ALPHABETS = {
    "urlsafe": string.ascii_letters + string.digits + "-_",
    "alphanumeric": string.ascii_letters + string.digits,
    "hex": "0123456789abcdef",
}
_jinja = jinja2.Environment(
    undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True,  # noqa: S701 - no HTML is made
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


class DeployContext(BaseModel, frozen=True):
    """One application on one server: what templates may use, and where its things lie."""

    slug: str
    fqdn: str
    organization_name: str
    tier: str = ""
    place: int = Field(0, ge=0)
    registry: str = ""  # empty means: the blueprint's
    https_port: int = 443  # as seen from outside; on the host it is always 443

    @property
    def project(self) -> str:
        return project_name(self.slug)

    @property
    def root(self) -> str:
        return f"{APPLICATIONS}/{self.slug}"

    @property
    def compose_file(self) -> str:
        return f"{self.root}/docker-compose.production.yml"

    @property
    def env_file(self) -> str:
        return f"{self.root}/.env.production"

    @property
    def tls_dir(self) -> str:
        return f"{TLS}/{self.fqdn}"

    @property
    def key_file(self) -> str:
        return f"{self.tls_dir}/key.pem"

    @property
    def chain_file(self) -> str:
        return f"{self.tls_dir}/chain.pem"

    @property
    def challenges(self) -> str:
        return CHALLENGES

    @property
    def site_file(self) -> str:
        return f"/etc/nginx/sites-available/{self.slug}.conf"

    @property
    def site_link(self) -> str:
        return f"/etc/nginx/sites-enabled/{self.slug}.conf"


class AdminAccount(BaseModel, frozen=True):
    """The first account inside the application."""

    email: str
    name: str
    password: str = Field(repr=False)


class HostFile(BaseModel, frozen=True):
    path: str
    content: str
    mode: int = 0o640


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSpec(_Strict):
    """A value generated once per deployment. R328, R429: 32 characters or more."""

    name: str = Field(pattern=NAME.pattern)
    length: int = Field(ge=32, le=256)
    alphabet: Literal["urlsafe", "alphanumeric", "hex"] = "urlsafe"

    def generate(self) -> str:
        return "".join(secrets.choice(_ALPHABETS[self.alphabet]) for _ in range(self.length))


class ServiceSpec(_Strict):
    """A container. `port` is the one it listens on; only services with `publish` get a port on 127.0.0.1."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    image: str
    port: int
    publish: bool = False
    path: str = "/"  # answered with 200 by a published service when it is well


class FileSpec(_Strict):
    source: str
    target: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")
    template: bool = False
    mode: int = 0o640


class DatabaseSpec(_Strict):
    service: str
    user: str
    name: str


class MigrationSpec(_Strict):
    service: str
    command: list[str]
    verify: list[str]
    seconds: int = 600


class Blueprint(_Strict):
    """One version of an application, loaded and checked."""

    name: str
    version: str
    folder: Path
    registry: str
    minimum_memory_mb: int
    services: list[ServiceSpec]
    files: list[FileSpec]
    site: str  # template of the nginx site
    secrets: list[SecretSpec]
    environment: dict[str, str]
    database: DatabaseSpec
    cache: str  # service that answers `redis-cli ping`
    api: str  # published service that answers its health as JSON
    migration: MigrationSpec
    start_seconds: int = 180

    def service(self, name: str) -> ServiceSpec:
        return next(s for s in self.services if s.name == name)

    def ports(self, place: int) -> dict[str, int]:
        """Host ports on 127.0.0.1 of the published services: their own port, and ten further for each place."""
        return {s.name: s.port + PORTS_PER_PLACE * place for s in self.services if s.publish}

    def images(self, context: DeployContext) -> list[str]:
        registry = context.registry or self.registry
        return [f"{registry}/{s.image}" for s in self.services]

    def render(self, context: DeployContext) -> list[HostFile]:
        """The files of the application's folder. None of them holds a secret."""
        names = self._names(context)
        return [
            HostFile(path=f"{context.root}/{f.target}", mode=f.mode,
                     content=self._template(f.source, names) if f.template else (self.folder / f.source).read_text())
            for f in self.files
        ]  # fmt: skip

    def render_site(self, context: DeployContext) -> str:
        return self._template(self.site, self._names(context))

    def render_environment(
        self,
        context: DeployContext,
        *,
        values: Mapping[str, str],
        admin: AdminAccount,
        extra: Mapping[str, str] | None = None,
    ) -> str:
        """Text of `.env.production`. `values` holds every secret of the blueprint by name.

        `extra` adds variables or replaces constants; what is derived from secrets or facts cannot be replaced
        (InvalidInput, field `environment`).
        """
        if missing := [s.name for s in self.secrets if not values.get(s.name)]:
            raise ValueError(f"secrets without a value: {', '.join(missing)}")
        names = {**self._names(context), "secrets": dict(values), "admin": admin}
        made = {name: _jinja.from_string(text).render(names) for name, text in self.environment.items()}
        for name, value in (extra or {}).items():
            if NAME.fullmatch(name) is None or "\x00" in value:
                raise InvalidInput(f"{name!r} is no name of an environment variable", field="environment")
            if "{{" in self.environment.get(name, "") or any(s.name == name for s in self.secrets):
                raise InvalidInput(f"{name} is set by Slipway and cannot be replaced", field="environment")
            made[name] = value
        return render(made)

    def _names(self, context: DeployContext) -> dict[str, Any]:
        return {
            "app": context,
            "blueprint": {"name": self.name, "version": self.version},
            "registry": context.registry or self.registry,
            "ports": self.ports(context.place),
            "database": self.database,
        }

    def _template(self, source: str, names: Mapping[str, Any]) -> str:
        return _jinja.from_string((self.folder / source).read_text()).render(names)


class Blueprints:
    """The folder of all blueprints. Versions are read once and kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[tuple[str, str], Blueprint] = {}

    def versions(self, name: str) -> list[str]:
        """Oldest first; empty for an unknown name."""
        if re.fullmatch(r"[a-z][a-z0-9-]*", name) is None or not (self._folder / name).is_dir():
            return []
        return sorted((p.name for p in (self._folder / name).iterdir() if (p / "blueprint.yaml").is_file()), key=_order)

    def get(self, name: str, version: str = "") -> Blueprint:
        """The newest version unless one is named. InvalidInput (field blueprint or blueprint_version) if unknown."""
        known = self.versions(name)
        if not known:
            raise InvalidInput(f"there is no blueprint {name!r}", field="blueprint")
        wanted = version or known[-1]
        if wanted not in known:
            raise InvalidInput(
                f"blueprint {name} has no version {wanted!r}; known: {', '.join(known)}", field="blueprint_version"
            )
        if (name, wanted) not in self._loaded:
            self._loaded[name, wanted] = _load(self._folder / name / wanted)
        return self._loaded[name, wanted]


def _load(folder: Path) -> Blueprint:
    try:
        found = Blueprint.model_validate({**yaml.safe_load((folder / "blueprint.yaml").read_text()), "folder": folder})
    except (ValidationError, yaml.YAMLError, OSError) as error:
        raise InvalidInput(f"{folder.name}/blueprint.yaml is not valid: {error}", field="blueprint_version") from error
    if (found.name, found.version) != (folder.parent.name, folder.name):
        raise InvalidInput(f"{folder} holds {found.name} {found.version}", field="blueprint_version")
    return found


def _order(version: str) -> list[tuple[int, int, str]]:
    """1.10.0 after 1.9.0, and a suffix like 1.0.0-rc1 before 1.0.0."""
    parts = re.split(r"[.-]", version)
    return [*((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts), (1, -1, "")]
