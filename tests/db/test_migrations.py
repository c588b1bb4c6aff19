"""Migrations run up and down, and end where the models are."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from db.base import Base, new_id
from db.migrate import downgrade, upgrade
from db.models import Deployment


def test_the_schema_is_what_the_models_say(pg_url: str) -> None:
    engine = create_engine(pg_url)
    with engine.connect() as connection:
        assert Deployment.__tablename__ in Base.metadata.tables
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_down_and_up_again(pg_url: str) -> None:
    downgrade(pg_url, "base")
    engine = create_engine(pg_url)
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    upgrade(pg_url)
    assert "instance_deployments" in inspect(engine).get_table_names()
    engine.dispose()


def test_servers_that_were_set_aside_move_to_the_ledger_and_back(pg_url: str) -> None:
    downgrade(pg_url, "0001")
    engine = create_engine(pg_url)
    assert "cloud_resources" not in inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.execute(text("""
            insert into vps_instances (id, vps_name, specs, lifecycle, power_state, is_shared, current_organizations,
                                       max_organizations, provider_type, provider_instance_id, currency)
            values (:id, 'quarantine-demo-vps2', '{"correlation": "abc"}', 'quarantined', 'unknown', false, 0, 1,
                    'transip', 'demo-vps2', 'EUR')"""), {"id": new_id()})  # fmt: skip
    upgrade(pg_url)
    with engine.begin() as connection:
        (moved,) = connection.execute(text("select provider_ref, correlation, state, note from cloud_resources"))
        assert connection.execute(text("select count(*) from vps_instances")).scalar_one() == 0
    assert tuple(moved) == ("demo-vps2", "abc", "unexplained", "second server with one order's token")
    downgrade(pg_url, "0001")
    with engine.begin() as connection:
        (back,) = connection.execute(text("select vps_name, lifecycle, provider_instance_id from vps_instances"))
        connection.execute(text("delete from vps_instances"))
    assert tuple(back) == ("quarantine-demo-vps2", "quarantined", "demo-vps2")
    upgrade(pg_url)
    engine.dispose()


def test_people_told_apart_by_capitals_alone_are_named_before_anything_changes(pg_url: str) -> None:
    downgrade(pg_url, "0004")
    engine = create_engine(pg_url)
    with engine.begin() as connection:
        for name in ("ann", "Ann"):
            connection.execute(text("""
                insert into users (id, username, email, name, password_hash, role, must_change_password, is_active)
                values (:id, :name, :email, '', 'x', 'USER', false, true)"""),
                {"id": new_id(), "name": name, "email": f"{name}@example.test"})  # fmt: skip
    with pytest.raises(RuntimeError, match=r"ann@example\.test"):
        upgrade(pg_url)
    assert "tenants" not in inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.execute(text("delete from users"))
    upgrade(pg_url)
    engine.dispose()
