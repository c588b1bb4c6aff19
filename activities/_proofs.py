"""Proofs of control over names: which challenge is met, and by whom: our name server, or the names' own web server."""

from __future__ import annotations

from collections.abc import Sequence

from activities._context import Deps
from activities._renewing import Holder, address_of, enter
from activities.names import name_servers
from domain.challenges import Challenge, Unprovable, choose
from providers.acme.solvers import Solvers
from providers.acme.wellknown import WellKnownSolver
from providers.dns.challenges import ChallengeSolver
from providers.dns.lookup import told_servers
from providers.errors import InvalidInput, NotFound, Transient


async def challenge_for(
    deps: Deps, names: Sequence[str], *, asked: str = "", before: str = "", look: bool = True
) -> Challenge:
    """By the rule of domain/challenges.py. InvalidInput(field='challenge'): a wildcard that cannot be proven here.

    `look`: also at whom the public tree names for the zones. Not in a renewal that has not failed: what worked before
    is tried before anything else is believed.
    """
    try:
        return choose(names, ours=await _ours(deps, names, look=look), asked=asked, before=before)
    except Unprovable as error:
        raise InvalidInput(str(error), field="challenge") from error


async def solvers_for(deps: Deps, challenge: Challenge, holder: Holder, names: Sequence[str]) -> Solvers:
    config = deps.config
    if challenge is Challenge.DNS_01:
        servers = await name_servers(deps, names[0])
        return Solvers(dns=ChallengeSolver(deps.dns, servers, owner=str(holder.id), ttl=config.dns_ttl))
    address = await address_of(deps, holder)
    where = f"[{address}]" if ":" in address else address
    return Solvers(http=WellKnownSolver(HostWebroot(deps, holder), address=f"{where}:{config.http_port}"))


class HostWebroot:
    """The folder that the holder's server answers challenges from. Each call is a visit of its own: the CA may take
    minutes between two. What a killed try left there goes with the next one, which goes on with the same order."""

    def __init__(self, deps: Deps, holder: Holder) -> None:
        self._deps, self._holder = deps, holder

    async def put(self, token: str, content: str) -> None:
        async with enter(self._deps, self._holder) as place:
            await place.publish_challenge(token, content)

    async def remove(self, token: str) -> None:
        async with enter(self._deps, self._holder) as place:
            await place.withdraw_challenge(token)


async def _ours(deps: Deps, names: Sequence[str], *, look: bool) -> bool:
    """Whether a record that we write is what the world sees. Silence of the public tree decides nothing."""
    try:
        zones = {await deps.dns.zone_of(name) for name in names}
    except NotFound:
        return False
    if deps.config.dns_servers or not look:
        return True
    for zone in zones:
        own = await deps.dns.authoritative(zone)
        try:
            told = await told_servers(zone)
        except Transient:
            continue
        if own and not set(told) & set(own):
            return False
    return True
