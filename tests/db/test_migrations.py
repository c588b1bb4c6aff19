"""Migrations run up and down, and end where the models are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
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


def test_of_certificates_from_before_the_newest_of_each_name_is_looked_after(pg_url: str) -> None:
    downgrade(pg_url, "0009")
    engine = create_engine(pg_url)
    firm, owner, old, new = new_id(), new_id(), new_id(), new_id()
    with engine.begin() as connection:
        connection.execute(text("insert into organizations (id, name, slug) values (:id, 'F', 'f')"), {"id": firm})
        connection.execute(text("""
            insert into instance_deployments (id, organization_id, deployment_type, tier, slug, assigned_subdomain,
                status, phase, attention, inputs, admin_email, admin_name, parked, currency, seq, position,
                requested_by)
            values (:id, :firm, 'dedicated', 'starter', 'f', 'f.test', 'active', 'active', 'none', '{}', 'a@f.test',
                    'A', '[]', 'EUR', 0, 0, '')"""), {"id": owner, "firm": firm})  # fmt: skip
        for ref, days in ((old, 10), (new, 60)):
            connection.execute(text("""
                insert into certificates (id, deployment_id, names, serial, issuer, not_before, not_after, chain_pem,
                                          key_sha256, directory_url)
                values (:id, :owner, '{f.test}', :serial, 'CA', now(), now() + make_interval(days => :days), '', '',
                        'https://ca.test')"""),
                {"id": ref, "owner": owner, "serial": str(days), "days": days})  # fmt: skip
    upgrade(pg_url)
    with engine.begin() as connection:
        rows = {row.id: row for row in connection.execute(text("select * from certificates"))}
        for table in ("certificates", "instance_deployments", "organizations"):
            connection.execute(text(f"delete from {table}"))
    assert (rows[new].next_action, rows[new].superseded_at) == ("poll", None)
    assert rows[new].renew_after is not None
    assert (rows[old].next_action, rows[old].renew_after) == ("", None)
    assert rows[old].superseded_at is not None
    engine.dispose()


def test_of_certificates_from_before_the_kind_of_key_is_read_from_the_chain(pg_url: str) -> None:
    downgrade(pg_url, "0010")
    engine = create_engine(pg_url)
    firm, owner = new_id(), new_id()
    chains = {"ec-secp256r1": _chain(), "": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"}
    with engine.begin() as connection:
        connection.execute(text("insert into organizations (id, name, slug) values (:id, 'K', 'k')"), {"id": firm})
        connection.execute(text("""
            insert into instance_deployments (id, organization_id, deployment_type, tier, slug, assigned_subdomain,
                status, phase, attention, inputs, admin_email, admin_name, parked, currency, seq, position,
                requested_by)
            values (:id, :firm, 'dedicated', 'starter', 'k', 'k.test', 'active', 'active', 'none', '{}', 'a@k.test',
                    'A', '[]', 'EUR', 0, 0, '')"""), {"id": owner, "firm": firm})  # fmt: skip
        for kind, chain in chains.items():
            connection.execute(text("""
                insert into certificates (id, deployment_id, names, serial, issuer, not_before, not_after, chain_pem,
                                          key_sha256, directory_url)
                values (:id, :owner, '{k.test}', :kind, 'CA', now(), now(), :chain, '', 'https://ca.test')"""),
                {"id": new_id(), "owner": owner, "kind": kind, "chain": chain})  # fmt: skip
    upgrade(pg_url)
    with engine.begin() as connection:
        found = {row.serial: row.key_type for row in connection.execute(text("select * from certificates"))}
    downgrade(pg_url, "0010")
    with engine.begin() as connection:
        assert connection.execute(text("select count(*) from certificates")).scalar_one() == len(chains)
        for table in ("certificates", "instance_deployments", "organizations"):
            connection.execute(text(f"delete from {table}"))
    assert found == {kind: kind for kind in chains}
    upgrade(pg_url)
    engine.dispose()


def _chain() -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=90))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
