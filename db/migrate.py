"""Bring the schema to a revision; used by `slipway up`, `slipway migrate` and the tests."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config


def config(url: str) -> Config:
    """`url` is an SQLAlchemy URL (postgresql+psycopg://…)."""
    made = Config(str(Path(__file__).parent / "alembic.ini"))
    made.attributes["url"] = url
    return made


def upgrade(url: str, revision: str = "head") -> None:
    command.upgrade(config(url), revision)


def downgrade(url: str, revision: str) -> None:
    command.downgrade(config(url), revision)
