"""Several CAs: each role its client, and the one that issued is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.acme.authorities import LETS_ENCRYPT, LETS_ENCRYPT_STAGING, Authorities, Authority, Role
from providers.acme.client import AcmeClient
from providers.dns.challenges import ChallengeSolver
from providers.errors import InvalidInput, Transient
from tests.providers.acme.control import fresh_name
from tests.providers.acme.requests import make_csr
from tests.providers.dns.servers import NameServer, authority, free_port


def test_each_role_has_its_own_directory_and_profile() -> None:
    made = Authorities({
        Role.FIRST: Authority(directory_url=LETS_ENCRYPT, profile="classic"),
        Role.STAGING: Authority(directory_url=LETS_ENCRYPT_STAGING),
    })  # fmt: skip
    assert made.client(Role.FIRST).directory_url == LETS_ENCRYPT
    assert (made.profile(Role.FIRST), made.profile(Role.SECOND)) == ("classic", "")
    assert (made.has(Role.STAGING), made.has(Role.SECOND)) == (True, False)
    assert made.of_directory(LETS_ENCRYPT_STAGING) is made.client(Role.STAGING)
    assert made.of_directory("https://ca.invalid/dir") is None


def test_a_role_nobody_has_is_named() -> None:
    with pytest.raises(InvalidInput, match="no second CA"):
        Authorities({}).client(Role.SECOND)


async def test_the_second_ca_issues_where_the_first_is_gone(
    server: NameServer, solver: ChallengeSolver, tmp_path: Path
) -> None:
    async with authority("sandbox", tmp_path, server.dns) as second:
        made = Authorities(
            {
                Role.FIRST: Authority(directory_url=f"https://127.0.0.1:{free_port()}/dir", ca_file=second.ca_file),
                Role.SECOND: Authority(directory_url=second.directory_url, ca_file=second.ca_file),
            },
            poll_seconds=0.1,
        )
        csr = make_csr(fresh_name())
        with pytest.raises(Transient):
            await made.client(Role.FIRST).issue(AcmeClient.new_account_key(), csr, solver=solver)
        issued = await made.client(Role.SECOND).issue(AcmeClient.new_account_key(), csr, solver=solver)
        assert issued.issuer == "CN=Slipway Sandbox Intermediate 1"
