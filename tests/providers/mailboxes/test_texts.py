"""What mailboxes are made of, as text: accounts, the table of domains, addresses, hashes, records, configurations."""

from __future__ import annotations

import json

import bcrypt
import pytest
from pydantic import SecretStr

from providers.errors import CommandFailed, Conflict, InvalidInput
from providers.mailboxes import commands, domain_table, host_files
from providers.mailboxes.accounts import Account, parse
from providers.mailboxes.addresses import address_of, domain_of, owner_of
from providers.mailboxes.dns_records import records_for
from providers.mailboxes.host_files import Certificate
from providers.mailboxes.passwords import LOCKED, checked_hash, hash_password
from providers.mailboxes.usage import storage_in

HASH = "{BLF-CRYPT}$2b$12$" + "aB./" * 13 + "c"


def account(**changes: object) -> Account:
    return Account.model_validate(
        {"address": "ann@a.test", "owner": "o-1", "quota_mb": 5, "password_hash": HASH, **changes}
    )


def line_of(found: Account) -> str:
    return found.render().decode().splitlines()[1]


class TestAccount:
    def test_an_active_one_has_its_hash_and_its_quota(self) -> None:
        assert line_of(account()) == f"ann@a.test:{HASH}::::::userdb_quota_storage_size=5M"

    @pytest.mark.parametrize("state", ["suspended", "leaving"])
    def test_a_shut_one_is_locked_and_neither_known_nor_unknown(self, state: str) -> None:
        assert line_of(account(state=state)) == (
            f"ann@a.test:{LOCKED}::::::userdb_quota_storage_size=5M userdb_tempfail=yes"
        )

    def test_one_without_a_password_is_locked_and_takes_mail(self) -> None:
        assert line_of(account(password_hash=None)) == f"ann@a.test:{LOCKED}::::::userdb_quota_storage_size=5M"

    @pytest.mark.parametrize("state", ["active", "suspended", "leaving"])
    def test_it_is_read_back_whole(self, state: str) -> None:
        assert parse(account(state=state).render()) == account(state=state)
        assert parse(account(password_hash=None).render()) == account(password_hash=None)

    def test_what_lacks_our_mark_is_not_ours(self) -> None:
        for content in (b"", b"ann@a.test:{PLAIN}x::::::\n", b"# slipway\n", b"# slipway {}\n", b"# slipway \xff\n"):
            assert parse(content) is None

    def test_its_hash_shows_in_no_repr(self) -> None:
        assert "$2b$" not in repr(account())


class TestDomainTable:
    TABLE = b"# mine\nHand.test  somebody\n\xff.test x\nours.test owner=o-1\n"

    def test_owners_are_told_apart(self) -> None:
        found = [domain_table.owner_in(self.TABLE, n) for n in ("ours.test", "hand.test", "none.test", "mine")]
        assert found == ["o-1", "", None, None]

    def test_a_line_is_added_and_taken_away_and_nothing_else_moves(self) -> None:
        more = domain_table.with_domain(self.TABLE, "new.test", "o-2")
        assert more == self.TABLE + b"new.test owner=o-2\n"
        assert domain_table.with_domain(more, "new.test", "o-2") == more
        assert domain_table.without_domain(more, "new.test", "o-2") == self.TABLE
        assert domain_table.without_domain(self.TABLE, "new.test", "o-2") == self.TABLE

    def test_a_last_line_without_an_end_stays_a_line(self) -> None:
        assert domain_table.with_domain(b"hand.test x", "new.test", "o") == b"hand.test x\nnew.test owner=o\n"

    @pytest.mark.parametrize("name", ["ours.test", "hand.test"])
    def test_somebody_elses_is_refused(self, name: str) -> None:
        for edit in (domain_table.with_domain, domain_table.without_domain):
            with pytest.raises(Conflict):
                edit(self.TABLE, name, "o-2")


