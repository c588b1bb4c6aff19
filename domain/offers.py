"""What clouds offer, by resource: the words of the cache, and how long an answer counts (R334–R337, R268)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import BaseModel


class Offer(StrEnum):
    """The last part of a cache key."""

    PLANS = "plans"  # sizes
    IMAGES = "images"
    REGIONS = "regions"
    MARKETPLACE = "marketplace"
    STACKSCRIPTS = "stackscripts"


LIFETIMES: dict[Offer, timedelta] = {
    Offer.PLANS: timedelta(hours=1),
    Offer.IMAGES: timedelta(hours=1),
    Offer.REGIONS: timedelta(hours=1),
    Offer.MARKETPLACE: timedelta(hours=6),
    Offer.STACKSCRIPTS: timedelta(hours=1),
}


class ImageKind(StrEnum):
    DISTRIBUTION = "distribution"
    APPLICATION = "application"
    CUSTOM = "custom"


class OffersCall(BaseModel):
    """One resource of one account."""

    provider: str  # kind of cloud
    provider_id: str
    resource: Offer
