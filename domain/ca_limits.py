"""How many certificates a CA gives out, for what, and when the next one is possible. Pure: events in, a moment out.

Let's Encrypt counts in token buckets: `count` at once, and one more each `window / count` (its page on rate limits,
requirement X17). A bucket's state follows from the moments of past events, so a ledger needs rows and no counters.
Some limits are shared with strangers (a registered domain's other accounts): the CA's own refusal then holds as well.

What draws on which bucket:

    an order                 NEW_ORDERS of the account, when it is placed
    a certificate            REGISTERED_DOMAIN of each domain in it, EXACT_SET of its names, when it is issued
    a failed validation      FAILED_VALIDATIONS of account and name

What stops an order: every bucket it draws on, and the failures of its names. Two kinds of orders pass more easily. A
renewal by ARI (`replaces` accepted, inside the suggested window, one name shared) is stopped by nothing; its
certificate is counted in EXACT_SET all the same, as the CA may do. The same names again draw on EXACT_SET only.

The registered domain is by the Public Suffix List, so the caller brings it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class CaLimit(StrEnum):
    REGISTERED_DOMAIN = "registered_domain"
    EXACT_SET = "exact_set"
    NEW_ORDERS = "new_orders"
    FAILED_VALIDATIONS = "failed_validations"
    NEW_ACCOUNTS = "new_accounts"


class Renewal(StrEnum):
    """What a new order is to the CA."""

    NEW = "new"
    SAME_SET = "same_set"  # the names of an earlier certificate, without `replaces` or outside its window
    ARI = "ari"


@dataclass(frozen=True)
class Bucket:
    count: int
    window: timedelta

    @property
    def spacing(self) -> timedelta:
        return self.window / self.count


LETS_ENCRYPT: Mapping[CaLimit, Bucket] = {
    CaLimit.REGISTERED_DOMAIN: Bucket(50, timedelta(days=7)),  # one per 202 minutes
    CaLimit.EXACT_SET: Bucket(5, timedelta(days=7)),  # one per 34 hours
    CaLimit.NEW_ORDERS: Bucket(300, timedelta(hours=3)),  # one per 36 seconds
    CaLimit.FAILED_VALIDATIONS: Bucket(5, timedelta(hours=1)),  # one per 12 minutes
    CaLimit.NEW_ACCOUNTS: Bucket(10, timedelta(hours=3)),
}
LETS_ENCRYPT_STAGING: Mapping[CaLimit, Bucket] = {
    CaLimit.REGISTERED_DOMAIN: Bucket(30_000, timedelta(days=7)),
    CaLimit.EXACT_SET: Bucket(30_000, timedelta(days=7)),
    CaLimit.NEW_ORDERS: Bucket(1_500, timedelta(hours=3)),
    CaLimit.FAILED_VALIDATIONS: Bucket(200, timedelta(hours=1)),
    CaLimit.NEW_ACCOUNTS: Bucket(50, timedelta(hours=3)),
}


@dataclass(frozen=True)
class Charge:
    """One bucket: a limit and what it counts for. The key of a ledger's rows."""

    limit: CaLimit
    subject: str


@dataclass(frozen=True)
class Wanted:
    """An order one would like to place. `domains` are the registered ones of its names."""

    account: str
    names: Sequence[str]
    domains: Sequence[str]
    renewal: Renewal = Renewal.NEW


@dataclass(frozen=True)
class Spent:
    """What the ledger knows of one bucket: the moments of its events (those ahead are reservations), or all of them in
    one moment, `full_at`, at which the bucket would be full again; or both, the events then being later ones.

    Events older than twice the bucket's window change nothing. `refused_until` is what the CA itself said last.
    """

    events: Sequence[datetime] = ()
    refused_until: datetime | None = None
    full_at: datetime | None = None


@dataclass(frozen=True)
class Possible:
    """`at` is now and `by` None where nothing stands in the way. `left`: how many more fit into the fullest bucket."""

    at: datetime
    by: Charge | None
    left: int | None
    why: str


def set_key(names: Iterable[str]) -> str:
    """The subject of EXACT_SET: the same for the same names in any order and spelling. SHA-256, hex."""
    return hashlib.sha256(",".join(sorted({name.lower() for name in names})).encode()).hexdigest()


def name_key(account: str, name: str) -> str:
    """The subject of FAILED_VALIDATIONS; a wildcard is validated at its base."""
    return f"{account}|{name.lower().removeprefix('*.')}"


