"""Fixtures of Stripe: signature vectors judged by its own library, events and objects of its specification."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from providers.payments.webhook import Event, event_of

FIXTURES = Path(__file__).parent / "fixtures"


def _read(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


VECTORS: list[dict[str, Any]] = _read("signature_vectors.json")["vectors"]
EVENTS: list[dict[str, Any]] = _read("events.json")["events"]
RESOURCES: dict[str, dict[str, Any]] = _read("resources.json")["resources"]


def event(type_: str, read: dict[str, Any], **members: Any) -> Event:
    """An event of a type about an object."""
    envelope = {"id": "evt_1", "object": "event", "type": type_, "created": 1790000000, "livemode": False,
                "api_version": "2026-10-28.endive", "data": {"object": read}}  # fmt: skip
    return event_of({**envelope, **members})


def resource(name: str, **members: Any) -> dict[str, Any]:
    """An object of the specification with some members of its own."""
    return {**copy.deepcopy(RESOURCES[name]), **members}
