"""What one API process holds: made at start, closed at the end, reached by requests through `services(request)`."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from api.failing import Failing
from api.feed import Feed
from api.metrics import Metrics
from api.offer_reads import OfferReads
from api.probe import Probe
from api.product_cache import ProductCache
from api.ratelimit import Buckets, Failures
from api.security import Tokens
from api.statusview import StatusCache
from api.temporal_link import TemporalLink
from db.keyring import KeyRing
from db.queries.changes import Letters
from db.queries.reading import Reader
from db.queries.users import hash_password
from db.session import Database
from domain.provisioning import RunPolicy
from domain.statuses import Role
from settings import Settings

PRINCIPAL_SECONDS = 5  # how long a changed role or an ended session may go unnoticed
MAX_PRINCIPALS = 10_000


@dataclass(frozen=True)
class Principal:
    """Whoever signed in. `organization_id` bounds what a USER sees."""

    id: uuid.UUID
    family_id: uuid.UUID
    username: str
    email: str
    name: str
    role: Role
    organization_id: uuid.UUID | None
    must_change_password: bool

    @property
    def key(self) -> str:
        return f"user:{self.id}"


class PrincipalCache:
    """Rows of signed-in people, kept for a few seconds so that polling does not ask for them each time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[uuid.UUID, uuid.UUID], tuple[float, Principal]] = {}

    def get(self, user_id: uuid.UUID, family_id: uuid.UUID) -> Principal | None:
        until, principal = self._kept.get((user_id, family_id), (0.0, None))
        return principal if until > time.monotonic() else None

    def put(self, principal: Principal) -> None:
        if len(self._kept) >= MAX_PRINCIPALS:
            self._kept.clear()
        self._kept[(principal.id, principal.family_id)] = (time.monotonic() + PRINCIPAL_SECONDS, principal)

    def forget(self, user_id: uuid.UUID) -> None:
        for key in [key for key in self._kept if key[0] == user_id]:
            del self._kept[key]


@dataclass
class Services:
    settings: Settings
    db: Database
    reader: Reader
    keys: KeyRing
    temporal: TemporalLink
    tokens: Tokens
    buckets: Buckets
    feed: Feed
    metrics: Metrics
    probe: Probe
    failing: Failing  # asks Temporal which runs cannot go on
    failures: Failures = field(default_factory=Failures)  # per account and address
    address_failures: Failures = field(default_factory=lambda: Failures(30))  # over all accounts
    principals: PrincipalCache = field(default_factory=PrincipalCache)
    statuses: StatusCache = field(default_factory=StatusCache)
    streams: dict[str, int] = field(default_factory=dict)  # open event streams per principal
    offer_reads: OfferReads = field(default_factory=OfferReads)
    products: ProductCache = field(default_factory=ProductCache)
    decoy_hash: str = ""  # checked for unknown accounts, so that they cost the same
    started_at: float = field(default_factory=time.time)

    async def open(self) -> None:
        await self.reader.open()
        self.decoy_hash = await hash_password(uuid.uuid4().hex, self.settings.bcrypt_rounds)
        self.feed.start()

    async def close(self) -> None:
        await self.feed.close()
        await self.offer_reads.write(self.db)
        await self.reader.close()

    def policy(self) -> RunPolicy:
        return RunPolicy(automatic_minutes=self.settings.activity_minutes, park_hours=self.settings.park_hours)

    def letters(self, session: AsyncSession) -> Letters:
        """For customers, in the transaction of what they are told."""
        return Letters(session, self.keys, self.settings.portal_url, datetime.now(UTC))


def services(connection: HTTPConnection) -> Services:
    found: Services = connection.app.state.services
    return found
