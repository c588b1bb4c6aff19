"""What a real Pebble was recorded to answer (`source` in each file), read by our client's own pieces."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from acme import challenges, messages
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from providers.acme import ari
from providers.acme.chains import read_chain
from providers.acme.csr import CsrFacts, facts
from providers.acme.problems import not_validated, refused, wait_of
from providers.acme.profiles import choose_profile
from providers.acme.solvers import Solvers
from providers.acme.wire import load_key, new_key
from providers.errors import InvalidInput, ProofUnseen, Transient, Unauthorized

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
    assert isinstance(not_validated("a.slipway.test", None), ProofUnseen)


def test_the_recorded_window_is_read_and_asked_for_again_in_six_hours() -> None:
    recorded = interactions("ari_renewal_info.json")[0]
    info = ari.read(whole(recorded))
    assert info.start == datetime(2026, 12, 21, 1, 44, 44, tzinfo=UTC)
    assert info.end == datetime(2026, 12, 23, 1, 44, 44, tzinfo=UTC)
    assert (info.poll_after, info.explanation_url, info.why) == (21600, "", "")


def test_the_recorded_chain_is_named_as_its_ca_names_it() -> None:
    """The certificate that `replaces` names is not in the records; that of its successor shares the issuer's part."""
    steps = interactions("ari_replaces_order_ok.json")
    (chain,) = [body for body in bodies(steps) if isinstance(body, str) and "BEGIN CERTIFICATE" in body]
    predecessor = steps[0]["request"]["payload"]["replaces"]
    assert steps[0]["response"]["body"]["replaces"] == predecessor
    named = ari.certificate_id(ari.leaf_of(chain))
    assert named is not None
    assert named.partition(".")[0] == predecessor.partition(".")[0]


@pytest.mark.parametrize("file", ["ari_replaces_order_ok.json", "profile_shortlived_ok.json"])
def test_the_recorded_chain_is_for_the_recorded_csr(file: str) -> None:
    steps = interactions(file)
    (sent,) = [step["request"]["payload"]["csr"] for step in steps if "csr" in (step["request"]["payload"] or {})]
    (chain,) = [body for body in bodies(steps) if isinstance(body, str) and "BEGIN CERTIFICATE" in body]
    issued = read_chain(chain, request_of(sent))
    assert issued.names == list(request_of(sent).names)
    days = (issued.not_after - issued.not_before).days
    assert days == (6 if "shortlived" in file else 89)


def test_recorded_waits_are_seconds_and_dates() -> None:
    said = [
        whole(step) for file in FIXTURES.glob("*.json") for step in interactions(file.name)
        if "Retry-After" in step["response"]["headers"]
    ]  # fmt: skip
    assert {answer.headers["Retry-After"].isdecimal() for answer in said} == {True, False}
    assert all(wait_of(answer) is not None for answer in said)


def test_recorded_authorizations_are_proven_by_what_we_can_do() -> None:
    key = load_key(new_key())
    for file in ("wildcard_dns01_order_ok.json", "ari_replaces_order_ok.json", "profile_shortlived_ok.json"):
        pending = [b for b in bodies(interactions(file)) if isinstance(b, dict) and len(b.get("challenges", [])) > 2]
        assert pending
        for body in pending:
            read = messages.Authorization.from_json(body)
            both = Solvers(dns=NoSolver(), http=NoSolver(), prefer=lambda domain: "http-01")
            proof = both.proof(read, key)
            assert proof.place.startswith("_acme-challenge." if body.get("wildcard") else "http://")
            assert Solvers(dns=NoSolver()).proof(read, key).place == f"_acme-challenge.{body['identifier']['value']}"


class NoSolver:
    async def present(self, place: str, value: str) -> None: ...

    async def ready(self, place: str, value: str) -> None: ...

    async def clean_up(self, place: str, value: str) -> None: ...


def bodies(steps: list[dict[str, Any]]) -> list[Any]:
    return [step["response"]["body"] for step in steps]


def whole(step: dict[str, Any]) -> requests.Response:
    made = answer(step["response"]["status"], step["response"]["headers"])
    made._content = json.dumps(step["response"]["body"]).encode()
    return made


def request_of(csr: str) -> CsrFacts:
    der = base64.urlsafe_b64decode(csr + "=" * (-len(csr) % 4))
    return facts(x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode())
