"""Fixtures for all tests: a private PostgreSQL, a fresh migrated database, a key ring, Temporal with virtual time."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from db.keyring import KeyRing
from db.migrate import upgrade
from db.session import Database
from tests import postgres
from tests.parts import require

# The machine's own trust settings must not decide what a test sees.
for _name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(_name, None)
# Settings under test come from the test, never from a developer's .env or shell.
os.environ.setdefault("ENVIRONMENT", "test")

ROOT = Path(__file__).parent.parent
TEMPORAL = shutil.which("temporal", path=f"{ROOT / '.venv' / 'bin'}:{os.environ.get('PATH', '')}")
TEMPLATE = "slipway_template"


# Whole files are handed to two processes; the ones that take minutes begin, so that none is left for the end.
LONGEST = (
    "tests/e2e/test_real_hosts.py",
    "tests/e2e/test_bad_days.py",
    "tests/e2e/test_host_days.py",
    "tests/e2e/test_order_to_server.py",
    "tests/providers/hosts/test_real_host.py",
    "tests/faults/test_faults.py",
    "tests/api/test_clouds_trouble.py",
    "tests/portal/test_portal.py",
    "tests/portal/test_servers.py",
    "tests/activities/test_three_clouds.py",
    "tests/activities/test_inventory.py",
    "tests/sandbox/test_machine.py",
    "tests/e2e/test_trace.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT).as_posix()
        return LONGEST.index(path) if path in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def pg_server() -> Iterator[str]:
    """A PostgreSQL of this session with a migrated template database."""
    require("postgres")
    with postgres.server() as url:
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute(f"create database {TEMPLATE}")
        upgrade(f"{url.replace('postgresql://', 'postgresql+psycopg://')}/{TEMPLATE}")
        yield url


def _new_database(server: str) -> str:
    name = f"t_{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template {TEMPLATE}")
    return f"{server.replace('postgresql://', 'postgresql+psycopg://')}/{name}"


@pytest.fixture(scope="module")
def pg_url(pg_server: str) -> str:
    """SQLAlchemy URL of a database of this module, migrated and empty."""
    return _new_database(pg_server)


@pytest.fixture
async def db(pg_url: str) -> AsyncIterator[Database]:
    database = Database(pg_url, pool_min=2, pool_max=20)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    return KeyRing.parse(KeyRing.generate("test"))


@pytest.fixture(scope="session")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """The normal dev server with per-workflow virtual time (temporal.md, k)."""
    from domain.visibility import SEARCH_ATTRIBUTES

    env = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=TEMPORAL,
        dev_server_startup_timeout=timedelta(seconds=60),
        dev_server_log_level="error",
        data_converter=pydantic_data_converter,
        search_attributes=SEARCH_ATTRIBUTES,
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
    )
    async with env:
        yield env
