"""The client against a CA: the sandbox's, and the real Pebble where it is installed."""

from __future__ import annotations

import ssl
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from providers.acme.client import AcmeClient, choose_profile
from providers.acme.csr import facts
from providers.dns.challenges import ChallengeSolver
from providers.dns.powerdns import PowerDNS
from providers.errors import InvalidInput, RateLimited, Rejected, Transient, Unauthorized
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, NameServer, free_port, root_of


def fresh_name() -> str:
    return f"c{uuid.uuid4().hex[:8]}.slipway.test"


@pytest.fixture(scope="module")
def account_key() -> str:
    return AcmeClient.new_account_key()


class LazySolver:
    """Puts nothing there, and says that it did."""

    async def present(self, name: str, value: str) -> None: ...

    async def ready(self, name: str, value: str) -> None: ...

    async def clean_up(self, name: str, value: str) -> None: ...


class WrongSolver(ChallengeSolver):
    async def present(self, name: str, value: str) -> None:
        await super().present(name, "something-else")

    async def ready(self, name: str, value: str) -> None: ...

    async def clean_up(self, name: str, value: str) -> None:
        await super().clean_up(name, "something-else")


async def fault(ca: Ca, **fields: object) -> None:
    trust = ssl.create_default_context(cafile=str(ca.ca_file))
    async with httpx.AsyncClient(verify=trust, trust_env=False) as http:
        await http.post(ca.directory_url.replace("/dir", "/_sandbox/faults"), json=fields)


class TestIssue:
    async def test_a_certificate_for_the_csrs_key_and_name(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, dns: PowerDNS, account_key: str
    ) -> None:
        name, phases = fresh_name(), list[str]()
        csr = make_csr(name)
        issued = await client.issue(account_key, csr, solver=solver, deadline_seconds=60, heartbeat=phases.append)

        assert issued.names == [name]
        assert issued.key_sha256 == facts(csr).key_sha256
        assert issued.not_before < datetime.now(UTC) < issued.not_after
        # Not the six-day profile: one of the long ones was asked for.
        assert issued.not_after - issued.not_before > timedelta(days=30)
        chain = x509.load_pem_x509_certificates(issued.chain_pem.encode())
        assert f"{chain[0].serial_number:x}" == issued.serial
        root = x509.load_pem_x509_certificate((await root_of(ca)).encode())
        for lower, upper in zip(chain, [*chain[1:], root], strict=True):
            lower.verify_directly_issued_by(upper)
        assert phases == ["directory", "account", "order", "present", "propagation", "answer", "validation",
                          "finalize", "clean up"]  # fmt: skip
        assert await dns.read(f"_acme-challenge.{name}", "TXT") is None

    async def test_base_and_wildcard_in_one_order(
        self, client: AcmeClient, solver: ChallengeSolver, dns: PowerDNS, account_key: str
    ) -> None:
        name = fresh_name()
        issued = await client.issue(account_key, make_csr(name, f"*.{name}"), solver=solver, deadline_seconds=60)
        assert issued.names == [f"*.{name}", name]
        assert await dns.read(f"_acme-challenge.{name}", "TXT") is None

    async def test_a_lost_result_is_made_good_by_issuing_again(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str
    ) -> None:
        csr = make_csr(fresh_name())
        first = await client.issue(account_key, csr, solver=solver, deadline_seconds=60)
        second = await client.issue(account_key, csr, solver=solver, deadline_seconds=60)
        assert first.key_sha256 == second.key_sha256
        assert first.serial != second.serial

    async def test_a_new_account_is_made_when_the_key_is_new(self, client: AcmeClient, solver: ChallengeSolver) -> None:
        issued = await client.issue(
            client.new_account_key(), make_csr(fresh_name()), solver=solver, deadline_seconds=60
        )
        assert issued.serial

    async def test_the_environments_bundle_and_proxy_are_not_obeyed(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        assert await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)


