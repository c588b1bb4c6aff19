"""Certificates over the API: by expiry, with what is next; a chain and never a key; renewal now; nobody else's."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, update

from db.base import new_id
from db.models_certificates import CaBucket, Certificate
from domain.certificates import RenewalCall
from domain.statuses import Role
from tests.api.world import World, temporal_is_away

DAY = timedelta(days=1)
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
CHAIN = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"


async def certified(world: World, *, left: timedelta = 60 * DAY, **columns: Any) -> Certificate:
    made = await world.create()
    row = await world.deployment(made["deploymentId"])
    now = datetime.now(UTC)
    values = {
        "id": new_id(), "deployment_id": row.id, "names": [row.assigned_subdomain], "serial": uuid.uuid4().hex,
        "issuer": "CN=E7", "not_before": now + left - 90 * DAY, "not_after": now + left, "chain_pem": CHAIN,
        "key_sha256": "9f86d0", "directory_url": LETS_ENCRYPT, "renew_after": now + DAY, "next_action": "poll",
        "why": "the CA is asked for its window",
    }  # fmt: skip
    async with world.db.begin() as session:
        certificate = Certificate(**(values | columns))
        session.add(certificate)
    return certificate


async def listed(world: World, **params: Any) -> list[dict[str, Any]]:
    answer = await world.client.get("/api/ssl/certificates", params={"limit": 100} | params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["certificates"])


async def forget(world: World) -> None:
    async with world.db.begin() as session:
        rest = {"superseded_at": func.now(), "renew_after": None, "next_action": "", "troubled_since": None}
        await session.execute(update(Certificate).values(**rest))


class TestReading:
    async def test_the_next_to_expire_comes_first_with_its_next_action_and_sentence(self, world: World) -> None:
        await forget(world)
        later, sooner = await certified(world), await certified(world, left=9 * DAY + timedelta(hours=1))
        first, second = await listed(world)
        assert (first["id"], second["id"]) == (str(sooner.id), str(later.id))
        assert (first["domain"], first["days_left"], first["state"]) == (sooner.names[0], 9, "valid")
        assert first["renewal"]["action"] == "poll"
        assert first["renewal"]["why"] == "the CA is asked for its window"
        assert [row["id"] for row in await listed(world, state="expiring")] == [str(sooner.id)]
        assert [row["id"] for row in await listed(world, name=later.names[0][:8])] == [str(later.id)]

    async def test_failing_and_urgent_ones_are_found_and_why_is_told_to_staff(self, world: World) -> None:
        now = datetime.now(UTC)
        row = await certified(world, failures=2, failure_kind="rate_limited", failure_message="possible at noon",
                              failed_at=now, limited_until=now + DAY, urgent=True)  # fmt: skip
        for state in ("failing", "urgent"):
            assert str(row.id) in [one["id"] for one in await listed(world, state=state)]
        told = (await world.client.get(f"/api/ssl/certificate/{row.names[0]}")).json()["certificate"]["renewal"]
        assert (told["failures"], told["failure"]["message"]) == (2, "possible at noon")

    async def test_a_successor_that_nobody_serves_yet_is_not_shown(self, world: World) -> None:
        row = await certified(world)
        waits = {"names": row.names, "deployment_id": row.deployment_id, "renews_id": row.id, "renew_after": None}
        await certified(world, **waits, next_action="", left=89 * DAY)
        told = (await world.client.get(f"/api/ssl/certificate/{row.names[0].upper()}")).json()
        assert told["certificate"]["id"] == str(row.id)

    async def test_superseded_ones_are_listed_where_they_are_asked_for(self, world: World) -> None:
        gone = await certified(world, superseded_at=datetime.now(UTC), renew_after=None, next_action="")
        assert str(gone.id) not in [row["id"] for row in await listed(world)]
        assert str(gone.id) in [row["id"] for row in await listed(world, state="superseded")]

    async def test_the_content_is_the_chain(self, world: World) -> None:
        row = await certified(world)
        answer = await world.client.get(f"/api/ssl/certificate/{row.names[0]}/content")
        assert (answer.json()["domain"], answer.json()["content"]) == (row.names[0], CHAIN)
        assert "PRIVATE KEY" not in answer.text

    async def test_names_are_listed_with_what_is_next(self, world: World) -> None:
        await forget(world)
        row = await certified(world)
        async with world.db.begin() as session:
            names = ["b.example.com", "a.example.com"]
            await session.execute(update(Certificate).where(Certificate.id == row.id).values(names=names))
        body = (await world.client.get("/api/ssl/domains")).json()
        assert [one["domain"] for one in body["domains"]] == ["a.example.com", "b.example.com"]
        assert {one["certificate_id"] for one in body["domains"]} == {str(row.id)}
        assert body["pagination"]["total"] == 2

    async def test_when_the_next_issuance_is_possible_is_told_by_name(self, world: World) -> None:
        row, full = await certified(world), datetime.now(UTC) + 7 * DAY
        bucket = {"directory_url": LETS_ENCRYPT, "limit": "registered_domain", "subject": world.settings.base_domain}
        async with world.db.begin() as session:
            await session.execute(insert(CaBucket).values(**bucket, full_at=full))
        told = (await world.client.get(f"/api/ssl/certificate/{row.names[0]}")).json()["next_issuance"]
        assert told["now"] is False
        assert told["left"] == 0
        assert f"50 certificates for {world.settings.base_domain} in 7 days" in told["why"]

    async def test_a_customer_sees_the_own_ones_alone_and_no_words_of_failures(self, world: World) -> None:
        own = await certified(world, failures=1, failure_kind="ours", failure_message="10.0.0.1 is silent",
                              failed_at=datetime.now(UTC))  # fmt: skip
        other = await certified(world)
        row = await world.deployment(str(own.deployment_id))
        await world.sign_in(Role.USER, organization_id=row.organization_id)
        assert [one["id"] for one in await listed(world)] == [str(own.id)]
        answer = await world.client.get(f"/api/ssl/certificate/{own.names[0]}")
        assert "10.0.0.1" not in answer.text
        for path in ("", "/content"):
            assert (await world.client.get(f"/api/ssl/certificate/{other.names[0]}{path}")).status_code == 404

    async def test_what_is_no_name_is_not_found(self, world: World) -> None:
        for name in ("%00", "x" * 300, "nobody.example.com"):
            assert (await world.client.get(f"/api/ssl/certificate/{name}")).status_code == 404


class TestRenewing:
    async def test_it_begins_at_once_and_is_audited(self, world: World) -> None:
        row = await certified(world)
        answer = await world.client.post(f"/api/ssl/renew/{row.names[0]}?freshKey=true")
        assert answer.status_code == 202
        assert answer.json()["certificate_id"] == str(row.id)
        name, call, _ = world.temporal.started[f"certificate/{row.id}/renew"]
        assert name == "RenewCertificate"
        assert isinstance(call, RenewalCall)
        assert (call.forced, call.fresh_key, call.requested_by) == (True, True, world.username)
        entries = await world.audit("certificate.renew")
        assert entries[-1].target_id == str(row.id)

    async def test_another_proof_and_a_wildcard_may_be_chosen_by_any_name_that_is_covered(self, world: World) -> None:
        base = f"w{uuid.uuid4().hex[:8]}.example"
        row = await certified(world, names=[base, f"*.{base}"])
        answer = await world.client.post(f"/api/ssl/renew/www.{base}?challenge=http-01&wildcard=false")
        assert answer.status_code == 202, answer.text
        _, call, _ = world.temporal.started[f"certificate/{row.id}/renew"]
        assert (call.challenge, call.wildcard) == ("http-01", False)
        assert (await world.audit("certificate.renew"))[-1].details["challenge"] == "http-01"
        own = await certified(world, names=[f"www.{base}"], left=9 * DAY)
        told = (await world.client.get(f"/api/ssl/certificate/www.{base}")).json()["certificate"]
        assert (told["id"], told["challenge"]) == (str(own.id), "dns-01")
        assert (await world.client.post(f"/api/ssl/renew/{base}?challenge=tls-alpn-01")).status_code == 422

    async def test_one_that_is_under_way_is_a_success(self, world: World) -> None:
        row = await certified(world)
        for _ in range(2):
            assert (await world.client.post(f"/api/ssl/renew/{row.names[0]}")).status_code == 202

    async def test_one_may_be_asked_for_in_a_body_for_a_name_that_is_served(self, world: World) -> None:
        row = await certified(world)
        body = {"domain": row.names[0].upper(), "wildcard": True, "freshKey": True}
        answer = await world.client.post("/api/ssl/request-letsencrypt", json=body)
        assert (answer.status_code, answer.json()["certificate_id"]) == (202, str(row.id))
        _, call, _ = world.temporal.started[f"certificate/{row.id}/renew"]
        assert (call.forced, call.fresh_key, call.wildcard, call.challenge) == (True, True, True, "")
        for wrong, status in (({"domain": "nobody.example.com"}, 404), ({"domain": ""}, 422), ({}, 422)):
            assert (await world.client.post("/api/ssl/request-letsencrypt", json=wrong)).status_code == status

    async def test_temporal_away_says_so(self, world: World) -> None:
        row = await certified(world)
        world.temporal.trouble = temporal_is_away()
        assert (await world.client.post(f"/api/ssl/renew/{row.names[0]}")).status_code == 503


async def test_days_to_expiry_are_numbers_without_names(world: World) -> None:
    await forget(world)
    row = await certified(world, left=5 * DAY, failures=1, failure_kind="ca_down", failed_at=datetime.now(UTC))
    text = (await world.client.get("/metrics")).text
    assert 'slipway_certificates{within="7d"} 1.0' in text
    assert 'slipway_certificate_renewals_failing{kind="ca_down"} 1.0' in text
    assert "slipway_certificate_days_to_expiry 4.9" in text
    assert row.names[0] not in text
