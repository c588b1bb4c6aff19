"""What a real Pebble was recorded to answer (`source` in each file), read by our client's own pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from acme import challenges, messages

from providers.acme.client import choose_profile
from providers.acme.problems import not_validated, refused
from providers.errors import InvalidInput, Transient, Unauthorized

FIXTURES = Path(__file__).parent / "fixtures"


def interactions(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FIXTURES / name).read_text())["interactions"]
    return found


def answer(status: int, headers: dict[str, str] | None = None) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers.update(headers or {})
    return made


def problems() -> list[tuple[str, int, dict[str, Any]]]:
    return [
        (path.name, item["response"]["status"], item["response"]["body"])
        for path in sorted(FIXTURES.glob("*.json"))
        for item in interactions(path.name)
        if item["response"]["status"] >= 400
    ]


MEANS = {
    "accountDoesNotExist": Transient,
    "badNonce": Transient,
    "invalidProfile": InvalidInput,
    "malformed": InvalidInput,
    "rejectedIdentifier": InvalidInput,
    "userActionRequired": Unauthorized,
}


@pytest.mark.parametrize(("file", "status", "body"), problems())
def test_every_recorded_error_has_its_meaning_and_its_detail(file: str, status: int, body: dict[str, Any]) -> None:
    error = refused(messages.Error.from_json(body), answer(status))
    kind = body["type"].rsplit(":", maxsplit=1)[-1]
    assert type(error) is MEANS[kind]
    assert body["detail"] in error.message
    for sub in body.get("subproblems", []):
        assert sub["detail"] in error.message


def test_the_unknown_profile_names_the_field_an_operator_may_correct() -> None:
    body = interactions("profile_unknown_error.json")[0]["response"]["body"]
    assert refused(messages.Error.from_json(body), answer(400)).field == "acme_profile"


def test_the_recorded_directory_leads_to_the_long_lived_profile() -> None:
    body = interactions("directory_and_account.json")[0]["response"]["body"]
    assert choose_profile(messages.Directory.from_json(body).meta.profiles) == "classic"


def test_authorizations_with_challenges_newer_than_the_library_are_read() -> None:
    bodies = [item["response"]["body"] for item in interactions("wildcard_dns01_order_ok.json")]
    pending = [body for body in bodies if isinstance(body, dict) and len(body.get("challenges", [])) > 2]
    assert pending
    for body in pending:
        read = messages.Authorization.from_json(body)
        assert sum(isinstance(item.chall, challenges.DNS01) for item in read.challenges) == 1


def test_an_invalid_authorization_without_a_reason_is_worth_another_try() -> None:
    assert isinstance(not_validated("a.slipway.test", None), Transient)
