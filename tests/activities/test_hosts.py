"""The host activities on an emulated host: what operators read, what a repeat does, how failures are named."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from db.models import Secret
from domain.errors import Trouble
from tests.activities.hosting import PASSWORD, Hosting


def trouble(caught: pytest.ExceptionInfo[ApplicationError]) -> str | None:
    return caught.value.type


async def test_the_whole_way_and_once_more_says_already_present(shop: Hosting) -> None:
    await shop.provisioned()
    await shop.run(shop.health.health_check)
    first = len(await shop.lines())
    await shop.provisioned()
    again = (await shop.lines())[first:]
    for words in ("Server set-up: already present", ".env.production: already present", "Images: already present",
                  "services are running: already present", "Database schema: already present",
                  "TLS key: already present"):  # fmt: skip
        assert any(words in line for line in again), words
    assert (await shop.facts()).server.set_up_version


async def test_no_secret_is_in_the_log_or_in_a_command(shop: Hosting) -> None:
    await shop.provisioned()
    async with shop.deps.db.begin() as session:
        rows = (await session.execute(select(Secret).where(Secret.purpose.like("env:%")))).scalars().all()
    values = [shop.deps.keys.decrypt(r.key_id, r.ciphertext or b"", context=f"secrets/{r.id}").decode() for r in rows]
    assert len(values) >= 3
    told = "\n".join([*await shop.lines(), *(line for _, line in shop.machine.commands)])
    assert [v for v in (*values, PASSWORD, "registry-pass-word", "PRIVATE KEY") if v in told] == []


async def test_secrets_are_the_same_on_every_try(shop: Hosting) -> None:
    """X39."""
    await shop.run(shop.hosts.set_up_server)
    await shop.run(shop.hosts.write_env)
    before = shop.machine.tree.text(f"/srv/slipway/{shop.slug}/.env.production")
    await shop.run(shop.hosts.write_env)
    assert shop.machine.tree.text(f"/srv/slipway/{shop.slug}/.env.production") == before


async def test_a_failed_migration_is_final_and_a_corrected_environment_arrives_with_the_retry(shop: Hosting) -> None:
    await shop.run(shop.hosts.set_up_server)
    await shop.run(shop.hosts.transfer_files)
    broken = {"MIGRATION_TARGET": "0099_never"}
    await shop.run(shop.hosts.start_services, environment=broken)
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.run_migrations, environment=broken)
    assert (trouble(caught), caught.value.non_retryable) == (Trouble.MIGRATION_FAILED, True)
    assert "0099_never" in str(caught.value)
    await shop.run(shop.hosts.run_migrations)
    assert shop.machine.state.volumes[f"{shop.slug}_postgres-data"].admin["email"] == "ada@example.com"


async def test_a_wrong_registry_parks_and_a_corrected_one_works(shop: Hosting) -> None:
    await shop.run(shop.hosts.set_up_server)
    await shop.run(shop.hosts.transfer_files)
    shop.driver.fault(shop.host_name, "registry_denied", match="wrong.test")
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.start_services, registry="wrong.test")
    assert (trouble(caught), caught.value.non_retryable) == (Trouble.UNAUTHORIZED, True)
    await shop.run(shop.hosts.start_services)


async def test_a_variable_of_ours_cannot_be_replaced(shop: Hosting) -> None:
    await shop.run(shop.hosts.set_up_server)
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.write_env, environment={"JWT_SECRET": "short"})
    assert trouble(caught) == Trouble.INVALID_INPUT
    assert caught.value.details[0]["field"] == "environment"


@pytest.mark.parametrize(
    ("fault", "expected", "final"),
    [
        ("refuse_ssh", Trouble.HOST_UNREACHABLE, False),
        ("wrong_host_key", Trouble.HOST_KEY_MISMATCH, True),
    ],
)
async def test_ssh_troubles_by_name(shop: Hosting, fault: str, expected: Trouble, final: bool) -> None:
    shop.driver.fault(shop.host_name, fault)  # type: ignore[arg-type]
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.await_ssh)
    assert (trouble(caught), caught.value.non_retryable) == (expected, final)
    shop.driver.clear(shop.host_name)
    await shop.run(shop.hosts.await_ssh)


async def test_a_key_that_is_not_accepted_yet_is_waited_for(shop: Hosting) -> None:
    kept = shop.machine.tree.text("/root/.ssh/authorized_keys")
    shop.machine.tree.write("/root/.ssh/authorized_keys", b"")
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.await_ssh)
    assert (trouble(caught), caught.value.non_retryable) == (Trouble.NOT_READY, False)
    shop.machine.tree.write("/root/.ssh/authorized_keys", kept.encode())
    await shop.run(shop.hosts.await_ssh)


async def test_a_full_disk_by_name(shop: Hosting) -> None:
    await shop.run(shop.hosts.set_up_server)
    shop.driver.fault(shop.host_name, "disk_full")
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.transfer_files)
    assert trouble(caught) == Trouble.DISK_FULL


async def test_tls_without_a_certificate_is_ours_to_mend(shop: Hosting) -> None:
    await shop.run(shop.hosts.set_up_server)
    with pytest.raises(ApplicationError) as caught:
        await shop.run(shop.hosts.configure_tls)
    assert trouble(caught) == Trouble.MISSING_SETTING


async def test_an_application_is_removed_from_a_host_and_from_one_never_set_up(shop: Hosting) -> None:
    await shop.run(shop.hosts.remove_application)
    await shop.provisioned()
    await shop.run(shop.hosts.remove_application)
    await shop.run(shop.hosts.remove_application)
    assert shop.machine.state.projects == {}
    assert shop.machine.tree.find(f"/srv/slipway/{shop.slug}") is None
