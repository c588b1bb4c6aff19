"""Record sets as typed, their normal form, and which may stand together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.dns_names import InvalidDns
from domain.dns_records import (
    MAX_TTL,
    MAX_VALUES,
    MIN_TTL,
    RecordInput,
    RecordKey,
    check_together,
    normal_key,
    normal_set,
)
from domain.errors import ErrorCode

ZONE = "example.org"
LARGE = tuple(f"{digit}" * 4000 for digit in range(5))
MANY = tuple(f"192.0.2.{number}" for number in range(MAX_VALUES + 1))
TWO = ("a.example.net", "b.example.net")
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"'), min_size=1, max_size=50)


def made(**given: Any) -> RecordInput:
    return RecordInput(**{"name": "www", "type": "A", "content": "192.0.2.1"} | given)


def refused(given: RecordInput) -> tuple[str, str]:
    with pytest.raises(InvalidDns) as caught:
        normal_set(ZONE, given)
    assert caught.value.code is ErrorCode.VALIDATION_ERROR
    return caught.value.reason, caught.value.field


class TestNormalSet:
    def test_one_value_and_several_have_one_form(self) -> None:
        one = normal_set(ZONE, made(name="WWW", type="a", content="192.0.2.1"))
        many = normal_set(ZONE, made(content=None, values=("192.0.2.1", " 192.0.2.1")))
        assert one == many
        assert (one.name, one.type, one.ttl, one.values) == ("www.example.org", "A", 3600, ("192.0.2.1",))
        assert one.key == RecordKey(name="www.example.org", type="A") == normal_key(ZONE, "www", "a")

    @pytest.mark.parametrize(
        ("type_", "name", "content", "value"),
        [
            ("MX", "@", "mail.example.org", "10 mail.example.org"),
            ("MX", "@", "10 mail.example.org", "10 mail.example.org"),
            ("SRV", "_sip._tcp", "5 5060 sip.example.org", "10 5 5060 sip.example.org"),
        ],
    )
    def test_a_priority_stands_apart_or_in_the_value(self, type_: str, name: str, content: str, value: str) -> None:
        assert normal_set(ZONE, made(name=name, type=type_, content=content, priority=10)).values == (value,)

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"type": "SOA"}, ("type_unknown", "type")),
            ({"name": "www.elsewhere.net."}, ("name_outside_zone", "name")),
            ({"ttl": MIN_TTL - 1}, ("ttl_out_of_range", "ttl")),
            ({"ttl": MAX_TTL + 1}, ("ttl_out_of_range", "ttl")),
            ({"content": None}, ("values_missing", "values")),
            ({"content": None, "values": ()}, ("values_missing", "values")),
            ({"values": ("192.0.2.1",)}, ("values_missing", "values")),
            ({"content": "192.0.2"}, ("address_malformed", "values")),
            ({"priority": 10}, ("priority_unwanted", "priority")),
            ({"type": "MX", "content": "20 mail.example.org", "priority": 10}, ("priority_twice", "priority")),
            ({"type": "MX", "content": "mail.example.org", "priority": 70000}, ("number_out_of_range", "priority")),
            ({"content": None, "values": MANY}, ("values_too_many", "values")),
            ({"type": "TXT", "content": None, "values": LARGE}, ("set_too_large", "values")),
            ({"type": "CNAME", "content": None, "values": TWO}, ("cname_not_alone", "values")),
            ({"type": "CNAME", "name": "@", "content": "a.example.net"}, ("cname_not_alone", "name")),
            ({"type": "CNAME", "content": "www.example.org"}, ("cname_of_itself", "values")),
            ({"type": "NS", "name": "@", "content": "ns1.example.net"}, ("ns_of_zone", "name")),
            ({"type": "NS", "name": "*", "content": "ns1.example.net"}, ("ns_wildcard", "name")),
            ({"type": "SRV", "content": "1 2 3 a.example.net"}, ("name_no_service", "name")),
            ({"type": "TLSA", "content": f"3 1 1 {'ab' * 32}"}, ("name_no_service", "name")),
            ({"type": "MX", "content": None, "values": ("0 .", "10 a.example.net")}, ("nowhere_not_alone", "values")),
        ],
    )  # fmt: skip
    def test_what_cannot_be_a_set_is_refused_with_its_field(self, given: dict[str, Any], why: tuple[str, str]) -> None:
        assert refused(made(**given)) == why

    def test_unknown_members_are_refused(self) -> None:
        with pytest.raises(ValidationError):
            made(disabled=True)

    @given(
        st.sampled_from(["@", "www", "*", "_sip._tcp", "bücher"]),
        st.integers(MIN_TTL, MAX_TTL),
        st.lists(TEXTS, min_size=1, max_size=5),
    )
    def test_the_normal_form_is_its_own_normal_form(self, name: str, ttl: int, texts: list[str]) -> None:
        made = normal_set(ZONE, RecordInput(name=name, type="TXT", values=tuple(texts), ttl=ttl))
        assert normal_set(ZONE, made.as_input()) == made


class TestTogether:
    @pytest.mark.parametrize(
        "types",
        [
            {"www.example.org": {"CNAME"}},
            {"www.example.org": {"A", "AAAA", "TXT"}},
            {"example.org": {"A", "MX", "TXT"}},
            {"sub.example.org": {"NS", "DS"}, "ns1.sub.example.org": {"A", "AAAA"}},
            {"sub.example.org": {"NS", "A"}},
        ],
    )
    def test_these_may(self, types: dict[str, set[str]]) -> None:
        check_together(ZONE, types)

    @pytest.mark.parametrize(
        ("types", "reason"),
        [
            ({"www.example.org": {"CNAME", "TXT"}}, "cname_not_alone"),
            ({"example.org": {"CNAME"}}, "cname_not_alone"),
            ({"sub.example.org": {"NS", "TXT"}}, "below_delegation"),
            ({"sub.example.org": {"NS"}, "www.sub.example.org": {"CNAME"}}, "below_delegation"),
            ({"sub.example.org": {"NS"}, "a.b.sub.example.org": {"NS"}}, "below_delegation"),
        ],
    )
    def test_these_may_not(self, types: dict[str, set[str]], reason: str) -> None:
        with pytest.raises(InvalidDns) as caught:
            check_together(ZONE, types)
        assert caught.value.reason == reason

    def test_what_was_wrong_before_blocks_nothing_else(self) -> None:
        types = {"old.example.org": {"CNAME", "TXT"}, "new.example.org": {"A"}}
        check_together(ZONE, types, {"new.example.org"})

    def test_giving_a_name_away_counts_for_what_stands_below_it(self) -> None:
        types = {"sub.example.org": {"NS"}, "www.sub.example.org": {"TXT"}}
        with pytest.raises(InvalidDns, match="given away"):
            check_together(ZONE, types, {"sub.example.org"})
