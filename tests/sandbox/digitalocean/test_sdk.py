"""DigitalOcean's own Python client works against the sandbox, over the whole life of a droplet."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pydo

from tests.sandbox.clouds.serving import SSH_KEY
from tests.sandbox.digitalocean.emulator import TOKENS, DigitalOcean, droplet

# It would refuse plain HTTP.
PLAIN = {"enforce_https": False}
TRIES = 400


def client_of(cloud: DigitalOcean) -> pydo.Client:
    return pydo.Client(token=TOKENS["acme"], endpoint=cloud.url)


def waited(client: pydo.Client, number: int, status: str) -> dict[str, Any]:
    for _ in range(TRIES):
        found = client.droplets.get(droplet_id=number, **PLAIN)["droplet"]
        if found["status"] == status and not found["locked"]:
            return dict(found)
        time.sleep(0.02)
    raise AssertionError(f"droplet {number} did not become {status}")


def life(client: pydo.Client) -> None:
    assert client.account.get(**PLAIN)["account"]["status"] == "active"
    key = client.ssh_keys.create(body={"name": "slipway", "public_key": SSH_KEY}, **PLAIN)["ssh_key"]
    made = client.droplets.create(body=droplet(ssh_keys=[key["fingerprint"]]), **PLAIN)["droplet"]
    active = waited(client, made["id"], "active")
    assert active["networks"]["v4"][1]["type"] == "public"
    (tag,) = active["tags"]
    assert [one["id"] for one in client.droplets.list(tag_name=tag, **PLAIN)["droplets"]] == [made["id"]]
    for kind, status in (("power_off", "off"), ("power_on", "active")):
        action = client.droplet_actions.post(droplet_id=made["id"], body={"type": kind}, **PLAIN)["action"]
        waited(client, made["id"], status)
        assert client.actions.get(action_id=action["id"], **PLAIN)["action"]["status"] == "completed"
    assert client.sizes.list(per_page=200, **PLAIN)["meta"]["total"] > 1
    assert client.regions.list(**PLAIN)["regions"]
    assert client.images.list(type="application", **PLAIN)["images"]
    assert client.one_clicks.list(type="droplet", **PLAIN)["1_clicks"]
    client.droplets.destroy(droplet_id=made["id"], **PLAIN)
    assert client.droplets.get(droplet_id=made["id"], **PLAIN)["id"] == "not_found"
    assert client.droplets.list(**PLAIN)["droplets"] == []


async def test_life_of_a_droplet(cloud: DigitalOcean) -> None:
    await asyncio.to_thread(life, client_of(cloud))
    assert cloud.app.living() == []
