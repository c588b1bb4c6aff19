"""The `acme` library as we use it: one session per issuance, each call in a thread, its errors in our own tree.

What differs from the library's defaults, and why: the environment's REQUESTS_CA_BUNDLE and proxies are ignored (the
bundle overrides `verify`), a rejected nonce is repeated more than once, waits are asynchronous and obey Retry-After.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import requests
from acme import client, errors, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from providers.acme.problems import PROVIDER, code_of, translate, wait_of
from providers.errors import InvalidInput, Transient

T = TypeVar("T")

# Threads of their own: a CA that hangs must not take those that the event loop resolves names with.
THREADS = ThreadPoolExecutor(max_workers=16, thread_name_prefix="acme")

USER_AGENT = "slipway (+acme)"
NONCE_TRIES = 5
READ_TRIES = 4  # of a POST-as-GET whose answer was lost
MAX_WAIT = 30.0  # a larger Retry-After while polling is not waited out in one go


class Network(client.ClientNetwork):
    """Remembers the last answer, which the library's exceptions do not carry."""

    def __init__(self, key: JWK, *, trust: str | bool, timeout: int) -> None:
        # The library hands `verify_ssl` on to requests, which takes a path as well.
        super().__init__(key, alg=ES256, verify_ssl=trust, user_agent=USER_AGENT, timeout=timeout)  # type: ignore[arg-type]
        self.session.trust_env = False
        self.last: requests.Response | None = None

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        self.last = None
        answer: requests.Response = super()._send_request(method, url, *args, **kwargs)
        self.last = answer
        return answer

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for left in reversed(range(NONCE_TRIES)):
            try:
                return self._post_once(*args, **kwargs)
            except messages.Error as error:
                if code_of(error) != "badNonce" or not left:
                    raise
        raise AssertionError("unreachable")


class Session(client.ClientV2):
    """Adds the two reads the library hides in its own, blocking loops."""

    def order(self, uri: str) -> messages.Order:
        body: messages.Order = messages.Order.from_json(self._post_as_get(uri).json())
        return body

    def certificate(self, uri: str) -> str:
        return str(self._post_as_get(uri).text)


class Wire:
    """Calls of one issuance, in order and never two at a time: nonces and `last` belong to one conversation."""

    def __init__(self, account_key_pem: str, *, trust: str | bool, timeout: int = 30) -> None:
        self.key = load_key(account_key_pem)
        self._network = Network(self.key, trust=trust, timeout=timeout)
        self._session: Session | None = None

    def close(self) -> None:
        self._network.session.close()

    @property
    def session(self) -> Session:
        if self._session is None:
            raise AssertionError("the directory was not read yet")
        return self._session

    async def open(self, directory_url: str) -> messages.Directory:
        directory = await self.call(client.ClientV2.get_directory, directory_url, self._network)
        self._session = Session(directory, self._network)
        return directory

    async def account(self, email: str | None) -> str:
        """The account of our key, made when the CA does not know it yet: one call for both (RFC 8555 §7.3)."""
        wanted = messages.NewRegistration.from_data(email=email, terms_of_service_agreed=True)

        def find_or_make() -> str:
            try:
                made: messages.RegistrationResource = self.session.new_account(wanted)
            except errors.ConflictError as known:
                made = messages.RegistrationResource(uri=known.location, body=messages.Registration())
            self._network.account = made
            return str(made.uri)

        return await self.call(find_or_make)

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        try:
            context = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(THREADS, lambda: context.run(function, *args))
        except Exception as error:
            raise translate(error, self._network.last) from error

    async def read(self, function: Callable[..., T], *args: Any) -> T:
        """A call without effect, repeated when its answer was lost."""
        for left in reversed(range(READ_TRIES)):
            try:
                return await self.call(function, *args)
            except Transient:
                if not left:
                    raise
                await asyncio.sleep(1)
        raise AssertionError("unreachable")

    async def pause(self, default: float) -> None:
        """Wait as long as the last answer asked for."""
        asked = wait_of(self._network.last)
        await asyncio.sleep(min(MAX_WAIT, default if asked is None else max(asked, min(default, 0.2))))


def new_key() -> str:
    """A P-256 account key, PKCS#8 PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def load_key(pem: str) -> JWKEC:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise InvalidInput("the stored ACME account key cannot be read", provider=PROVIDER) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("the ACME account key is not a P-256 key", provider=PROVIDER)
    return JWKEC(key=key)
