"""The official OpenAPI file judges the client's requests and the sandbox's answers over a whole life of a server."""

from __future__ import annotations

import pytest

from providers.cloud.transip import TransIP
from providers.errors import Conflict, InvalidInput, NotFound, Transient
from tests.providers.cloud.judge import Judge
from tests.sandbox.transip.emulator import TOKEN, Emulator, order, until


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
async def client(cloud: Emulator, judge: Judge) -> TransIP:
    return cloud.client(transport=judge)


async def test_life_of_a_server_violates_nothing(client: TransIP, judge: Judge) -> None:
    await client.verify_credentials()
    await client.price("bladevps-x4")
    await client.check_order(order())
    receipt = await client.order(order())

    async def running() -> str | None:
        found = await client.find(TOKEN)
        return found[0].provider_ref if found and found[0].running and not found[0].locked else None

    name = await until(running)
    assert not await client.order_in_progress(receipt)
    await client.claim(name, label="acme-vps-1", correlation=TOKEN)
    await client.get(name)
    await client.cancel(name, immediately=True)
    await client.cancel(name, immediately=True)

    async def gone() -> bool:
        try:
            await client.get(name)
        except NotFound:
            return True
        return False

    await until(gone)
    assert judge.violations == []
    seen = {(method, path.replace(name, "{}").replace(receipt.action_ref or "-", "{}"), status)
            for method, path, status in judge.judged}  # fmt: skip
    assert {
        ("POST", "/v6/auth", 201),
        ("POST", "/v6/vps", 201),
        ("GET", "/v6/vps", 200),
        ("GET", "/v6/vps/{}", 200),
        ("GET", "/v6/vps/{}", 404),
        ("PUT", "/v6/vps/{}", 204),
        ("DELETE", "/v6/vps/{}", 204),
        ("DELETE", "/v6/vps/{}", 409),
        ("GET", "/v6/actions/{}", 200),
        ("GET", "/v6/actions/{}/children", 200),
    } <= seen


async def test_a_quarantine_and_its_end_violate_nothing(cloud: Emulator, client: TransIP, judge: Judge) -> None:
    name = await born(cloud)

    async def free() -> bool:
        return not (await client.get(name)).locked

    for call in (client.quarantine, client.quarantine, client.restore, client.restore):
        await call(name)
        await until(free)
    assert judge.violations == []
    changes = [
        (method, status) for method, path, status in judge.judged if path == f"/v6/vps/{name}" and method != "GET"
    ]
    assert changes == [("PUT", 204), ("PATCH", 204), ("PUT", 204), ("PATCH", 204)]


async def test_refusals_violate_nothing(cloud: Emulator, client: TransIP, judge: Judge) -> None:
    name = await born(cloud)
    for call, error in (
        (client.get("acme-vps99"), NotFound),
        (client.cancel("acme-vps99", immediately=False), None),
        (client._call("PUT", f"/vps/{name}", json={"vps": {**vps_of(name), "description": "x" * 33}}), InvalidInput),
    ):
        if error is None:
            await call
        else:
            with pytest.raises(error):
                await call
    await cloud.admin.post(f"/_sandbox/vps/{name}/block")
    with pytest.raises(Conflict):
        await client.cancel(name, immediately=True)
    await cloud.admin.post(f"/_sandbox/vps/{name}/unblock")
    await client._call("PATCH", f"/vps/{name}", json={"action": "stop"})
    with pytest.raises(Transient):
        await client.cancel(name, immediately=True)
    # The specification forbids the long description too, so of that call only the answer can be judged.
    requests_at_fault = [text for text in judge.violations if "maxLength" not in text and "too long" not in text]
    assert requests_at_fault == []


async def test_the_rest_of_the_sandbox_violates_nothing(cloud: Emulator, client: TransIP, judge: Judge) -> None:
    name = await born(cloud)
    for path in (
        "/products/vps-bladevps-x4/elements",
        "/actions",
        "/ssh-keys",
        f"/vps/{name}/addons",
        f"/vps/{name}/ip-addresses",
        f"/vps/{name}/upgrades",
    ):
        await client._read(path)
    key = {"sshKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2rB0k0XQ3iZxk9", "description": "Jim key"}
    await client._call("POST", "/ssh-keys", json=key)
    (listed,) = (await client._read("/ssh-keys"))["sshKeys"]
    await client._call("PUT", f"/ssh-keys/{listed['id']}", json={"description": "Bob key"})
    assert (await client._read(f"/ssh-keys/{listed['id']}"))["sshKey"]["description"] == "Bob key"
    await client._call("DELETE", f"/ssh-keys/{listed['id']}")
    assert judge.violations == []


async def test_judge_sees_a_wrong_answer(cloud: Emulator, client: TransIP, judge: Judge) -> None:
    await cloud.fault("garbage", path="^/vps$", body='{"vpss": [{"name": 7}]}')
    await client._read("/vps")
    assert judge.violations


def vps_of(name: str) -> dict[str, object]:
    return {"name": name, "uuid": "bfa08ad9-6c12-4e03-95dd-a888b97ffe49", "tags": []}


async def born(cloud: Emulator) -> str:
    """A server that runs, by its name."""
    plain = cloud.client()
    await plain.order(order())

    async def running() -> str | None:
        found = await plain.find(TOKEN)
        return found[0].provider_ref if found and found[0].running and not found[0].locked else None

    name = await until(running)
    return str(name)
