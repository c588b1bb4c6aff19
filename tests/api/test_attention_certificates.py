"""The operators' list of certificates: revoked, near their end or failing, until a successor is served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from api.envelope import stamp
from db.models_certificates import Certificate
from db.queries import certificates
from domain.renewal_retries import FailureKind
from tests.api.test_attention import listed, metric
from tests.api.test_attention_sales import MEMBERS
from tests.api.test_certificates import certified, forget
from tests.api.world import World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def items(world: World) -> list[dict[str, Any]]:
    found = [one for one in (await listed(world))["items"] if one["kind"] == "certificate"]
    assert all(one.keys() >= MEMBERS for one in found)
    return found


async def happened(world: World, row: Certificate, *, revoked: bool = False, failures: int = 0, ago: timedelta) -> None:
    now = datetime.now(UTC)
    async with world.db.begin() as session:
        kept = await certificates.get(session, row.id, lock=True)
        kept.revoked = revoked
        for _ in range(failures):
            certificates.note_failure(kept, now - ago, FailureKind.VALIDATION, "NXDOMAIN looking up A", None)
        certificates.plan(kept, now - ago, polls=False)


async def test_revoked_failing_and_ending_ones_are_listed_by_age_with_their_next_try(world: World) -> None:
    await forget(world)
    gone, fails, ends, well = [await certified(world) for _ in range(2)] + [
        await certified(world, left=5 * DAY), await certified(world)
    ]  # fmt: skip
    await happened(world, gone, revoked=True, ago=HOUR)
    await happened(world, fails, failures=3, ago=3 * HOUR)
    await happened(world, ends, ago=2 * HOUR)
    await happened(world, well, failures=2, ago=4 * HOUR)
    assert await metric(world, "certificate") == "3.0"
    first, second, third = await items(world)
    assert [one["slug"] for one in (first, second, third)] == [fails.names[0], ends.names[0], gone.names[0]]
    assert [one["trouble"] for one in (first, second, third)] == [
        "RenewalFails", "CertificateEnds", "CertificateRevoked"
    ]  # fmt: skip
    assert first["what"] == f"Certificate of {fails.names[0]}: 3 tries to renew it failed"
    assert "NXDOMAIN looking up A. Next: rehearse at " in first["message"]
    assert (first["owner"], first["deployment_id"]) == ("operator", str(fails.deployment_id))
    assert first["until"] == stamp(fails.not_after)


async def test_since_stays_through_further_tries_and_ends_with_the_successor(world: World) -> None:
    await forget(world)
    row = await certified(world)
    await happened(world, row, failures=3, ago=2 * DAY)
    await happened(world, row, failures=1, ago=HOUR)
    [one] = await items(world)
    assert datetime.fromisoformat(one["since"]) < datetime.now(UTC) - 47 * HOUR
    async with world.db.begin() as session:
        certificates.supersede(await certificates.get(session, row.id), datetime.now(UTC))
    assert await items(world) == []
