"""What the benchmarks run on: a private PostgreSQL and Temporal's server, started as `make up` starts it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from db.migrate import upgrade
from domain.visibility import SEARCH_ATTRIBUTES
from tests import postgres
from tests.conftest import TEMPORAL


@contextlib.contextmanager
def database() -> Iterator[str]:
    """SQLAlchemy URL of a fresh, migrated database."""
    with postgres.server() as server:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("create database bench")
        url = f"{server.replace('postgresql://', 'postgresql+psycopg://')}/bench"
        upgrade(url)
        yield url


@contextlib.asynccontextmanager
async def temporal() -> AsyncIterator[Client]:
    """A dev server with a database file, WAL and the one setting that matters (performance.md, lesson 1)."""
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        env = await WorkflowEnvironment.start_local(
            dev_server_existing_path=TEMPORAL,
            dev_server_startup_timeout=timedelta(seconds=60),
            dev_server_log_level="error",
            dev_server_database_filename=str(Path(folder) / "temporal.db"),
            data_converter=pydantic_data_converter,
            search_attributes=SEARCH_ATTRIBUTES,
            dev_server_extra_args=[
                "--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1",
                "--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000",
            ],
        )  # fmt: skip
        async with env:
            yield env.client
