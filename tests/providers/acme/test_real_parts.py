"""The whole of a certificate's life on real parts: PowerDNS answers, Pebble validates, issues, and suggests windows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.renewal import Action, Certificate, Window, plan
from providers.acme.client import AcmeClient, Reason
from providers.dns.challenges import ChallengeSolver
from providers.dns.powerdns import PowerDNS
from tests.providers.acme.control import fresh_name, revoked, set_window
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, NameServer, authority, name_server


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NameServer]:
    async with name_server("pdns", tmp_path_factory.mktemp("pdns")) as made:
        yield made


@pytest.fixture(scope="module")
async def ca(server: NameServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ca]:
    async with authority("pebble", tmp_path_factory.mktemp("pebble"), server.dns) as made:
        yield made


async def test_base_and_wildcard_are_issued_renewed_by_the_window_and_replaced_when_revoked(
    client: AcmeClient, ca: Ca, solver: ChallengeSolver, dns: PowerDNS
) -> None:
    account, name = client.new_account_key(), fresh_name()
    names = [f"*.{name}", name]
    first = await client.issue(account, make_csr(*names), solver=solver, deadline_seconds=60)
    while not int(first.serial, 16).bit_length() % 8:  # Pebble 2.10 cannot find such a predecessor
        first = await client.issue(account, make_csr(*names), solver=solver, deadline_seconds=60)
    assert first.names == names
    assert await dns.read(f"_acme-challenge.{name}", "TXT") is None

    # The policy waits for the CA's window, and renews at once when the CA moves it into the past.
    known = Certificate("c-1", first.not_before, first.not_after)
    assert plan(known, datetime.now(UTC)).action is Action.POLL
    info = await client.renewal_info(first.chain_pem)
    assert info.start is not None
    assert info.end is not None
    usual = Certificate("c-1", first.not_before, first.not_after, Window(info.start, info.end), polls=False)
    assert info.start <= plan(usual, datetime.now(UTC)).at <= info.end
    now = datetime.now(UTC).replace(microsecond=0)
    await set_window(ca, first, now - timedelta(hours=2), now - timedelta(hours=1), "https://ca.example/incident")
    info = await client.renewal_info(first.chain_pem)
    assert (info.end, info.explanation_url) == (now - timedelta(hours=1), "https://ca.example/incident")
    assert info.start is not None
    moved = Certificate("c-1", first.not_before, first.not_after, Window(info.start, info.end))
    step = plan(moved, datetime.now(UTC))
    assert (step.action, step.at <= datetime.now(UTC)) == (Action.RENEW, True)

    second = await client.issue(
        account, make_csr(*names), solver=solver, replaces=first.certificate_id, deadline_seconds=60
    )
    assert second.replaces == first.certificate_id

    # Another key of the account revokes; the CA then wants the certificate replaced at once.
    key = client.new_account_key()
    await client.roll_over(account, key)
    assert await client.revoke(key, second.chain_pem, Reason.KEY_COMPROMISE)
    assert await revoked(ca, second) == Reason.KEY_COMPROMISE
    wanted = await client.renewal_info(second.chain_pem)
    assert wanted.end is not None
    assert wanted.end < datetime.now(UTC)
    third = await client.issue(key, make_csr(*names), solver=solver, replaces=second.certificate_id)
    assert third.names == names
