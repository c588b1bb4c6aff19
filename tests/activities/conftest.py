"""Fixtures of the activities that work on hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.keyring import KeyRing
from db.session import Database
from tests.activities.hosting import Hosting, hosting
from tests.providers.hosts.conftest import Authority, authority

__all__ = ["authority"]


@pytest.fixture
async def shop(db: Database, keys: KeyRing, authority: Authority, tmp_path: Path) -> AsyncIterator[Hosting]:
    async with hosting(db, keys, authority, tmp_path) as made:
        yield made
