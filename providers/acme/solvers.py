"""Proofs of control over a name: which challenge is met for which authorization, and by whom (RFC 8555 §8).

Kinds of challenges that are newer than this client are passed over: a CA may offer them at any time (RFC 8555 §7.5.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from acme import challenges, messages
from josepy.jwk import JWK

from providers.acme.problems import PROVIDER
from providers.errors import Rejected

DNS_01 = "dns-01"
HTTP_01 = "http-01"


class Solver(Protocol):
    """Publishes a value, waits until it is seen, takes it away. All three may be repeated.

    DNS-01: `place` is the record's name, the value a TXT beside others (a domain and its wildcard share the name).
    HTTP-01: `place` is the URL, the value the body of the answer.
    """

    async def present(self, place: str, value: str, /) -> None: ...

    async def ready(self, place: str, value: str, /) -> None: ...

    async def clean_up(self, place: str, value: str, /) -> None: ...


@dataclass(frozen=True)
class Proof:
    """One challenge that we mean to meet."""

    challenge: messages.ChallengeBody
    solver: Solver
    place: str
    value: str


class Solvers:
    """Who proves what. `prefer` names the kind tried first for a domain, DNS-01 where nothing is said; the other one is
    taken where the CA does not offer the first or nobody here solves it. Wildcards are proven by DNS-01 only."""

    def __init__(
        self,
        *,
        dns: Solver | None = None,
        http: Solver | None = None,
        prefer: Callable[[str], str] = lambda domain: DNS_01,
    ) -> None:
        self._solvers = {kind: solver for kind, solver in ((DNS_01, dns), (HTTP_01, http)) if solver is not None}
        self._prefer = prefer

    def proof(self, authorization: messages.Authorization, key: JWK) -> Proof:
        """Rejected: the CA offers nothing that can be met here."""
        domain = authorization.identifier.value
        offered = {item.chall.typ: item for item in authorization.challenges if isinstance(item.chall, _KNOWN)}
        for kind in sorted((DNS_01, HTTP_01), key=lambda kind: kind != self._prefer(domain)):
            if kind not in offered or kind not in self._solvers or (kind == HTTP_01 and authorization.wildcard):
                continue
            challenge = offered[kind]
            body = challenge.chall
            place = body.validation_domain_name(domain) if isinstance(body, challenges.DNS01) else body.uri(domain)
            return Proof(challenge, self._solvers[kind], place, body.validation(key))
        wanted = " or ".join(self._solvers) or "usable"
        name = f"*.{domain}" if authorization.wildcard else domain
        raise Rejected(f"the CA offers no {wanted} challenge for {name}", provider=PROVIDER)


_KNOWN = (challenges.DNS01, challenges.HTTP01)
