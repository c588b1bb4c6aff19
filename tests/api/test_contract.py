"""One test per documented example of source 000, keys and values as they stand there (R001–R005, X01, X02)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import insert

from api.examples import CREATE_REPLY, CREATE_REQUEST, LOGS_REPLY, STATUS_REPLY
from db.models import DeploymentEvent
from tests.api.world import World, order

ENVELOPE = {"success", "timestamp", "statusCode", "request_id"}


async def test_create_answers_the_documented_202(world: World) -> None:
    answer = await world.client.post("/api/portal/instances", json=CREATE_REQUEST)
    body = answer.json()
    assert answer.status_code == 202
    assert set(body) == set(CREATE_REPLY) | ENVELOPE
    assert body["message"] == CREATE_REPLY["message"]
    assert body["organization"] == CREATE_REPLY["organization"] | {"id": body["organization"]["id"]}
    assert body["deployment"] == CREATE_REPLY["deployment"] | {"id": body["deploymentId"]}
    assert uuid.UUID(body["deploymentId"]).version == 7
    assert answer.headers["location"] == f"/api/portal/instances/{body['deploymentId']}/status"
    assert (body["success"], body["statusCode"]) == (True, 202)
    assert body["timestamp"].endswith("Z")
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_shared_create_names_the_shared_model(world: World) -> None:
    body = await world.create(deploymentModel="shared")
    assert body["message"] == "Shared VPS provisioning initiated"


async def test_status_has_the_documented_keys_and_values(world: World) -> None:
    made = await world.create()
    ref = made["deploymentId"]
    created = datetime(2025, 1, 19, 10, 30, tzinfo=UTC)
    async with world.db.begin() as session:
        for position, line in enumerate(STATUS_REPLY["logs"], 1):
            await session.execute(
                insert(DeploymentEvent).values(
                    deployment_id=uuid.UUID(ref), position=position, kind="step", run_id="r" + ref, seq=position,
                    step="set_up_server", state="note", data={}, message=line["message"],
                    at=datetime.fromisoformat(line["timestamp"]))
            )  # fmt: skip
    await world.set_row(ref, status="deploying", status_message=STATUS_REPLY["status_message"], created_at=created,
                        updated_at=datetime(2025, 1, 19, 10, 32, 15, tzinfo=UTC), position=2)  # fmt: skip
    answer = await world.client.get(f"/api/portal/instances/{ref}/status")
    body = answer.json()
    assert answer.status_code == 200
    expected = STATUS_REPLY | {"id": ref, "organization_id": made["organization"]["id"]}
    documented = {name: body[name] for name in STATUS_REPLY}
    documented["logs"] = [{name: line[name] for name in ("timestamp", "message")} for line in body["logs"]]
    assert documented == expected


async def test_logs_have_the_documented_keys_and_values(world: World) -> None:
    ref = (await world.create())["deploymentId"]
    async with world.db.begin() as session:
        for position, line in enumerate(LOGS_REPLY["logs"], 1):
            await session.execute(
                insert(DeploymentEvent).values(
                    deployment_id=uuid.UUID(ref), position=position, kind="log", run_id="r" + ref, activity_id="1",
                    attempt=1, line_no=position, step="set_up_server", state="info", data={},
                    message=line["message"], at=datetime.fromisoformat(line["timestamp"]))
            )  # fmt: skip
    body = (await world.client.get(f"/api/portal/instances/{ref}/logs")).json()
    assert body["deploymentId"] == ref
    assert [{k: line[k] for k in ("timestamp", "message")} for line in body["logs"]] == LOGS_REPLY["logs"]
    assert set(body) == {"deploymentId", "logs", "position", "has_more"} | ENVELOPE


async def test_vps_list_has_the_columns_of_the_documented_table(world: World) -> None:
    ref = await world.server(vps_ip="192.168.1.100", vps_hostname="test-vps-1.recruitiq.nl", location="Amsterdam",
                             product_name="bladevps-x4")  # fmt: skip
    found = (await world.client.get("/api/portal/vps")).json()["vps"]
    row = next(item for item in found if item["id"] == ref)
    documented = "id vps_name vps_ip vps_hostname location product_name specs status is_shared current_organizations"
    assert {*documented.split(), "max_organizations", "created_at"} <= set(row)
    assert {"cpu", "ram", "disk", "bandwidth"} <= set(row["specs"])
    assert (row["status"], row["vps_ip"], row["location"]) == ("active", "192.168.1.100", "Amsterdam")


async def test_organizations_of_a_server(world: World) -> None:
    ref = await world.server()
    made = await world.create(deploymentModel="shared", vpsId=ref)
    await world.set_row(made["deploymentId"], vps_id=uuid.UUID(ref), access_url="https://x.recruitiq.nl")
    found = (await world.client.get(f"/api/portal/vps/{ref}/organizations")).json()["organizations"]
    assert [(row["id"], row["slug"], row["deployment_id"]) for row in found] == [
        (made["organization"]["id"], made["organization"]["slug"], made["deploymentId"])
    ]


async def test_documented_rows_may_be_registered_by_hand(world: World) -> None:
    """Source 000's troubleshooting registers a server by SQL; the list shows it."""
    ref = await world.server(vps_name="manual-vps-1", vps_ip="203.0.113.10", is_shared=False)
    found = (await world.client.get("/api/portal/vps?shared=false")).json()["vps"]
    assert ref in [row["id"] for row in found]


async def test_snake_case_is_accepted_too(world: World) -> None:
    body = order()
    snake = {
        "organization_name": body["organizationName"], "slug": body["slug"], "tier": body["tier"],
        "deployment_model": "dedicated", "vps_id": None, "admin_email": body["adminEmail"],
        "admin_name": body["adminName"], "admin_password": body["adminPassword"],
    }  # fmt: skip
    assert (await world.client.post("/api/portal/instances", json=snake)).status_code == 202


async def test_errors_carry_both_documented_shapes(world: World) -> None:
    answer = await world.client.get(f"/api/portal/instances/{uuid.uuid4()}/status")
    body = answer.json()
    assert answer.status_code == 404
    assert set(body) == {"error", "message", "code"} | ENVELOPE
    assert body["error"] == body["message"]
    assert (body["success"], body["code"], body["statusCode"]) == (False, "NOT_FOUND", 404)
