"""`.env.example` is the documentation of the settings: complete, commented, and without a secret in it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from settings import Settings

EXAMPLE = Path(__file__).parents[1] / ".env.example"
COMPOSE_ONLY = "# ---- docker compose only"


def variables(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", text, flags=re.MULTILINE))


def variable_of(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper()


SETTINGS = {variable_of(name): name for name in Settings.model_fields}


def test_lists_every_setting_and_nothing_else() -> None:
    assert set(variables(EXAMPLE.read_text().split(COMPOSE_ONLY)[0])) == set(SETTINGS)


def test_every_variable_has_its_own_comment() -> None:
    lines = EXAMPLE.read_text().splitlines()
    tags = {"TEMPORAL_VERSION", "TEMPORAL_ADMIN_TOOLS_VERSION", "TEMPORAL_UI_VERSION", "POWERDNS_VERSION",
            "OTEL_COLLECTOR_VERSION"}  # fmt: skip
    for before, line in itertools.pairwise(lines):
        name = line.partition("=")[0]
        if re.fullmatch(r"[A-Z0-9_]+", name) and name not in tags:
            assert re.match(r"# [^-]", before), f"{name} has no comment above it"


def test_loads_as_it_is_and_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    loaded, default = Settings(_env_file=EXAMPLE), Settings(_env_file=None)
    assert loaded.model_dump() == default.model_dump()


def test_holds_no_secret() -> None:
    written = variables(EXAMPLE.read_text())
    secret = {name for name, field in SETTINGS.items() if SecretStr in _types(field)}
    secret |= {name for name in written if re.search(r"PASSWORD|SECRET|PRIVATE_KEY|API_KEY", name)}
    assert {name: written[name] for name in secret if written[name]} == {}


def _types(field: str) -> tuple[object, ...]:
    annotation = Settings.model_fields[field].annotation
    return (annotation, *getattr(annotation, "__args__", ()))