class TestValidationFails:
    async def test_a_missing_record_names_what_the_ca_saw(self, client: AcmeClient, ca: Ca, account_key: str) -> None:
        with pytest.raises((Rejected, Transient), match="could not validate") as caught:
            await client.issue(account_key, make_csr(fresh_name()), solver=LazySolver(), deadline_seconds=60)
        assert "TXT" in caught.value.message

    async def test_a_wrong_record_is_rejected_and_taken_away(
        self, client: AcmeClient, dns: PowerDNS, server: NameServer, account_key: str
    ) -> None:
        name = fresh_name()
        solver = WrongSolver(dns, [server.dns], owner="d-1")
        with pytest.raises(Rejected, match="unauthorized"):
            await client.issue(account_key, make_csr(name), solver=solver, deadline_seconds=60)
        assert await dns.read(f"_acme-challenge.{name}", "TXT") is None

    async def test_a_name_server_that_is_down_leaves_no_order_half_answered(
        self, client: AcmeClient, server: NameServer, account_key: str
    ) -> None:
        gone = PowerDNS("http://127.0.0.1:9/api/v1", "key")
        with pytest.raises(Transient, match="name server's API"):
            await client.issue(
                account_key, make_csr(fresh_name()), solver=ChallengeSolver(gone, [server.dns], owner="d"),
                deadline_seconds=60,
            )  # fmt: skip
        await gone.close()

    async def test_a_record_that_never_shows_ends_with_the_deadline_and_its_phase(
        self, client: AcmeClient, dns: PowerDNS, server: NameServer, account_key: str
    ) -> None:
        name = fresh_name()

        class Elsewhere(ChallengeSolver):
            async def ready(self, name: str, value: str) -> None:
                await super().ready(f"never-{name}", "never")

            async def present(self, name: str, value: str) -> None:
                if not name.startswith("never-"):
                    await super().present(name, value)

        solver = Elsewhere(dns, [server.dns], owner="d-1", interval=0.1)
        with pytest.raises(Transient, match="it stopped at: propagation"):
            await client.issue(account_key, make_csr(name), solver=solver, deadline_seconds=2)
        assert await dns.read(f"_acme-challenge.{name}", "TXT") is None


class TestRefused:
    async def test_a_ca_that_is_down_is_transient(self, solver: ChallengeSolver, account_key: str) -> None:
        client = AcmeClient(f"https://127.0.0.1:{free_port()}/dir")
        with pytest.raises(Transient, match="did not answer"):
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=20)

    async def test_a_ca_we_do_not_trust_is_refused(self, ca: Ca, solver: ChallengeSolver, account_key: str) -> None:
        client = AcmeClient(ca.directory_url)
        with pytest.raises(Rejected, match="not trusted"):
            await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=20)

    async def test_a_private_key_is_never_accepted(self, client: AcmeClient, solver: ChallengeSolver) -> None:
        with pytest.raises(InvalidInput, match="must not leave its server"):
            await client.issue(client.new_account_key(), client.new_account_key(), solver=solver)

    @pytest.mark.parametrize("text", ["", "not a csr", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"])  # fmt: skip # noqa: E501
    async def test_what_is_no_csr_is_refused_before_the_ca_hears_of_it(
        self, solver: ChallengeSolver, account_key: str, text: str
    ) -> None:
        client = AcmeClient("https://127.0.0.1:9/dir")
        with pytest.raises(InvalidInput, match="CSR"):
            await client.issue(account_key, text, solver=solver)

    async def test_a_profile_that_is_not_offered_names_its_field(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        if ca.kind == "pebble" and not await _profiles(ca):
            pytest.skip("this Pebble has no profiles")
        with pytest.raises(InvalidInput, match="offers no profile") as caught:
            await client.issue(account_key, make_csr(fresh_name()), profile="nonexistent", solver=solver)
        assert caught.value.field == "acme_profile"

    async def test_a_chosen_profile_is_obeyed(
        self, client: AcmeClient, ca: Ca, solver: ChallengeSolver, account_key: str
    ) -> None:
        if not await _profiles(ca):
            pytest.skip("this Pebble has no profiles")
        csr = make_csr(fresh_name())
        issued = await client.issue(account_key, csr, profile="shortlived", solver=solver, deadline_seconds=60)
        assert issued.not_after - issued.not_before < timedelta(days=8)

    @pytest.mark.parametrize("ca", ["sandbox"], indirect=True)
    async def test_a_forbidden_name_is_invalid_input(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str
    ) -> None:
        with pytest.raises(InvalidInput, match="forbidden by policy"):
            await client.issue(account_key, make_csr("blocked.slipway.test"), solver=solver)


async def _profiles(ca: Ca) -> dict[str, str]:
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(ca.ca_file)), trust_env=False) as http:
        found: dict[str, str] = (await http.get(ca.directory_url)).json()["meta"].get("profiles", {})
        return found


@pytest.mark.parametrize("ca", ["sandbox"], indirect=True)
class TestFaults:
    """Only the sandbox's CA fails when asked to."""

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


class TestChooseProfile:
    @pytest.mark.parametrize(
        ("offered", "wanted", "chosen"),
        [
            (None, "", None),
            ({}, "classic", None),
            ({"classic": "", "shortlived": "", "tlsserver": ""}, "", "classic"),
            ({"shortlived": "", "default": ""}, "", "default"),
            ({"shortlived": "", "tlsserver": ""}, "", "tlsserver"),
            ({"shortlived": ""}, "", "shortlived"),
            ({"classic": "", "tlsserver": ""}, "tlsserver", "tlsserver"),
        ],
    )
    def test_one_is_always_asked_for_where_there_are_any(
        self, offered: dict[str, str] | None, wanted: str, chosen: str | None
    ) -> None:
        assert choose_profile(offered, wanted) == chosen


def test_the_trust_file_is_the_only_trust(tmp_path: Path) -> None:
    client = AcmeClient("https://ca.invalid/dir", ca_file=tmp_path / "ca.pem")
    assert client._trust == str(tmp_path / "ca.pem")
