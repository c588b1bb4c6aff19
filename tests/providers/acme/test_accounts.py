"""Accounts at both CAs: bound to one elsewhere, moved to another key, closed."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from providers.acme.accounts import ExternalAccount
from providers.acme.client import AcmeClient
from providers.dns.challenges import ChallengeSolver
from providers.errors import Conflict, InvalidInput, Unauthorized
from tests.providers.acme.control import fault, fresh_name
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, NameServer, authority

HMAC_KEY = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


@pytest.fixture(scope="module", params=["sandbox", "pebble"])
async def strict(
    request: pytest.FixtureRequest, server: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ca]:
    folder: Path = tmp_path_factory.mktemp("eab")
    async with authority(request.param, folder, server.dns, external={"customer-1": HMAC_KEY}) as made:
        yield made


class TestRollOver:
    async def test_the_account_goes_on_under_its_new_key(self, client: AcmeClient, solver: ChallengeSolver) -> None:
        old, new = client.new_account_key(), client.new_account_key()
        account = await client.open_account(old)
        assert await client.roll_over(old, new) == account
        assert await client.open_account(new) == account
        assert await client.issue(new, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_a_repeat_finds_the_account_at_its_new_key(self, client: AcmeClient) -> None:
        old, new = client.new_account_key(), client.new_account_key()
        account = await client.open_account(old)
        await client.roll_over(old, new)
        assert await client.roll_over(old, new) == account

    @pytest.mark.parametrize("ca", ["sandbox"], indirect=True)  # Pebble lets two accounts have one key
    async def test_a_key_that_has_an_account_is_a_conflict(self, client: AcmeClient) -> None:
        old, taken = client.new_account_key(), client.new_account_key()
        account = await client.open_account(old)
        await client.open_account(taken)
        with pytest.raises(Conflict):
            await client.roll_over(old, taken)
        assert await client.open_account(old) == account

    async def test_keys_without_any_account_are_unauthorized_and_make_none(self, client: AcmeClient) -> None:
        old, new = client.new_account_key(), client.new_account_key()
        for _ in range(2):
            with pytest.raises(Unauthorized, match="no account"):
                await client.roll_over(old, new)

    @pytest.mark.parametrize("ca", ["sandbox"], indirect=True)
    async def test_a_lost_answer_is_made_good_by_a_repeat(self, client: AcmeClient, ca: Ca) -> None:
        old, new = client.new_account_key(), client.new_account_key()
        account = await client.open_account(old)
        await fault(ca, path="/key-change", status=500, lose=True)
        with pytest.raises(Exception, match="500"):
            await client.roll_over(old, new)
        assert await client.roll_over(old, new) == account


class TestDeactivate:
    async def test_a_closed_account_issues_nothing_more_and_closes_once(
        self, client: AcmeClient, solver: ChallengeSolver
    ) -> None:
        key = client.new_account_key()
        await client.open_account(key)
        assert await client.deactivate(key) is True
        assert await client.deactivate(key) is False
        with pytest.raises(Unauthorized):
            await client.issue(key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_an_account_that_never_was_is_closed_already(self, client: AcmeClient) -> None:
        assert await client.deactivate(client.new_account_key()) is False


class TestExternalAccount:
    def client_of(self, ca: Ca, external: ExternalAccount | None) -> AcmeClient:
        return AcmeClient(ca.directory_url, ca_file=ca.ca_file, poll_seconds=0.1, external_account=external)

    async def test_a_bound_account_issues(self, strict: Ca, solver: ChallengeSolver) -> None:
        client = self.client_of(strict, ExternalAccount(key_id="customer-1", hmac_key=SecretStr(HMAC_KEY)))
        key = client.new_account_key()
        assert await client.issue(key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
        # An account that exists needs no binding any more.
        assert await self.client_of(strict, None).open_account(key) == await client.open_account(key)

    async def test_without_a_binding_it_says_what_is_missing(self, strict: Ca) -> None:
        client = self.client_of(strict, None)
        with pytest.raises(Unauthorized, match="none is configured"):
            await client.open_account(client.new_account_key())

    async def test_an_unknown_id_is_unauthorized(self, strict: Ca) -> None:
        client = self.client_of(strict, ExternalAccount(key_id="customer-2", hmac_key=SecretStr(HMAC_KEY)))
        with pytest.raises(Unauthorized):
            await client.open_account(client.new_account_key())

    async def test_a_wrong_key_is_refused(self, strict: Ca) -> None:
        wrong = ExternalAccount(key_id="customer-1", hmac_key=SecretStr(HMAC_KEY[::-1]))
        client = self.client_of(strict, wrong)
        with pytest.raises((Unauthorized, InvalidInput)):
            await client.open_account(client.new_account_key())

    async def test_what_is_no_key_is_named_without_being_shown(self, strict: Ca) -> None:
        odd = ExternalAccount(key_id="customer-1", hmac_key=SecretStr("schlüssel"))
        client = self.client_of(strict, odd)
        with pytest.raises(InvalidInput, match="cannot be used") as caught:
            await client.open_account(client.new_account_key())
        assert caught.value.field == "external_account"
        assert "schl" not in repr(odd) + str(caught.value)
