"""Migrations run up and down, and end where the models are."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from db.migrate import downgrade, upgrade
from db.models import Base


def test_the_schema_is_what_the_models_say(pg_url: str) -> None:
    engine = create_engine(pg_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_down_and_up_again(pg_url: str) -> None:
    downgrade(pg_url, "base")
    engine = create_engine(pg_url)
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    upgrade(pg_url)
    assert "instance_deployments" in inspect(engine).get_table_names()
    engine.dispose()
