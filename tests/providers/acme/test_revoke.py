"""Revocation at both CAs, and what the CA then says of the certificate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from providers.acme.client import AcmeClient, Reason
from providers.dns.challenges import ChallengeSolver
from providers.errors import InvalidInput, Unauthorized
from tests.providers.acme.control import fault, fresh_name, revoked
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca


async def test_it_is_revoked_once_with_its_reason_and_wants_to_be_renewed_at_once(
    client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
) -> None:
    issued = await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
    assert await revoked(ca, issued) is None
    assert await client.revoke(account_key, issued.chain_pem, Reason.SUPERSEDED) is True
    assert await client.revoke(account_key, issued.chain_pem, Reason.SUPERSEDED) is False
    assert await revoked(ca, issued) == Reason.SUPERSEDED
    info = await client.renewal_info(issued.chain_pem)
    assert info.end is not None
    assert info.end < datetime.now(UTC)


async def test_another_accounts_certificate_is_not_ours_to_revoke(
    client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
) -> None:
    issued = await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
    stranger = client.new_account_key()
    await client.open_account(stranger)
    with pytest.raises(Unauthorized):
        await client.revoke(stranger, issued.chain_pem)
    assert await revoked(ca, issued) is None


async def test_a_key_without_an_account_revokes_nothing_and_makes_no_account(client: AcmeClient, ca: Ca) -> None:
    with pytest.raises(Unauthorized, match="no account"):
        await client.revoke(client.new_account_key(), ca.ca_file.read_text())


async def test_what_is_no_certificate_is_refused_here(client: AcmeClient, account_key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await client.revoke(account_key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    assert caught.value.field == "certificate"


@pytest.mark.parametrize("ca", ["sandbox"], indirect=True)
async def test_a_reason_the_ca_does_not_take_names_its_field(
    client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
) -> None:
    issued = await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
    await fault(ca, path="/revoke", status=400, kind="badRevocationReason", detail="not that one")
    with pytest.raises(InvalidInput) as caught:
        await client.revoke(account_key, issued.chain_pem, Reason.KEY_COMPROMISE)
    assert caught.value.field == "reason"
