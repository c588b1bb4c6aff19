"""Accounts as rows: the key is readable by its owner alone, names are settled by the database, removal is soft."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from db.base import new_id
from db.keyring import KeyRing, KeyRingError
from db.models import Placement, ServerIntent, VpsInstance
from db.models_clouds import ProviderCache, ServiceProvider
from db.queries import environment, providers, reservation
from db.session import Database
from tests.db.conftest import MakeDeployment

KEY = "dop_v1_a-very-secret-token"
ENVIRONMENT = {"transip": ("first key", {"username": "acme", "default_region": "ams0"})}


@pytest.fixture(autouse=True)
async def empty(db: Database) -> None:
    async with db.begin() as session:
        for table in (ServerIntent, Placement):
            await session.execute(delete(table))
        await session.execute(text("update instance_deployments set vps_id = null"))
        for table in (VpsInstance, ServiceProvider):
            await session.execute(delete(table))


async def make(db: Database, keys: KeyRing, **changes: Any) -> ServiceProvider:
    values = {"name": "Linode", "kind": "linode", "api_key": KEY, "configuration": {}} | changes
    async with db.begin() as session:
        return await providers.create(session, keys, **values)


async def server(db: Database, provider_id: uuid.UUID | None, **columns: Any) -> uuid.UUID:
    ref = new_id()
    shape = {"vps_name": f"v-{ref.hex[-8:]}", "lifecycle": "active", "provider_type": "linode", "specs": {}}
    async with db.begin() as session:
        session.add(VpsInstance(id=ref, provider_id=provider_id, **(shape | columns)))
    return ref


async def seed(db: Database, keys: KeyRing, accounts: environment.Accounts, *, retire: bool = True) -> None:
    await environment.seed(db, keys, accounts, retire=retire)


async def rows(db: Database) -> list[ServiceProvider]:
    async with db.begin() as session:
        return list((await session.execute(select(ServiceProvider).order_by(ServiceProvider.created_at))).scalars())


class TestKeys:
    async def test_a_key_is_stored_encrypted_and_read_back(self, db: Database, keys: KeyRing) -> None:
        row = await make(db, keys)
        assert KEY not in str(row.api_key_encrypted)
        assert row.key_id == keys.current
        assert providers.read_key(keys, row) == KEY

    async def test_a_key_copied_to_another_row_cannot_be_read(self, db: Database, keys: KeyRing) -> None:
        first, second = await make(db, keys), await make(db, keys, name="Another", api_key="other")
        second.api_key_encrypted = first.api_key_encrypted
        with pytest.raises(KeyRingError):
            providers.read_key(keys, second)


class TestChanging:
    async def test_a_name_is_given_once_and_is_free_after_a_removal(self, db: Database, keys: KeyRing) -> None:
        first = await make(db, keys)
        async with db.begin() as session:
            with pytest.raises(providers.NameTaken):
                await providers.create(session, keys, name="Linode", kind="linode", api_key="x", configuration={})
            row = await providers.get(session, first.id, lock=True)
            assert row is not None
            await providers.remove(session, row)
        assert (await make(db, keys)).name == "Linode"

    @pytest.mark.parametrize("given", [{"active": False}, {"api_key": "new"}, {"configuration": {"limits": {"a": 1}}}])
    async def test_what_was_cached_and_validated_is_forgotten(
        self, db: Database, keys: KeyRing, given: dict[str, Any]
    ) -> None:
        row = await make(db, keys)
        other = await make(db, keys, name="Other")
        async with db.begin() as session:
            for account in (row, other):
                session.add(ProviderCache(key=f"provider:{account.id}:plans", provider_id=account.id, value=[],
                                          fetched_at=datetime.now(UTC), fresh_until=datetime.now(UTC)))  # fmt: skip
            await providers.note_validation(session, row.id, "accepted", datetime.now(UTC), seen=row.updated_at)
        async with db.begin() as session:
            found = await providers.get(session, row.id, lock=True)
            assert found is not None
            assert found.validation == "accepted"
            assert await providers.change(session, keys, found, **given) == list(given)
            kept = (await session.execute(select(ProviderCache.provider_id))).scalars().all()
        assert list(kept) == [other.id]
        assert (found.validation == "") is ("active" not in given)
        assert found.updated_at > row.updated_at

    async def test_a_validation_leaves_the_account_as_new_as_it_was(self, db: Database, keys: KeyRing) -> None:
        row = await make(db, keys)
        async with db.begin() as session:
            await providers.note_validation(session, row.id, "accepted", datetime.now(UTC), seen=row.updated_at)
        (after,) = await rows(db)
        assert (after.updated_at, after.validation) == (row.updated_at, "accepted")

    async def test_nothing_given_changes_nothing(self, db: Database, keys: KeyRing) -> None:
        row = await make(db, keys)
        async with db.begin() as session:
            found = await providers.get(session, row.id, lock=True)
            assert found is not None
            assert await providers.change(session, keys, found, name="Linode", active=True, configuration={}) == []
        assert found.updated_at == row.updated_at


class TestRemoving:
    @pytest.mark.parametrize(
        "columns",
        [{}, {"lifecycle": "pending"}, {"lifecycle": "terminating"},
         {"lifecycle": "failed", "provider_instance_id": "17"}],
    )  # fmt: skip
    async def test_is_refused_while_servers_live_there(
        self, db: Database, keys: KeyRing, columns: dict[str, Any]
    ) -> None:
        row = await make(db, keys)
        await server(db, row.id, **columns)
        async with db.begin() as session:
            found = await providers.get(session, row.id, lock=True)
            assert found is not None
            with pytest.raises(providers.ServersLive) as refused:
                await providers.remove(session, found)
            assert refused.value.count == 1
            assert [count for _, count in await providers.listed(session)] == [1]
        assert providers.read_key(keys, found) == KEY

    async def test_is_refused_while_an_order_may_still_become_a_server_or_a_run_proves_that_none_is_left(
        self, db: Database, keys: KeyRing, make_deployment: MakeDeployment
    ) -> None:
        row = await make(db, keys)
        unsettled = await server(db, row.id, lifecycle="failed")
        proving = await server(db, row.id, lifecycle="terminated")
        deployment = await make_deployment(f"r{uuid.uuid4().hex[:8]}")
        async with db.begin() as session:
            session.add(ServerIntent(vps_id=unsettled, deployment_id=deployment.id, provider="linode", correlation="c",
                                     state="sent"))  # fmt: skip
            session.add(Placement(id=new_id(), vps_id=proving, deployment_id=deployment.id, place=0))
        async with db.begin() as session:
            assert await providers.servers_at(session, row.id) == 2

    async def test_destroys_the_key_and_keeps_the_row_for_what_lived_there(self, db: Database, keys: KeyRing) -> None:
        row = await make(db, keys)
        await server(db, row.id, lifecycle="terminated", provider_instance_id="16")
        await server(db, row.id, lifecycle="failed")
        async with db.begin() as session:
            found = await providers.get(session, row.id, lock=True)
            assert found is not None
            await providers.remove(session, found)
            assert await providers.get(session, row.id) is None
            assert await providers.of_kind(session, "linode") == []
        (kept,) = await rows(db)
        assert (kept.active, kept.api_key_encrypted, kept.key_id) == (False, None, "")
        assert providers.read_key(keys, kept) is None

    async def test_waits_for_an_order_that_chose_the_account(
        self, db: Database, keys: KeyRing, make_deployment: MakeDeployment
    ) -> None:
        """Else a server could come to live at an account that nobody can delete it with."""
        row = await make(db, keys)
        deployment = await make_deployment(f"q{uuid.uuid4().hex[:8]}")

        async def remove() -> str:
            async with db.begin() as session:
                found = await providers.get(session, row.id, lock=True)
                assert found is not None
                try:
                    await providers.remove(session, found)
                except providers.ServersLive:
                    return "refused"
            return "removed"

        async with db.begin() as session:
            vps, _, _ = await reservation.reserve(
                session, deployment.id, provider="linode", shared_places=2, base_domain="slipway.test"
            )
            assert vps.provider_id == row.id
            removal = asyncio.create_task(remove())
            waiting = select(func.count()).select_from(text("pg_stat_activity")).where(
                text("wait_event_type = 'Lock' and datname = current_database()"))  # fmt: skip
            while True:
                async with db.begin() as other:  # within one transaction every look shows the same
                    if (await other.execute(waiting)).scalar_one():
                        break
                await asyncio.sleep(0.01)
        assert await removal == "refused"


class TestReserving:
    async def test_without_an_account_named_the_oldest_active_one_is_taken(
        self, db: Database, keys: KeyRing, make_deployment: MakeDeployment
    ) -> None:
        await make(db, keys, name="Off", active=False)
        oldest = await make(db, keys)
        named = await make(db, keys, name="Third")
        for wanted, expected in ((None, oldest.id), (named.id, named.id)):
            deployment = await make_deployment(f"a{uuid.uuid4().hex[:8]}")
            async with db.begin() as session:
                vps, _, _ = await reservation.reserve(
                    session, deployment.id, provider="linode", provider_id=wanted, shared_places=2,
                    base_domain="slipway.test")  # fmt: skip
            assert vps.provider_id == expected

    async def test_an_account_of_another_cloud_is_refused(
        self, db: Database, keys: KeyRing, make_deployment: MakeDeployment
    ) -> None:
        row = await make(db, keys)
        deployment = await make_deployment(f"b{uuid.uuid4().hex[:8]}")
        async with db.begin() as session:
            with pytest.raises(reservation.NoAccount):
                await reservation.reserve(session, deployment.id, provider="transip", provider_id=row.id,
                                          shared_places=2, base_domain="slipway.test")  # fmt: skip

    async def test_a_server_reserved_before_there_was_an_account_keeps_the_one_it_gets(
        self, db: Database, keys: KeyRing
    ) -> None:
        ref = await server(db, None, lifecycle="provisioning")
        first = await make(db, keys)
        for _ in range(2):
            async with db.begin() as session:
                vps = await session.get_one(VpsInstance, ref)
                await reservation.settle_account(session, vps)
                assert vps.provider_id == first.id
                await session.execute(update(ServiceProvider).values(active=False))
            await make(db, keys, name=f"Later {uuid.uuid4().hex}")


class TestEnvironment:
    async def test_many_processes_that_start_at_once_make_one_row(self, db: Database, keys: KeyRing) -> None:
        await asyncio.gather(*(seed(db, keys, ENVIRONMENT) for _ in range(8)))
        (row,) = await rows(db)
        assert (row.name, row.type, row.origin, row.active) == ("TransIP", "transip", "environment", True)
        assert (row.configuration, providers.read_key(keys, row)) == (ENVIRONMENT["transip"][1], "first key")

    async def test_what_changed_in_the_environment_changes_in_the_row(self, db: Database, keys: KeyRing) -> None:
        await seed(db, keys, ENVIRONMENT)
        await seed(db, keys, {"transip": ("second key", {"username": "other"})})
        (row,) = await rows(db)
        assert (row.configuration, providers.read_key(keys, row)) == ({"username": "other"}, "second key")

    async def test_an_administrators_decision_holds_while_the_environment_says_the_same(
        self, db: Database, keys: KeyRing
    ) -> None:
        await seed(db, keys, ENVIRONMENT)
        async with db.begin() as session:
            await session.execute(update(ServiceProvider).values(active=False, name="Old account"))
        await seed(db, keys, ENVIRONMENT)
        (row,) = await rows(db)
        assert (row.active, row.name) == (False, "Old account")

    async def test_an_account_that_is_gone_is_disabled_and_comes_back(self, db: Database, keys: KeyRing) -> None:
        await seed(db, keys, ENVIRONMENT)
        await seed(db, keys, {}, retire=False)
        (row,) = await rows(db)
        assert (row.active, environment.is_named(row)) == (True, True)
        await seed(db, keys, {})
        (row,) = await rows(db)
        assert (row.active, row.deleted_at, environment.is_named(row)) == (False, None, False)
        assert providers.read_key(keys, row) == "first key", "its servers can still be deleted"
        await seed(db, keys, ENVIRONMENT)
        (row,) = await rows(db)
        assert (row.active, environment.is_named(row)) == (True, True)

    async def test_a_key_is_encrypted_anew_when_the_ring_has_a_newer_one(self, db: Database) -> None:
        old, new = KeyRing.generate("old"), KeyRing.generate("new")
        await seed(db, KeyRing.parse(old), ENVIRONMENT)
        for ring in (KeyRing.parse(f"{new},{old}"), KeyRing.parse(new), KeyRing.parse(old)):
            await seed(db, ring, ENVIRONMENT)
            (row,) = await rows(db)
            assert (row.key_id, providers.read_key(ring, row)) == (ring.current, "first key")

    async def test_a_name_that_is_taken_is_not_fought_over(self, db: Database, keys: KeyRing) -> None:
        await make(db, keys, name="TransIP", kind="transip")
        await seed(db, keys, ENVIRONMENT)
        assert [row.name for row in await rows(db)] == ["TransIP", "TransIP (environment)"]

    async def test_servers_from_before_get_the_account_of_their_cloud_once(self, db: Database, keys: KeyRing) -> None:
        mine = await make(db, keys, name="Mine", kind="transip")
        lost = await server(db, None, provider_type="transip")
        elsewhere, owned = await server(db, None), await server(db, mine.id, provider_type="transip")
        for _ in range(2):
            await seed(db, keys, ENVIRONMENT)
        async with db.begin() as session:
            found = dict((await session.execute(select(VpsInstance.id, VpsInstance.provider_id))).all())
        (seeded,) = [row for row in await rows(db) if row.origin == "environment"]
        assert found == {lost: seeded.id, elsewhere: None, owned: mine.id}
