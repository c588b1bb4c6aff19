"""The client against a CA: the sandbox's, and the real Pebble where it is installed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from providers.acme.client import AcmeClient
from providers.acme.csr import facts
from providers.acme.solvers import Solvers
from providers.dns.challenges import ChallengeSolver
from providers.dns.powerdns import PowerDNS
from providers.errors import InvalidInput, NotValidated, ProofUnseen, Rejected, Transient
from tests.providers.acme.control import fresh_name
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import Ca, NameServer, free_port, http, root_of


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


class TestChains:
    async def test_the_wished_chain_is_taken_and_a_wish_nobody_fulfils_costs_nothing(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str
    ) -> None:
        usual = await client.issue(account_key, make_csr(fresh_name()), solver=solver, deadline_seconds=60)
        for wish in ("Nobody's Root", _top(usual.chain_pem)):
            issued = await client.issue(
                account_key, make_csr(fresh_name()), solver=solver, preferred_chain=wish, deadline_seconds=60
            )
            assert _top(issued.chain_pem) == _top(usual.chain_pem)

    @pytest.mark.parametrize("ca", ["sandbox"], indirect=True)
    async def test_a_chain_to_the_other_root(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str
    ) -> None:
        wish = "Slipway Sandbox Root 2"
        issued = await client.issue(
            account_key, make_csr(fresh_name()), solver=solver, preferred_chain=wish, deadline_seconds=60
        )
        assert _top(issued.chain_pem) == wish


class TestResume:
    async def test_an_order_whose_end_was_not_seen_is_gone_on_with(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str
    ) -> None:
        """The first try ends after the order is placed; the second one finishes that order and places none."""
        csr, urls = make_csr(fresh_name()), list[str]()

        async def placed(url: str) -> None:
            urls.append(url)

        with pytest.raises(Rejected, match="offers no usable challenge"):
            await client.issue(account_key, csr, solver=Solvers(), placed=placed, deadline_seconds=60)
        issued = await client.issue(account_key, csr, solver=solver, resume=urls[0], placed=placed, deadline_seconds=60)
        again = await client.issue(
            account_key, csr, solver=LazySolver(), resume=urls[0], placed=placed, deadline_seconds=60
        )
        assert len(urls) == 1
        assert again.serial == issued.serial

    @pytest.mark.parametrize("where", ["nowhere", "another"])
    async def test_one_that_leads_nowhere_is_placed_anew(
        self, client: AcmeClient, solver: ChallengeSolver, account_key: str, where: str
    ) -> None:
        urls = list[str]()

        async def placed(url: str) -> None:
            urls.append(url)

        await client.issue(account_key, make_csr(fresh_name()), solver=solver, placed=placed, deadline_seconds=60)
        resume = urls[0] if where == "another" else urls[0][:-4] + "none"
        name = fresh_name()
        issued = await client.issue(
            account_key, make_csr(name), solver=solver, resume=resume, placed=placed, deadline_seconds=60
        )
        assert issued.names == [name]
        assert len(urls) == 2


class TestValidationFails:
    async def test_a_missing_record_names_what_the_ca_saw(self, client: AcmeClient, ca: Ca, account_key: str) -> None:
        with pytest.raises((NotValidated, ProofUnseen), match="could not validate") as caught:
            await client.issue(account_key, make_csr(fresh_name()), solver=LazySolver(), deadline_seconds=60)
        assert "TXT" in caught.value.message

    async def test_a_wrong_record_is_rejected_and_taken_away(
        self, client: AcmeClient, dns: PowerDNS, server: NameServer, account_key: str
    ) -> None:
        name = fresh_name()
        solver = WrongSolver(dns, [server.dns], owner="d-1")
        with pytest.raises(NotValidated, match="unauthorized"):
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


def _top(chain_pem: str) -> str:
    top = x509.load_pem_x509_certificates(chain_pem.encode())[-1]
    return str(top.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


async def _profiles(ca: Ca) -> dict[str, str]:
    async with http(ca) as asking:
        found: dict[str, str] = (await asking.get(ca.directory_url)).json()["meta"].get("profiles", {})
        return found


def test_the_trust_file_is_the_only_trust(tmp_path: Path) -> None:
    client = AcmeClient("https://ca.invalid/dir", ca_file=tmp_path / "ca.pem")
    assert client._trust == str(tmp_path / "ca.pem")
