"""What hosting writes and runs on a server, as text: nothing of a customer's gets in unchecked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from providers.hosting import commands, setup_files, site_files, volumes
from providers.hosting.account import Account
from providers.hosting.certificates import names_of
from tests.providers.hosting.conftest import account_of
from tests.providers.hosts.conftest import Authority


class TestAccount:
    @pytest.mark.parametrize(
        "name",
        ["", "localhost", "Upper.example.test", "bad_name.example.test", "a b.example.test", "x.test;",
         "-a.example.test", "a-.example.test", "*.example.test", "192.0.2.1", "a..test",
         "x.test\n", f"{'a' * 64}.test", "höme.test",
         "${host}.test", "../x.test"],
    )  # fmt: skip
    def test_what_is_no_domain_name_never_reaches_a_configuration(self, name: str) -> None:
        with pytest.raises(ValidationError):
            account_of(1, domains=(name,))

    @pytest.mark.parametrize("name", ["example.test", "xn--hme-sna.test", "a.b-c.d1.example.test", "1und2.example"])
    def test_domain_names_are_taken(self, name: str) -> None:
        assert account_of(1, domains=(name,)).domains == (name,)

    @pytest.mark.parametrize("user", ["root;", "../x", "h", "H123", "1abc", "a" * 33, "with-dash", "a b", "x\n"])
    def test_a_user_name_that_would_need_care_is_refused(self, user: str) -> None:
        with pytest.raises(ValidationError):
            Account(account_id=account_of(1).account_id, system_user=user, domains=("a.test",))

    def test_a_domain_stands_once(self) -> None:
        with pytest.raises(ValidationError, match="twice"):
            account_of(1, domains=("a.test", "a.test"))


class TestSite:
    def test_a_site_without_certificate_has_one_server_with_its_content(self) -> None:
        account = account_of(1, domains=("a.test", "www.a.test"))
        text = site_files.site(account, chain=None, suspended=False)
        assert text.startswith(f"# slipway account {account.account_id}")
        assert text.count("server {") == 1
        assert "server_name a.test www.a.test;" in text
        assert f"root {account.public};" in text
        assert "443" not in text
        assert "fastcgi" not in text

    def test_with_a_certificate_only_challenges_stay_on_http(self) -> None:
        account = account_of(1, kind="php")
        plain, tls = site_files.site(account, chain="ab12", suspended=False).split("# certificate ab12\n")
        assert "return 301 https://$host$request_uri;" in plain
        assert "acme-challenge" in plain
        assert "fastcgi_pass" not in plain
        assert f"ssl_certificate_key {account.key_file};" in tls
        assert f"fastcgi_pass unix:{account.socket};" in tls

    @pytest.mark.parametrize("chain", [None, "ab12"])
    def test_a_suspended_site_shows_nothing_of_its_content_on_any_port(self, chain: str | None) -> None:
        text = site_files.site(account_of(1, kind="php"), chain=chain, suspended=True)
        assert "fastcgi_pass" not in text
        assert "try_files $uri $uri/" not in text
        assert "return 301" not in text
        assert text.count("return 503;") == (2 if chain else 1)
        assert text.count("acme-challenge") == (2 if chain else 1)

    def test_every_change_is_another_version(self) -> None:
        account = account_of(1)
        texts = [
            site_files.site(account, chain=None, suspended=False),
            site_files.site(account, chain=None, suspended=True),
            site_files.site(account, chain="ab12", suspended=False),
            site_files.site(account, chain="cd34", suspended=False),
            site_files.site(account.model_copy(update={"kind": "php"}), chain=None, suspended=False),
        ]
        versions = [site_files.version_in(text) for text in texts]
        assert len(set(versions)) == len(texts)
        assert all(len(version) == 64 for version in versions)

    def test_php_is_the_accounts_own_and_sees_its_own_folders(self) -> None:
        account = account_of(1, kind="php", php_workers=3, php_memory_mb=64)
        lines = site_files.pool(account).splitlines()
        assert lines[0] == f"; {account.mark}"
        assert f"user = {account.system_user}" in lines
        assert "pm = ondemand" in lines
        assert "pm.max_children = 3" in lines
        assert "php_admin_value[memory_limit] = 64M" in lines
        assert f"php_admin_value[open_basedir] = {account.public}:{account.private}:{account.scratch}" in lines

    def test_a_volume_holds_more_than_its_quota_and_runs_nothing(self) -> None:
        account = account_of(1)
        assert "nosuid,nodev,noexec" in volumes.mount_unit(account)
        assert volumes.image_mb(1000) > 1000
        assert account.mount_unit == f"srv-sites-{account.system_user}.mount"


class TestServer:
    def test_accounts_get_sftp_in_their_folder_and_nothing_else(self) -> None:
        head, match = setup_files.SSHD.split("Match Group slipway-sites\n")
        assert "Password" not in head
        for line in (
            "ChrootDirectory /srv/sites/%u",
            "ForceCommand internal-sftp",
            "DisableForwarding yes",
            "PermitTTY no",
        ):
            assert line in match
        assert match.rstrip().endswith("Match all")

    def test_the_version_follows_the_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = setup_files.version()
        assert before == setup_files.version()
        monkeypatch.setattr(setup_files, "SSHD", setup_files.SSHD + "# more\n")
        assert setup_files.version() != before

    def test_the_suspended_page_is_told_from_a_page_of_the_customers(self) -> None:
        assert setup_files.SUSPENDED_MARK in setup_files.suspended_page()
        assert setup_files.SUSPENDED_MARK not in setup_files.welcome_page()


class TestCommands:
    def test_user_and_mark_are_one_command(self) -> None:
        account = account_of(1)
        argv = commands.add_user(account)
        assert argv[0] == "useradd"
        assert argv[argv.index("--comment") + 1] == f"slipway/{account.account_id}"
        assert argv[argv.index("--shell") + 1] == "/usr/sbin/nologin"
        assert argv[-1] == account.system_user

    def test_hashes_are_never_arguments(self) -> None:
        assert commands.set_password_hash() == ["chpasswd", "--encrypted"]

    def test_an_archive_is_unpacked_as_its_owner(self) -> None:
        argv = commands.as_user("h1a", commands.unpack("/srv/sites/h1a"))
        assert argv[:5] == ["setpriv", "--reuid", "h1a", "--regid", "h1a"]
        assert argv[argv.index("--") + 1] == "tar"


def test_a_certificates_names_are_read_in_lower_case(authority: Authority) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    names = x509.SubjectAlternativeName([x509.DNSName("A.test"), x509.DNSName("*.b.test")])
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
    signed = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    chain = authority.sign(signed.public_bytes(serialization.Encoding.PEM).decode())
    assert names_of(x509.load_pem_x509_certificate(chain.encode())) == ["a.test", "*.b.test"]
    assert names_of(authority.root) == []
