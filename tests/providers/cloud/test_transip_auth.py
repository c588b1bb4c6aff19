"""Access: the official signature vector, the forms in which people hold their key, and one token for all calls."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from providers.cloud.transip import TransIP
from providers.cloud.transip_auth import expiry, load_key, sign
from providers.errors import RateLimited, Transient, Unauthorized
from tests.providers.cloud.replay import BASE, Replay, fixture, jwt, status
from tests.sandbox.transip.emulator import order

VECTOR = fixture("auth_signature_vector.json")
PEM = VECTOR["private_key_pem"]
EXPIRED = {"error": "Your access token has expired."}
REVOKED = {"error": "Your access token has been revoked."}


class TestKey:
    def test_official_vector_gives_the_official_signature(self) -> None:
        assert sign(load_key(PEM), VECTOR["request_body"].encode()) == VECTOR["signature_header"]

    @pytest.mark.parametrize(
        "text",
        [
            PEM.replace("PRIVATE KEY", "RSA PRIVATE KEY"),  # as the PHP SDK rewrites it
            PEM.replace("\n", "\\n"),
            PEM.replace("\n", " "),
            PEM.replace("\n", "\r\n"),
            f"\n  {PEM}  \n",
            load_key(PEM)
            .private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
            .decode(),
        ],
        ids=["rsa-header", "literal-newlines", "one-line", "crlf", "padded", "pkcs1"],
    )
    def test_every_form_of_a_key_signs_alike(self, text: str) -> None:
        assert sign(load_key(text), VECTOR["request_body"].encode()) == VECTOR["signature_header"]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "secret-but-no-key",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
            ec.generate_private_key(ec.SECP256R1())
            .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            .decode(),
        ],
        ids=["empty", "text", "rubbish", "other-algorithm"],
    )
    def test_what_is_no_rsa_key_is_refused_without_being_shown(self, text: str) -> None:
        with pytest.raises(ValueError, match="RSA key") as caught:
            TransIP(username="test-user", private_key_pem=text)
        assert "c2VjcmV0" not in str(caught.value)
        assert "secret" not in str(caught.value)


class TestToken:
    def test_end_of_the_public_demo_token_is_read(self) -> None:
        assert expiry(VECTOR["public_demo_token"]) == VECTOR["demo_token_claims"]["exp"]

    @pytest.mark.parametrize("token", ["TOKEN", "a.b.c", "a.e30.c", "a.bnVsbA.c"])
    def test_end_of_what_is_no_jwt_is_unknown(self, token: str) -> None:
        assert expiry(token) is None

    async def test_exact_bytes_of_the_request_are_signed(self) -> None:
        replay = Replay(lambda request: status(200, {"ping": "pong"}))
        await replay.client().verify_credentials()
        (request,) = replay.auths
        signature = base64.b64decode(request.headers["Signature"], validate=True)
        load_key(PEM).public_key().verify(signature, request.content, padding.PKCS1v15(), hashes.SHA512())
        body = json.loads(request.content)
        assert body["login"] == "test-user"
        assert body["read_only"] is False
        assert body["nonce"]
        assert str(request.url) == f"{BASE}/auth"

    async def test_one_token_serves_many_calls_at_once(self) -> None:
        replay = Replay(lambda request: status(200, {"ping": "pong"}))
        client = replay.client()
        await asyncio.gather(*(client.verify_credentials() for _ in range(8)))
        assert len(replay.auths) == 1
        assert {call.headers["Authorization"] for call in replay.calls} == {f"Bearer {jwt_of(replay, 0)}"}

    async def test_token_is_renewed_a_minute_before_its_end(self) -> None:
        replay = Replay(lambda request: status(200, {"ping": "pong"}), token_seconds=59)
        client = replay.client()
        await client.verify_credentials()
        await client.verify_credentials()
        labels = [json.loads(request.content)["label"] for request in replay.auths]
        nonces = [json.loads(request.content)["nonce"] for request in replay.auths]
        assert len(set(labels)) == len(set(nonces)) == 2

    @pytest.mark.parametrize("refusal", [EXPIRED, REVOKED, None])
    async def test_refused_token_is_renewed_and_the_call_repeated_once(self, refusal: dict[str, str] | None) -> None:
        answers = [status(401, refusal), status(200, {"ping": "pong"})]
        replay = Replay(lambda request: answers.pop(0))
        await replay.client().verify_credentials()
        first, second = (call.headers["Authorization"] for call in replay.calls)
        assert first != second

    async def test_second_refusal_is_the_answer(self) -> None:
        replay = Replay(lambda request: status(401, EXPIRED))
        with pytest.raises(Unauthorized, match="Your access token has expired"):
            await replay.client().verify_credentials()
        assert len(replay.calls) == 2

    async def test_other_refusal_is_not_repeated(self) -> None:
        replay = Replay(lambda request: status(401, {"error": "Your IP address is not allowed"}))
        with pytest.raises(Unauthorized):
            await replay.client().verify_credentials()
        assert len(replay.calls) == 1

    async def test_api_that_is_switched_off_means_unauthorized(self) -> None:
        client = asking(lambda request: status(VECTOR["auth_error"]["status"], VECTOR["auth_error"]["body"]))
        with pytest.raises(Unauthorized, match="API is not enabled"):
            await client.verify_credentials()

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (status(401), Unauthorized),
            (status(429, headers={"X-Rate-Limit-Reset": "1"}), RateLimited),
            (status(503), Transient),
            (status(201, {"token": None}), Transient),
            (status(201), Transient),
        ],
        ids=["401", "429", "503", "no-token", "empty"],
    )
    async def test_failed_token_request_proves_that_the_order_never_left(self, answer: Any, error: type) -> None:
        client = asking(lambda request: answer)
        with pytest.raises(error) as caught:
            await client.order(order())
        assert type(caught.value) is error


def jwt_of(replay: Replay, index: int) -> str:
    return replay.calls[index].headers["Authorization"].removeprefix("Bearer ")


def asking(answer: Any) -> TransIP:
    """A client whose every request, also that of a token, gets `answer`."""
    return TransIP(username="test-user", private_key_pem=PEM, transport=httpx.MockTransport(answer))


def test_a_token_looks_like_one() -> None:
    assert expiry(jwt(100)) is not None
