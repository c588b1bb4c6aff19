"""A CA that misbehaves: only the sandbox's fails when asked to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.ca_limits import CaLimit
from providers.acme.client import AcmeClient
from providers.dns.challenges import ChallengeSolver
from providers.errors import IssuanceLimited, RateLimited, Rejected, Transient, Unauthorized
from tests.providers.acme.control import fault, fresh_name, mend, spoil
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, NameServer, authority


@pytest.mark.parametrize("ca", ["sandbox"], indirect=True)
class TestFaults:
    async def test_rejected_nonces_are_repeated(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/", times=3, status=400, kind="badNonce")
        assert await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    @pytest.mark.parametrize(
        ("status", "kind", "seconds"),
        [(429, "rateLimited", 3600), (503, "rateLimited", 60), (503, "serverInternal", 7)],
    )
    async def test_a_rate_limit_carries_the_cas_own_wait(
        self,
        client: AcmeClient,
        ca: Ca,
        solver: ChallengeSolver,
        account_key: str,
        status: int,
        kind: str,
        seconds: int,
    ) -> None:
        await fault(ca, path="/new-order", status=status, kind=kind, retry_after=str(seconds), detail="too many")
        with pytest.raises(RateLimited, match="too many") as caught:
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
        assert caught.value.retry_after == seconds

    async def test_a_wait_given_as_a_date_is_understood(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        when = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        await fault(ca, path="/new-order", status=429, kind="rateLimited", retry_after=when)
        with pytest.raises(RateLimited) as caught:
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
        assert caught.value.retry_after == pytest.approx(3600, abs=30)

    async def test_a_server_error_is_transient(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/new-order", status=500)
        with pytest.raises(Transient, match="500"):
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_an_account_that_is_not_accepted_is_unauthorized(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/new-account", status=403, kind="unauthorized", detail="account is deactivated")
        with pytest.raises(Unauthorized, match="deactivated"):
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_a_lost_answer_of_finalize_costs_no_second_order(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/finalize", status=500, lose=True)
        assert await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_lost_answers_while_polling_are_asked_for_again(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/certificate", times=2, status=500)
        assert await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_a_storm_of_rejected_nonces_ends_as_transient(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/", times=1000, status=400, kind="badNonce")
        with pytest.raises(Transient, match="badNonce"):
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
        await mend(ca)
        assert await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_a_limit_is_named_with_its_domain_and_the_wait_in_its_words(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        until = (datetime.now(UTC) + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S UTC")
        words = (
            f'too many certificates (50) already issued for "slipway.test" in the last 168h0m0s, retry after {until}'
        )
        await fault(ca, path="/new-order", status=429, kind="rateLimited", detail=words)
        with pytest.raises(IssuanceLimited) as caught:
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
        assert (caught.value.limit, caught.value.subject) == (CaLimit.REGISTERED_DOMAIN, "slipway.test")
        assert caught.value.retry_after == pytest.approx(3 * 3600, abs=30)

    @pytest.mark.parametrize(
        ("kind", "error"), [("caa", Rejected), ("serverInternal", Transient), ("rateLimited", IssuanceLimited)]
    )
    async def test_an_order_that_goes_invalid_after_its_proof_says_why(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str, kind: str, error: type[Exception]
    ) -> None:
        await spoil(ca, kind=kind, detail="not today")
        with pytest.raises(error, match=r"dropped the order.*not today"):
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)

    async def test_a_lost_answer_of_the_order_is_transient_and_a_repeat_issues(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/new-order", status=502, lose=True)
        csr = make_csr(fresh_name())
        with pytest.raises(Transient, match="502"):
            await client.issue(account_key, csr, solver=solver, deadline_seconds=60)
        assert await client.issue(account_key, csr, solver=solver, deadline_seconds=60)

    async def test_a_lost_look_at_what_is_to_be_proven_costs_no_second_order(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        urls = list[str]()

        async def placed(url: str) -> None:
            urls.append(url)

        await fault(ca, path="/authorization", times=2, status=500)
        csr = make_csr(fresh_name())
        assert await client.issue(account_key, csr, solver=solver, placed=placed, deadline_seconds=60)
        assert len(urls) == 1

    async def test_a_directory_that_cannot_be_read_is_read_anew_next_time(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        await fault(ca, path="/dir", methods=["GET"], status=500)
        csr = make_csr(fresh_name())
        with pytest.raises(Transient, match="500"):
            await client.issue(account_key, csr, solver=solver, deadline_seconds=60)
        assert await client.issue(account_key, csr, solver=solver, deadline_seconds=60)


class TestReuse:
    """A CA that gives open orders and proven names out again, and tells waits as dates."""

    @pytest.fixture
    async def thrifty(self, server: NameServer, tmp_path: Path) -> AsyncIterator[Ca]:
        more = {"reuse_orders": True, "reuse_seconds": 3600, "retry_after": 1, "retry_after_dates": True}
        async with authority("sandbox", tmp_path, server.dns, **more) as made:
            yield made

    async def test_an_order_given_out_again_and_a_name_already_proven_need_no_second_proof(
        self, thrifty: Ca, solver: ChallengeSolver
    ) -> None:
        client = AcmeClient(thrifty.directory_url, ca_file=thrifty.ca_file, poll_seconds=0.1)
        key, name, urls = client.new_account_key(), fresh_name(), list[str]()

        async def placed(url: str) -> None:
            urls.append(url)

        async def issue(solver: ChallengeSolver) -> str:
            csr = make_csr(name)
            return (await client.issue(key, csr, solver=solver, placed=placed, deadline_seconds=60)).serial

        await fault(thrifty, path="/finalize", times=4, status=500)
        with pytest.raises(Transient):
            await issue(solver)
        serials = {await issue(Unneeded()), await issue(Unneeded())}
        assert len(serials) == 2
        assert urls[0] == urls[1] != urls[2]


class Unneeded(ChallengeSolver):
    def __init__(self) -> None: ...

    async def present(self, name: str, value: str) -> None:
        pytest.fail(f"{name} was proven before")