def charges_of(wanted: Wanted) -> list[Charge]:
    """Every bucket that must have something left before the order is sent."""
    if wanted.renewal is Renewal.ARI:
        return []
    failed = sorted({name_key(wanted.account, name) for name in wanted.names})
    found = [Charge(CaLimit.EXACT_SET, set_key(wanted.names))]
    found += [Charge(CaLimit.FAILED_VALIDATIONS, subject) for subject in failed]
    return found + spent_by_order(wanted) + _domains(wanted)


def spent_by_order(wanted: Wanted) -> list[Charge]:
    return [Charge(CaLimit.NEW_ORDERS, wanted.account)] if wanted.renewal is Renewal.NEW else []


def spent_by_issue(wanted: Wanted) -> list[Charge]:
    return [Charge(CaLimit.EXACT_SET, set_key(wanted.names)), *_domains(wanted)]


def _domains(wanted: Wanted) -> list[Charge]:
    if wanted.renewal is not Renewal.NEW:
        return []
    return [Charge(CaLimit.REGISTERED_DOMAIN, domain) for domain in sorted({d.lower() for d in wanted.domains})]


def free_at(bucket: Bucket, spent: Spent, now: datetime, *, keep: int = 0) -> datetime:
    """The first moment from `now` on at which the bucket gives one and still holds `keep` for others."""
    if not 0 <= keep < bucket.count:
        raise ValueError(f"of {bucket.count} one cannot keep {keep}")
    full_again = _full_again(bucket, spent)
    at = max(now, spent.refused_until or now)
    return at if full_again is None else max(at, full_again - (bucket.count - 1 - keep) * bucket.spacing)


def left_at(bucket: Bucket, spent: Spent, now: datetime) -> int:
    """How many the bucket gives at once at `now`; reservations ahead count as given."""
    if spent.refused_until is not None and spent.refused_until > now:
        return 0
    full_again = _full_again(bucket, spent)
    if full_again is None or full_again <= now:
        return bucket.count
    missing = -(-(full_again - now) // bucket.spacing)
    return max(0, bucket.count - missing)


def possible_at(
    wanted: Wanted,
    ledger: Mapping[Charge, Spent],
    now: datetime,
    *,
    limits: Mapping[CaLimit, Bucket] = LETS_ENCRYPT,
    keep: Mapping[CaLimit, int] | None = None,
) -> Possible:
    """When the CA's limits let the order through. `keep` holds so many of a bucket back, for what cannot wait."""
    if wanted.renewal is Renewal.ARI:
        return Possible(now, None, None, "a renewal inside its suggested window counts against no limit")
    latest, by, left = now, None, None
    for charge in charges_of(wanted):
        bucket, spent = limits.get(charge.limit), ledger.get(charge, Spent())
        if bucket is None:
            continue
        at = free_at(bucket, spent, now, keep=(keep or {}).get(charge.limit, 0))
        remaining = left_at(bucket, spent, now)
        left = remaining if left is None else min(left, remaining)
        if at > latest:
            latest, by = at, charge
    return Possible(latest, by, left, "within all limits" if by is None else _why(limits[by.limit], by, latest))


def taken(bucket: Bucket, spent: Spent, at: datetime) -> Spent:
    """After one more event, in the short form that one row per bucket can hold. Never less careful than all events."""
    full = _full_again(bucket, spent)
    return Spent((), spent.refused_until, (at if full is None else max(full, at)) + bucket.spacing)


def given_back(bucket: Bucket, spent: Spent) -> Spent:
    """After a reservation that was not used, in the short form."""
    full = _full_again(bucket, spent)
    return Spent((), spent.refused_until, None if full is None else full - bucket.spacing)


def _full_again(bucket: Bucket, spent: Spent) -> datetime | None:
    """When the bucket would be full if nothing more were taken (the generic cell rate algorithm)."""
    full = spent.full_at
    for event in sorted(spent.events):
        full = (event if full is None else max(full, event)) + bucket.spacing
    return full


def _why(bucket: Bucket, charge: Charge, at: datetime) -> str:
    span = f"{bucket.window // timedelta(days=1)} days" if bucket.window.days else f"{bucket.window.seconds // 3600} h"
    what = {
        CaLimit.REGISTERED_DOMAIN: f"certificates for {charge.subject}",
        CaLimit.EXACT_SET: "certificates for exactly these names",
        CaLimit.NEW_ORDERS: "orders of this account",
        CaLimit.FAILED_VALIDATIONS: f"failed validations of {charge.subject.rpartition('|')[2]}",
        CaLimit.NEW_ACCOUNTS: "new accounts",
    }[charge.limit]
    return f"the CA allows {bucket.count} {what} in {span}; the next is possible at {at:%Y-%m-%d %H:%M} UTC"
