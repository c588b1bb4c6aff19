"""Parameters as Stripe reads them: form-encoded, nested by brackets, `metadata[a]=b` and `types[]=c`."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe.wire import Refusal

Form = dict[str, Any]
_NAME = re.compile(r"(\w+)(?:\[(\w*)\])?(?:\[(\w+)\])?\Z")


def decode(raw: str) -> Form:
    """Two levels of brackets, which is as deep as our calls go; `items[0][price]=c` is one of several."""
    form: Form = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        found = _NAME.match(name)
        if not found:
            raise unknown(name)
        outer, inner, member = found.groups()
        if member is not None:
            form.setdefault(outer, {}).setdefault(inner, {})[member] = value
        elif inner is None:
            form[outer] = value
        elif inner == "" or inner.isdigit():
            form.setdefault(outer, []).append(value)
        else:
            form.setdefault(outer, {})[inner] = value
    return form


def known(form: Form, names: Collection[str]) -> Form:
    """The form, if it has no other parameters."""
    for name in form:
        if name not in names:
            raise unknown(name)
    return form


def whole(form: Form, name: str) -> int | None:
    value = form.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"-?\d{1,18}", str(value)):
        raise Refusal(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def truth(form: Form, name: str) -> bool | None:
    value = form.get(name)
    if value is None:
        return None
    if value not in {"true", "false"}:
        raise Refusal(400, f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def choice(form: Form, name: str, choices: Collection[str]) -> str | None:
    value = form.get(name)
    if value is not None and value not in choices:
        raise Refusal(400, f"Invalid {name}: must be one of {', '.join(choices)}", param=name)
    return str(value) if value is not None else None


def mapping(form: Form, name: str) -> dict[str, str]:
    value = form.get(name, {})
    if not isinstance(value, dict):
        raise Refusal(400, "Invalid object", param=name)
    return value


def several(form: Form, name: str, members: Collection[str]) -> list[dict[str, str]]:
    """The objects of `name[0][…]`, `name[1][…]`, in the order of their numbers."""
    value = form.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(one, dict) and key.isdigit() for key, one in value.items()):
        raise Refusal(400, "Invalid array", param=name)
    for key, one in value.items():
        for member in one:
            if member not in members:
                raise unknown(f"{name}[{key}][{member}]")
    return [value[key] for key in sorted(value, key=int)]


def unknown(name: str) -> Refusal:
    return Refusal(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
