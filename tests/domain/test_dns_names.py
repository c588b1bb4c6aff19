"""Names: what is a label, where a name lies in its zone, and international names."""

from __future__ import annotations

import pytest

from domain.dns_names import InvalidDns, ascii_name, check_host, check_record_name, check_zone, inside

ZONE = "example.org"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("@", "example.org"),
        ("example.org", "example.org"),
        ("Example.ORG.", "example.org"),
        ("www", "www.example.org"),
        ("a.b", "a.b.example.org"),
        ("www.example.org", "www.example.org"),
        ("www.example.org.", "www.example.org"),
        ("notexample.org", "notexample.org.example.org"),
        ("*", "*.example.org"),
        ("*.dev.example.org", "*.dev.example.org"),
        ("_dmarc", "_dmarc.example.org"),
        ("bücher", "xn--bcher-kva.example.org"),
        ("BÜCHER.example.org.", "xn--bcher-kva.example.org"),
        ("straße", "xn--strae-oqa.example.org"),
        ("xn--bcher-kva", "xn--bcher-kva.example.org"),
        ("x" * 63, "x" * 63 + ".example.org"),
    ],
)
def test_a_record_name_is_made_whole(typed: str, name: str) -> None:
    assert check_record_name(typed, ZONE) == name


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("www.elsewhere.net.", "name_outside_zone"),
        ("notexample.org.", "name_outside_zone"),
        ("org.", "name_outside_zone"),
        ("*.org.", "name_outside_zone"),
        ("", "name_malformed"),
        (".", "name_outside_zone"),
        ("a..b", "name_malformed"),
        ("a.*", "name_malformed"),
        ("a*", "name_malformed"),
        ("*.*", "name_malformed"),
        ("-a", "name_malformed"),
        ("a-", "name_malformed"),
        ("a b", "name_malformed"),
        ("a\nb", "name_malformed"),
        ("a\x00", "name_malformed"),
        ("a/b", "name_malformed"),
        ("x" * 64, "name_malformed"),
        (".".join(["x" * 60] * 4), "name_too_long"),
        ("xn--zzzzzzzzz9999", "name_not_idna"),
        ("ü-", "name_not_idna"),
    ],
)
def test_what_is_no_name_of_the_zone_is_refused(typed: str, reason: str) -> None:
    with pytest.raises(InvalidDns) as caught:
        check_record_name(typed, ZONE)
    assert (caught.value.reason, caught.value.field) == (reason, "name")


@pytest.mark.parametrize(
    ("typed", "zone"), [("Example.org.", "example.org"), ("2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa")]
)
def test_a_zone_has_two_labels(typed: str, zone: str) -> None:
    assert check_zone(typed) == zone


@pytest.mark.parametrize("typed", ["org", "", ".", "*.example.org", "a b.org"])
def test_what_is_no_zone_is_refused(typed: str) -> None:
    with pytest.raises(InvalidDns):
        check_zone(typed)


@pytest.mark.parametrize(
    "typed", ["192.0.2.1", "mail", "_x.example.org", "*.example.org", "mail..example.org", "", "a@b.org"]
)
def test_what_is_no_host_is_refused_in_its_own_field(typed: str) -> None:
    with pytest.raises(InvalidDns) as caught:
        check_host(typed, field="nameservers")
    assert caught.value.field == "nameservers"


def test_a_host_keeps_no_last_dot_and_no_capitals() -> None:
    assert check_host("Mail.Example.ORG.") == "mail.example.org"
    assert check_host("_a.example.org", underscores=True) == "_a.example.org"


def test_every_kind_of_full_stop_parts_labels() -> None:
    assert ascii_name("bücher。example．org") == "xn--bcher-kva.example.org"


def test_a_name_that_only_ends_alike_is_outside() -> None:
    assert inside("a.example.org", ZONE)
    assert not inside("notexample.org", ZONE)