class TestAddresses:
    def test_plain_ones_pass_in_one_form(self) -> None:
        assert str(address_of(" Ann.B_c-d@Bücher.Test. ")) == "ann.b_c-d@xn--bcher-kva.test"
        assert str(address_of("a" * 64 + "@a.test")) == "a" * 64 + "@a.test"
        assert domain_of("A.Test.") == "a.test"

    @pytest.mark.parametrize("text", [
        "", "a", "@a.test", "a@", "a@b", "a b@a.test", "a+b@a.test", "\N{KELVIN SIGN}@a.test",
        ".a@a.test", "a.@a.test", "a..b@a.test", "../x@a.test",
        "a/b@a.test", "a%b@a.test", "ä@a.test", "a:b@a.test", "a\n@a.test", "a@a.test\nx", "a@-a.test", "a@a..test",
        "a@../a.test", "a@1.2.3.4", "a@[1.2.3.4]", "a" * 65 + "@a.test", "a@" + "a." * 130 + "test", "a\0@a.test",
    ])  # fmt: skip
    def test_others_do_not(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            address_of(text)

    @pytest.mark.parametrize("text", ["", "a b", "../a", "a/b", "a\n", "-a", "x" * 65])
    def test_an_owner_is_an_id(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            owner_of(text)


class TestPasswords:
    def test_a_hash_is_one_dovecot_can_be_given_and_checks_out(self) -> None:
        made = hash_password(SecretStr("pass wörd"))
        assert checked_hash(made) == made
        assert bcrypt.checkpw("pass wörd".encode(), made.get_secret_value().removeprefix("{BLF-CRYPT}").encode())

    @pytest.mark.parametrize("text", ["", "x" * 73, "ä" * 37, "a\0b"])
    def test_what_bcrypt_would_cut_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            hash_password(SecretStr(text))

    @pytest.mark.parametrize("text", [
        LOCKED, HASH, "{SHA512-CRYPT}$6$salt$" + "a" * 86, "{SHA512-CRYPT}$6$rounds=5000$salt$" + "a" * 86,
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaA",
    ])  # fmt: skip
    def test_known_schemes_pass(self, text: str) -> None:
        assert checked_hash(SecretStr(text)) is not None

    @pytest.mark.parametrize("text", ["", "secret", "{PLAIN}secret", HASH + "::", HASH + "\n", HASH[:-1], "{CRYPT}x"])
    def test_anything_else_is_refused_and_not_repeated(self, text: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            checked_hash(SecretStr(text))
        assert not text or text not in refused.value.message


class TestRecords:
    def test_a_domain_gets_mail_senders_and_clients(self) -> None:
        found = {(r.name, r.type): r.values for r in records_for("Ann.test", "mx1.lab.test")}
        assert found[("ann.test.", "MX")] == ("10 mx1.lab.test.",)
        assert found[("ann.test.", "TXT")] == ("v=spf1 mx -all",)
        assert found[("_dmarc.ann.test.", "TXT")] == ("v=DMARC1; p=none",)
        assert found[("_imaps._tcp.ann.test.", "SRV")] == ("0 1 993 mx1.lab.test.",)
        assert found[("_submission._tcp.ann.test.", "SRV")] == ("0 1 587 mx1.lab.test.",)
        assert found[("_imap._tcp.ann.test.", "SRV")] == ("0 0 0 .",)

    def test_the_host_itself_is_no_mail_domain(self) -> None:
        with pytest.raises(InvalidInput):
            records_for("mx1.lab.test", "MX1.lab.test.")


class TestHostFiles:
    def test_both_servers_show_the_same_certificate(self) -> None:
        pair = Certificate("/etc/tls/chain.pem", "/etc/tls/key.pem")
        for text in (host_files.dovecot_conf(pair), host_files.postfix_conf("mx.test", pair)):
            assert text.startswith(host_files.OURS)
            assert "= /etc/tls/chain.pem\n" in text
            assert "= /etc/tls/key.pem\n" in text

    def test_strangers_relay_nothing_and_sign_in_nowhere_but_on_submission(self) -> None:
        settings = dict(
            line.split(" = ", 1) for line in host_files.postfix_conf("mx.test", Certificate()).splitlines()
            if " = " in line and not line.startswith("#")
        )  # fmt: skip
        assert settings["smtpd_relay_restrictions"] == "permit_mynetworks, reject_unauth_destination"
        assert settings["mynetworks"].split() == ["127.0.0.0/8", "[::ffff:127.0.0.0]/104", "[::1]/128"]
        assert "smtpd_sasl_auth_enable" not in settings
        assert dict(host_files.SUBMISSION_OPTIONS)["smtpd_tls_security_level"] == "encrypt"

    def test_the_version_is_that_of_the_files(self) -> None:
        first = host_files.version("mx.test", Certificate())
        assert first == host_files.version("mx.test", Certificate())
        assert first != host_files.version("mx2.test", Certificate())
        assert first != host_files.version("mx.test", Certificate(chain="/other.pem"))


class TestCommands:
    def test_a_swap_names_digests_and_never_content(self) -> None:
        assert commands.replace("/p", "/l", "absent", "/d", "/t", "postfix.service") == [
            "flock", "--timeout", "30", "--conflict-exit-code", "76", "/l", "/p", "absent", "/d", "/t",
            "postfix.service"]  # fmt: skip
        assert commands.replace("/p", "/l", "0a", "-", "/t")[-4:] == ["/p", "0a", "-", "/t"]

    def test_services_are_defined_in_postfix_own_words(self) -> None:
        assert commands.define_service(*host_files.SUBMISSION) == [
            "postconf", "-M", "submission/inet=submission inet n - y - - smtpd"]  # fmt: skip
        assert commands.service_options("a/inet", [("b", "c"), ("d", "e")]) == [
            "postconf", "-P", "a/inet/b=c", "a/inet/d=e"]  # fmt: skip


class TestUsage:
    def test_storage_is_counted_in_kib(self) -> None:
        rows = [{"root": "Mailbox", "type": "STORAGE", "value": "3", "limit": "1024", "percent": "0"},
                {"root": "Mailbox", "type": "MESSAGE", "value": "2", "limit": "-", "percent": "0"}]  # fmt: skip
        assert storage_in(json.dumps(rows)) == 3072

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", "null", '[{"type": "STORAGE"}]', '[{"type": "STORAGE", "value": "-"}]']
    )
    def test_anything_else_is_a_failure_with_a_name(self, text: str) -> None:
        with pytest.raises(CommandFailed):
            storage_in(text)
