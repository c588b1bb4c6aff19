"""What all accounts at one kind of cloud list together, and which account answers for which server.

The union is evidence only as a whole: where one account cannot be asked, nothing is known of any server that is not
listed, for it may live there.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from providers.cloud.base import Cloud, CloudServer
from providers.errors import ProviderError


class NotListed(Exception):
    """There is no complete list. The text says why, for people."""


@dataclass(frozen=True)
class Listing:
    servers: list[CloudServer]
    clouds: Mapping[str, Cloud]  # by the cloud's name of a server
    any_cloud: Cloud
    late_accept_window: float  # the longest of all accounts

    @property
    def refs(self) -> frozenset[str]:
        return frozenset(self.clouds)

    def cloud_of(self, ref: str) -> Cloud:
        return self.clouds[ref]


async def every_account(
    clouds: Mapping[uuid.UUID | None, Cloud], expected: Mapping[uuid.UUID | None, int], *, vouched: bool
) -> Listing:
    """`expected`: how many servers of ours each account should list. NotListed unless every account was asked, each
    answered in full, and none of them lists nothing although servers of ours live there (an operator may vouch).

    One account set up twice, by two keys, lists its servers twice; they count once.
    """
    unknown = sum(count for account, count in expected.items() if account is not None and account not in clouds)
    if unknown:
        raise NotListed(f"servers of accounts that cannot be asked any more: {unknown}")
    found: dict[str, tuple[CloudServer, Cloud]] = {}
    for account, cloud in clouds.items():
        try:
            servers = await cloud.list()
        except ProviderError as error:
            raise NotListed(f"the list failed: {error.message}") from None
        if not servers and len(clouds) > 1 and expected.get(account) and not vouched:
            raise NotListed(f"one account lists no server at all; known there: {expected[account]}")
        for server in servers:
            found.setdefault(server.provider_ref, (server, cloud))
    return Listing(
        servers=[server for server, _ in found.values()],
        clouds={ref: cloud for ref, (_, cloud) in found.items()},
        any_cloud=next(iter(clouds.values())),
        late_accept_window=max(cloud.late_accept_window for cloud in clouds.values()),
    )
