"""Drills over the API: begun within the CA's limits, paused, resumed, stopped, and read; by operators, and audited."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

from db.models_certificates import Certificate, CertificateDrill
from domain.statuses import Role
from tests.api.test_certificates import LETS_ENCRYPT, certified
from tests.api.world import World

BODY: dict[str, Any] = {"ca": LETS_ENCRYPT, "pacePerHour": 60, "reason": "They withdraw them"}


@pytest.fixture(autouse=True)
async def _alone(world: World) -> None:
    """Other tests' certificates and drills are over."""
    async with world.db.begin() as session:
        await session.execute(update(Certificate).values(
            superseded_at=func.now(), renew_after=None, next_action="", drill_id=None))  # fmt: skip
        await session.execute(update(CertificateDrill).values(state="stopped", ended_at=func.now()))


async def begin(world: World, **changes: Any) -> dict[str, Any]:
    answer = await world.client.post("/api/ssl/drills", json=BODY | changes)
    assert answer.status_code == 201, answer.text
    drill: dict[str, Any] = answer.json()["drill"]
    assert answer.headers["Location"] == f"/api/ssl/drills/{drill['id']}"
    return drill


async def told(world: World, drill: dict[str, Any]) -> dict[str, Any]:
    answer = await world.client.get(f"/api/ssl/drills/{drill['id']}")
    return dict(answer.json()["drill"])


async def act(world: World, drill: dict[str, Any], what: str) -> tuple[int, dict[str, Any]]:
    answer = await world.client.post(f"/api/ssl/drills/{drill['id']}/{what}")
    return answer.status_code, answer.json()


async def test_one_is_begun_with_all_that_fit_and_audited(world: World) -> None:
    row = await certified(world)
    await certified(world, directory_url="https://other.test/dir")
    drill = await begin(world)
    assert (drill["total"], drill["waiting"], drill["replaced"], drill["state"]) == (1, 1, 0, "running")
    assert (drill["ca"], drill["pace_per_hour"], drill["requested_by"]) == (LETS_ENCRYPT, 60, world.username)
    assert drill["last_about"] is not None
    (entry,) = [one for one in await world.audit("certificate_drill.begin") if one.target_id == drill["id"]]
    assert entry.outcome == "ok"
    async with world.db.begin() as session:
        assert (await session.get_one(Certificate, row.id)).drill_id == uuid.UUID(drill["id"])
    listed = (await world.client.get("/api/ssl/drills")).json()
    assert listed["drills"][0] == drill | {"last_about": listed["drills"][0]["last_about"]}
    assert {(one["ca"], one["certificates"]) for one in listed["holdings"]} == {
        (LETS_ENCRYPT, 1), ("https://other.test/dir", 1),
    }  # fmt: skip


async def test_how_far_it_is_follows_from_the_certificates(world: World) -> None:
    row, other = await certified(world), await certified(world)
    drill = await begin(world)
    rest = {"renew_after": None, "next_action": "", "superseded_at": func.now()}
    for ref, columns in ((row.id, rest), (other.id, {"replace_after": func.now()})):
        async with world.db.begin() as session:
            await session.execute(update(Certificate).where(Certificate.id == ref).values(**columns))
    found = await told(world, drill)
    assert (found["waiting"], found["under_way"], found["replaced"]) == (0, 1, 1)
    assert (found["next_at"], found["last_about"]) == (None, None)


async def test_it_is_paused_resumed_and_stopped(world: World) -> None:
    await certified(world)
    drill = await begin(world)
    status, body = await act(world, drill, "pause")
    assert (status, body["drill"]["state"], body["drill"]["last_about"]) == (200, "paused", None)
    status, body = await act(world, drill, "resume")
    assert (status, body["drill"]["state"]) == (200, "running")
    assert datetime.fromisoformat(body["drill"]["next_at"]) > datetime.now(UTC) - timedelta(minutes=1)
    status, body = await act(world, drill, "stop")
    assert (status, body["drill"]["state"], body["drill"]["waiting"]) == (200, "stopped", 1)
    assert body["drill"]["ended_at"] is not None
    for what in ("pause", "resume", "stop"):
        assert (await act(world, drill, what))[0] == 409


async def test_a_second_one_waits_for_the_end_of_the_first(world: World) -> None:
    await certified(world)
    drill = await begin(world)
    answer = await world.client.post("/api/ssl/drills", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
    await act(world, drill, "stop")
    assert (await begin(world))["total"] == 1


async def test_one_by_kind_of_key_makes_new_keys(world: World) -> None:
    await certified(world, key_type="rsa-2048")
    drill = await begin(world, ca="", keyType="rsa-2048")
    assert (drill["key_type"], drill["fresh_key"], drill["total"]) == ("rsa-2048", True, 1)


async def test_a_pace_beyond_the_limits_of_another_ca_is_refused_by_name(world: World) -> None:
    world.settings.acme_directory_url = LETS_ENCRYPT
    await certified(world, directory_url="https://other.test/dir")
    answer = await world.client.post("/api/ssl/drills", json=BODY | {"ca": "https://other.test/dir"})
    assert (answer.status_code, answer.json()["field"]) == (422, "pacePerHour")
    assert "50 certificates an hour" in answer.json()["message"]
    assert (await begin(world, ca="https://other.test/dir", pacePerHour=50))["total"] == 1


@pytest.mark.parametrize("changes", [
    {"ca": ""}, {"pacePerHour": 0}, {"pacePerHour": 36_001}, {"ca": "a\nb"}, {"keyType": "RSA 2048"},
])  # fmt: skip
async def test_what_is_no_drill_is_refused(world: World, changes: dict[str, Any]) -> None:
    assert (await world.client.post("/api/ssl/drills", json=BODY | changes)).status_code == 422


async def test_one_about_nothing_is_refused(world: World) -> None:
    answer = await world.client.post("/api/ssl/drills", json=BODY | {"ca": "https://nobody.test", "pacePerHour": 50})
    assert answer.status_code == 409


async def test_it_is_for_operators_and_unknown_ones_are_not_found(world: World) -> None:
    assert (await act(world, {"id": str(uuid.uuid4())}, "pause"))[0] == 404
    assert (await act(world, {"id": "nonsense"}, "stop"))[0] == 404
    await world.sign_in(Role.SUPPORT)
    assert (await world.client.get("/api/ssl/drills")).status_code == 403
