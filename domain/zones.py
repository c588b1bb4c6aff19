"""Changes of zones that somebody asks for (R156, R157): what their runs are told, and what a look at a zone finds.

Fields are only ever added, with defaults: histories of running workflows carry the old shape.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, Field

from domain.dns_records import RecordKey

CHALLENGE = "_acme-challenge"  # first label of what certificate runs write and clean up


class ChangeKind(StrEnum):
    ZONE = "zone"  # make the zone and publish everything its rows say
    SET = "set"  # bring one set to what its rows say; without rows it is taken away
    END = "end"  # take the zone away


class ChangeState(StrEnum):
    WAITING = "waiting"
    PUBLISHED = "published"  # seen at every authoritative server
    FAILED = "failed"  # the rows stay as they were wished; asking again repeats it


class ZoneCall(BaseModel):
    """Input of the workflows ChangeZone and LookAtZone; the name is for people who read Temporal's list."""

    zone_id: str
    zone_name: str = ""


class ChangeCall(BaseModel):
    change_id: str
    summary: str = ""  # for people


class ChangeEnd(BaseModel):
    """Why a change was given up: the trouble's name and a sentence."""

    change_id: str
    trouble: str
    message: str


class ZoneSeen(BaseModel):
    """What the name servers really hold. `differing`: sets (as `name TYPE`) that are not there as their rows say, each
    with a sentence; where there are too many, `whole` is False. `unlisted`: sets that no row speaks of. `published`
    says that every authoritative server has the primary's serial, `behind` why not."""

    serial: int | None = None
    differing: dict[str, str] = Field(default_factory=dict)
    unlisted: list[str] = Field(default_factory=list)
    whole: bool = True
    published: str = ""
    behind: str = ""

    def in_sync(self, key: RecordKey) -> bool | None:
        """None where the look was cut before this set."""
        if str(key) in self.differing:
            return False
        return True if self.whole else None
