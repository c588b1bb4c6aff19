"""Signatures: the official library's verdicts, what we are stricter in, and properties of every header."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from providers.payments.webhook import (
    MAX_BODY,
    MAX_HEADER,
    Event,
    EventMalformed,
    SignatureExpired,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    WebhookRefused,
    signature,
    verify,
)
from tests.providers.payments.recorded import VECTORS

NOW = 1_790_000_600
OLD, NEW = SecretStr("whsec_old"), SecretStr("whsec_new")
ENVELOPE = {"id": "evt_1", "object": "event", "type": "invoice.paid", "created": NOW, "livemode": False,
            "api_version": None, "data": {"object": {"id": "in_1"}}}  # fmt: skip
BODY = json.dumps(ENVELOPE).encode()


def header(body: bytes = BODY, *secrets: SecretStr, at: int = NOW) -> str:
    signed = [f"v1={signature(body, one.get_secret_value().encode(), at)}" for one in secrets or (OLD,)]
    return ",".join([f"t={at}", *signed])


def check(body: bytes = BODY, given_header: str | None = None, *secrets: SecretStr, **more: Any) -> Event:
    return verify(body, given_header, secrets or (OLD,), **{"now": NOW, **more})


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_vector_is_judged_as_by_the_official_library(vector: dict[str, Any]) -> None:
    secrets = [SecretStr(vector["secret"])]
    args = vector["body"].encode(), vector["header"], secrets
    if vector["expected"] == "accept":
        event = verify(*args, now=vector["now"], tolerance=vector["tolerance"])
        assert (event.id, event.type, event.livemode) == ("evt_lab0001", "checkout.session.completed", False)
        assert (event.created, event.api_version) == (1790000001, "2026-10-28.endive")
        assert event.object["payment_intent"] == "pi_1PgafyB7WZ01zgkWSjxsAJo3"
    else:
        with pytest.raises(WebhookRefused):
            verify(*args, now=vector["now"], tolerance=vector["tolerance"])


@pytest.mark.parametrize("given_header", [None, ""])
def test_no_header_is_missing(given_header: str | None) -> None:
    with pytest.raises(SignatureMissing):
        check(BODY, given_header)


@pytest.mark.parametrize(
    "given_header",
    ["not a header", "t=1790000595", "v1=00", "t=,v1=00", "t=-1,v1=00", "t=1e9,v1=00", "t=١٢٣,v1=00", "T=1,v1=00",
     "t=9999999999999,v1=00", "t=1790000600, v1=00", "t=1790000600,v0=00", "t=1," + "v1=00," * MAX_HEADER],
    ids=lambda value: value[:24],
)  # fmt: skip
def test_a_header_without_time_or_known_scheme_is_malformed(given_header: str) -> None:
    with pytest.raises(SignatureMalformed):
        check(BODY, given_header)


@pytest.mark.parametrize("wrong", ["", "00", "v1=", "\udcff", "ü" * 64], ids=repr)
def test_a_signature_that_is_no_hexadecimal_text_is_a_mismatch(wrong: str) -> None:
    with pytest.raises(SignatureMismatch):
        check(BODY, f"t={NOW},v1={wrong}")


class TestRotation:
    def test_both_of_stripes_signatures_are_tried(self) -> None:
        assert check(BODY, header(BODY, OLD, NEW), NEW).id == "evt_1"
        assert check(BODY, header(BODY, OLD, NEW), OLD).id == "evt_1"

    def test_both_of_our_secrets_are_tried(self) -> None:
        assert check(BODY, header(BODY, NEW), OLD, NEW).id == "evt_1"
        assert check(BODY, header(BODY, OLD), OLD, NEW).id == "evt_1"

    def test_a_secret_that_was_dropped_is_not_accepted(self) -> None:
        with pytest.raises(SignatureMismatch):
            check(BODY, header(BODY, OLD), NEW)

    @pytest.mark.parametrize("secrets", [[], [SecretStr("")], [OLD, SecretStr("")]], ids=["none", "empty", "one empty"])
    def test_without_a_secret_nothing_is_verified(self, secrets: list[SecretStr]) -> None:
        forged = f"t={NOW},v1={signature(BODY, b'', NOW)}"
        with pytest.raises(ValueError, match="without a secret"):
            verify(BODY, forged, secrets, now=NOW)


class TestTime:
    def test_a_signature_is_accepted_until_the_tolerance_has_passed(self) -> None:
        assert check(BODY, header(at=NOW - 300))
        with pytest.raises(SignatureExpired):
            check(BODY, header(at=NOW - 301))
        assert check(BODY, header(at=NOW - 301), tolerance=301)

    def test_the_future_is_accepted_unless_it_is_bounded(self) -> None:
        assert check(BODY, header(at=NOW + 600))
        assert check(BODY, header(at=NOW + 60), future_tolerance=60)
        with pytest.raises(SignatureExpired):
            check(BODY, header(at=NOW + 61), future_tolerance=60)

    def test_who_cannot_sign_is_not_told_that_it_is_late(self) -> None:
        with pytest.raises(SignatureMismatch):
            check(BODY, header(BODY, NEW, at=1), OLD)

    def test_the_time_is_signed_too(self) -> None:
        stale = header(at=NOW - 1000)
        with pytest.raises(SignatureMismatch):
            check(BODY, stale.replace(str(NOW - 1000), str(NOW)))


class TestEnvelope:
    @pytest.mark.parametrize(
        "body",
        [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"object": "event"}', b"[" * 100_000,
         json.dumps({**ENVELOPE, "object": "v2.core.event"}).encode(),
         json.dumps({**ENVELOPE, "data": {}}).encode(),
         json.dumps({**ENVELOPE, "data": {"object": "in_1"}}).encode(),
         json.dumps({**ENVELOPE, "id": ""}).encode(),
         json.dumps({**ENVELOPE, "id": "e" * 256}).encode(),
         json.dumps({**ENVELOPE, "created": "soon"}).encode()],
        ids=lambda body: repr(body[:30]),
    )  # fmt: skip
    def test_a_signed_body_that_is_no_event_is_malformed(self, body: bytes) -> None:
        with pytest.raises(EventMalformed):
            check(body, header(body))

    def test_a_body_beyond_the_limit_is_not_even_hashed(self) -> None:
        body = b" " * (MAX_BODY + 1)
        with pytest.raises(EventMalformed, match="bytes"):
            check(body, f"t={NOW},v1=00")

    def test_earlier_values_are_kept(self) -> None:
        body = json.dumps(
            {**ENVELOPE, "data": {"object": {}, "previous_attributes": {"status": "active"}}}
        ).encode()  # fmt: skip
        assert check(body, header(body)).previous == {"status": "active"}

    def test_an_event_shows_nothing_of_its_object(self) -> None:
        body = json.dumps({**ENVELOPE, "data": {"object": {"email": "jane@example.org"}}}).encode()
        assert "jane" not in repr(check(body, header(body)))


class TestProperties:
    @given(body=st.binary(max_size=400), at=st.integers(NOW - 300, NOW + 300), secret=st.text(min_size=1, max_size=40))
    def test_what_was_signed_is_never_a_mismatch(self, body: bytes, at: int, secret: str) -> None:
        key = SecretStr(secret)
        with contextlib.suppress(EventMalformed):
            verify(body, header(body, NEW, key, at=at), [key], now=NOW)

    @given(at=st.integers(0, len(BODY) * 8 - 1))
    def test_one_bit_of_the_body_changes_everything(self, at: int) -> None:
        changed = bytearray(BODY)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(SignatureMismatch):
            check(bytes(changed), header())

    @given(at=st.integers(0, 63), digit=st.sampled_from("0123456789abcdef"))
    def test_one_digit_of_the_signature_changes_everything(self, at: int, digit: str) -> None:
        right = signature(BODY, b"whsec_old", NOW)
        changed = right[:at] + digit + right[at + 1 :]
        if changed == right:
            assert check(BODY, f"t={NOW},v1={changed}")
        else:
            with pytest.raises(SignatureMismatch):
                check(BODY, f"t={NOW},v1={changed}")

    @given(junk=st.text(max_size=200), body=st.binary(max_size=100))
    def test_any_header_is_refused_and_never_crashes(self, junk: str, body: bytes) -> None:
        with pytest.raises(WebhookRefused):
            check(body, junk)

    @given(others=st.lists(st.text(st.characters(blacklist_characters=","), max_size=20), max_size=8))
    def test_members_of_other_schemes_do_no_harm(self, others: list[str]) -> None:
        kept = [other for other in others if not other.startswith("t=")]
        assert check(BODY, ",".join([header(), *kept])).id == "evt_1"
