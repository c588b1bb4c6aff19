"""Values: what is accepted, its plain form, and that PowerDNS's content leads back to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dns_names import InvalidDns
from domain.dns_values import TXT_CHUNK, TXT_MAX, RecordType, plain, quote, to_content, to_value, unquote
from tests.dnscorpus import CORPUS

HASH = "ab" * 32


@pytest.mark.parametrize(("type_", "typed", "value", "content"), CORPUS)
def test_the_plain_form_and_the_content_of_a_value(type_: str, typed: str, value: str, content: str) -> None:
    assert plain(type_, typed) == value
    assert plain(type_, value) == value
    assert to_content(type_, value) == content
    assert to_value(type_, content) == value


@pytest.mark.parametrize(
    ("type_", "typed", "reason"),
    [
        ("A", "192.0.2", "address_malformed"),
        ("A", "192.0.2.256", "address_malformed"),
        ("A", "192.0.2.01", "address_malformed"),
        ("A", "2001:db8::1", "address_wrong_family"),
        ("AAAA", "192.0.2.1", "address_wrong_family"),
        ("AAAA", "::ffff:192.0.2.1", "address_not_global"),
        ("AAAA", "fe80::1%eth0", "address_not_global"),
        ("CNAME", "192.0.2.1", "host_is_address"),
        ("CNAME", "a b.example.org", "name_malformed"),
        ("NS", "ns_1.example.org", "name_malformed"),
        ("MX", "mail.example.org", "value_malformed"),
        ("MX", "10 mail", "host_not_whole"),
        ("MX", "65536 mail.example.org", "number_out_of_range"),
        ("MX", "-1 mail.example.org", "number_out_of_range"),
        ("MX", "١ mail.example.org", "number_out_of_range"),
        ("MX", "10 192.0.2.1", "host_is_address"),
        ("SRV", "1 2 sip.example.org", "value_malformed"),
        ("SRV", "1 2 99999 sip.example.org", "number_out_of_range"),
        ("CAA", "0 isue letsencrypt.org", "caa_tag"),
        ("CAA", "1 issue letsencrypt.org", "caa_flags"),
        ("CAA", "issue letsencrypt.org", "value_malformed"),
        ("CAA", '0 issue "a\\b"', "value_malformed"),
        ("CAA", '0 issue "ä"', "value_malformed"),
        ("TLSA", f"4 1 1 {HASH}", "number_out_of_range"),
        ("TLSA", "3 1 1 abcd", "tlsa_data"),
        ("TLSA", "3 1 0 abc", "tlsa_data"),
        ("TLSA", f"3 1 2 {HASH}", "tlsa_data"),
        ("TLSA", "3 1 1", "value_malformed"),
        ("TXT", "", "text_empty"),
        ("TXT", '"v=spf1 -all"', "text_quoted"),
        ("TXT", "two\nlines", "text_control"),
        ("TXT", "nul\x00", "text_control"),
        ("TXT", "half \ud800", "text_control"),
        ("TXT", "x" * (TXT_MAX + 1), "text_too_long"),
        ("SOA", "ns1.example.org. a.example.org. 1 2 3 4 5", "type_unknown"),
    ],
)
def test_what_is_no_value_is_refused_with_a_reason(type_: str, typed: str, reason: str) -> None:
    with pytest.raises(InvalidDns) as caught:
        plain(type_, typed)
    assert caught.value.reason == reason
    assert caught.value.message


HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.example\.(org|net)", fullmatch=True).filter(
    lambda name: not name.startswith("xn--")
)
SHORT = st.integers(0, 65535)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=400).filter(
    lambda text: not (len(text) > 1 and text[0] == text[-1] == '"')
)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), max_size=40)
FLAGS, TAGS = st.sampled_from([0, 128]), st.sampled_from(["issue", "iodef"])
WIDE = st.ip_addresses(v=6).filter(lambda address: getattr(address, "ipv4_mapped", None) is None)
PLAIN = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), WIDE.map(str)),
    st.tuples(st.sampled_from(["CNAME", "NS", "PTR"]), HOSTS),
    st.tuples(st.just("MX"), st.builds("{} {}".format, SHORT, HOSTS | st.just("."))),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, SHORT, SHORT, SHORT, HOSTS | st.just("."))),
    st.tuples(st.just("CAA"), st.builds('{} {} "{}"'.format, FLAGS, TAGS, PRINTABLE)),
    st.tuples(st.just("TLSA"), st.builds("3 1 1 {}".format, st.binary(min_size=32, max_size=32).map(bytes.hex))),
    st.tuples(st.just("TXT"), TEXTS),
)


@given(PLAIN)
def test_content_leads_back_to_the_value_and_the_plain_form_stays(case: tuple[str, str]) -> None:
    type_, text = case
    value = plain(type_, text)
    assert plain(type_, value) == value
    assert to_value(type_, to_content(type_, value)) == value


@given(st.sampled_from([*RecordType, "SOA", "NOSUCH"]), st.text(max_size=60))
def test_whatever_is_typed_is_a_value_or_refused(type_: str, text: str) -> None:
    try:
        value = plain(type_, text)
    except InvalidDns:
        return
    assert plain(type_, value) == value


@given(st.sampled_from([*RecordType, "SOA", "NOSUCH"]), st.text(max_size=60))
def test_whatever_a_server_holds_can_be_shown(type_: str, content: str) -> None:
    assert isinstance(to_value(type_, content), str)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=700))
def test_text_is_cut_into_strings_of_at_most_255_octets_and_comes_back(text: str) -> None:
    content = quote(text)
    assert content.isascii()
    assert unquote(content) == text
    assert all(len(unquote(part).encode()) <= TXT_CHUNK or "\\" in part for part in content.split('" "'))


def test_octets_that_are_no_text_are_shown_escaped() -> None:
    assert unquote('"\\255x"') == "\\xffx"
