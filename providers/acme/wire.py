"""The `acme` library as we use it: one session per conversation, each call in a thread, its errors in our own tree.

What differs from the library's defaults, and why: the environment's REQUESTS_CA_BUNDLE and proxies are ignored (the
bundle overrides `verify`), a rejected nonce is repeated more than once, waits are asynchronous and obey Retry-After,
and a 409 keeps its error document (the library drops it, and with it alreadyReplaced).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import requests
from acme import client, messages
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.interfaces import JSONDeSerializable
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from providers.acme import accounts
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

    def __init__(self, key: JWK | None, *, trust: str | bool, timeout: int) -> None:
        # The library hands `verify_ssl` on to requests, which takes a path as well.
        super().__init__(key, alg=ES256, verify_ssl=trust, user_agent=USER_AGENT, timeout=timeout)  # type: ignore[arg-type]
        self.session.trust_env = False
        self.last: requests.Response | None = None

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        self.last = None
        answer: requests.Response = super()._send_request(method, url, *args, **kwargs)
        self.last = answer
        return answer

    @classmethod
    def _check_response(cls, response: requests.Response, content_type: str | None = None) -> requests.Response:
        if response.status_code == requests.codes.conflict:
            raise messages.Error.from_json(response.json())
        checked: requests.Response = super()._check_response(response, content_type)
        return checked

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for left in reversed(range(NONCE_TRIES)):
            try:
                return self._post_once(*args, **kwargs)
            except messages.Error as error:
                if code_of(error) != "badNonce" or not left:
                    raise
        raise AssertionError("unreachable")


class Body(JSONDeSerializable):
    """A payload as it stands: for members the library's own messages lack."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def to_partial_json(self) -> Any:
        return self.content

    @classmethod
    def from_json(cls, jobj: Any) -> Body:
        return cls(jobj)


class Session(client.ClientV2):
    """Adds what the library hides in its own, blocking loops, and requests it has no message for."""

    def __init__(self, directory: messages.Directory, network: Network) -> None:
        super().__init__(directory, network)
        self._network = network

    @property
    def last_status(self) -> int | None:
        """Of the last answer; None where there was none."""
        return self._network.last.status_code if self._network.last is not None else None

    @property
    def public_jwk(self) -> JWK:
        if self.net.key is None:
            raise AssertionError("this conversation has no account key")
        key: JWK = self.net.key.public_key()
        return key

    def send(self, url: str, content: Any) -> requests.Response:
        """A signed POST of a JSON value."""
        return self._post(url, Body(content))

    def authorization(self, uri: str) -> messages.AuthorizationResource:
        return self._authzr_from_response(self._post_as_get(uri), uri=uri)

    def alternates(self, uri: str) -> list[str]:
        """Addresses of other chains for the certificate (RFC 8555 §7.4.2)."""
        found: list[str] = self._get_links(self._post_as_get(uri), "alternate")
        return found

    def document(self, uri: str) -> Any:
        """As it came: with members that the library drops."""
        return self._post_as_get(uri).json()

    def order(self, uri: str) -> messages.Order:
        body: messages.Order = messages.Order.from_json(self.document(uri))
        return body

    def certificate(self, uri: str) -> str:
        return str(self._post_as_get(uri).text)


class Wire:
    """Calls of one conversation, in order and never two at a time: nonces and `last` belong to it alone.

    Without a key (None) it can only read what is public.
    """

    def __init__(self, account_key_pem: str | None, *, trust: str | bool, timeout: int = 30) -> None:
        self.key = load_key(account_key_pem) if account_key_pem is not None else None
        self._network = Network(self.key, trust=trust, timeout=timeout)
        self._session: Session | None = None

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._network.session.close()

    @property
    def account_key(self) -> JWKEC:
        if self.key is None:
            raise AssertionError("this conversation has no account key")
        return self.key

    @property
    def directory(self) -> messages.Directory:
        return self.session.directory

    @property
    def last_status(self) -> int | None:
        return self.session.last_status

    @property
    def session(self) -> Session:
        if self._session is None:
            raise AssertionError("the directory was not read yet")
        return self._session

    async def open(self, directory_url: str) -> messages.Directory:
        directory = await self.call(client.ClientV2.get_directory, directory_url, self._network)
        self.resume(directory)
        return directory

    def resume(self, directory: messages.Directory) -> None:
        """Go on with a directory that was read before."""
        self._session = Session(directory, self._network)

    async def account(self, email: str | None, external: accounts.ExternalAccount | None = None) -> str:
        """The URL of our key's account, made when the CA does not know it yet."""
        return await self.call(accounts.find_or_make, self.session, email, external)

    async def get(self, url: str) -> requests.Response:
        return await self.call(self._network.get, url)

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
