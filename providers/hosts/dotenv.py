"""Env files as `docker compose` reads them (compose-go's dotenv): every value survives, whatever it holds.

Compose substitutes variables in unquoted and double-quoted values, cuts unquoted ones at ` #`, and takes
single-quoted ones as they are, but knows no way to write a backslash before a single quote or at the end of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def quoted(value: str) -> str:
    """The value as it stands behind `NAME=`."""
    if "\x00" in value:
        raise ValueError("an environment variable cannot hold a NUL")
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value and not value.endswith("\\"):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def render(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={quoted(value)}\n" for name, value in values.items())
