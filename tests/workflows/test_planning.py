"""A plan says what a run would do and writes nothing."""

from __future__ import annotations

from sqlalchemy import func, select
from temporalio.client import Client

from db.base import Base
from domain import ids
from domain.provisioning import Plan, PlanOrder
from domain.statuses import DeploymentType, Tier
from domain.steps import PROVISIONING
from tests.workflows.world import World
from workflows.planning import Planning


async def plan(client: Client, slug: str, kind: DeploymentType) -> Plan:
    order = PlanOrder(slug=slug, fqdn=f"{slug}.slipway.test", deployment_type=kind, tier=Tier.PROFESSIONAL)
    return await client.execute_workflow(
        Planning.run, order, id=ids.plan_workflow_id(f"{slug}-{kind}"), task_queue=ids.RUNS_QUEUE
    )


async def rows(world: World) -> dict[str, int]:
    async with world.db.begin() as session:
        return {
            table.name: int((await session.execute(select(func.count()).select_from(table))).scalar_one())
            for table in Base.metadata.sorted_tables
        }


async def test_a_dedicated_plan_names_steps_and_price_and_changes_nothing(world: World, client: Client) -> None:
    before = await rows(world)
    made = await plan(client, "planned", DeploymentType.DEDICATED)
    assert (made.vps_name, made.new_server, made.price_cents_month) == ("planned-vps-1", True, 2000)
    assert made.steps == [step.name for step in PROVISIONING]
    assert await rows(world) == before
    assert world.count["create_server"] == 0


async def test_a_shared_plan_uses_the_place_that_is_free(world: World, client: Client) -> None:
    await (await world.start(client, await world.order("resident", "shared"))).result()
    made = await plan(client, "newcomer", DeploymentType.SHARED)
    assert (made.vps_name, made.new_server, made.price_cents_month) == ("resident-vps-1", False, None)
    assert "create_server" not in made.steps
