"""Every cloud of the registry, made from an account, keeps the promises that nobody may forget."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from domain.servers import PowerAction, ProviderType
from domain.statuses import Tier
from providers.cloud.base import Account, Cloud, CloudMaker
from providers.cloud.registry import CLOUDS
from providers.errors import Transient
from tests.providers.cloud.replay import fixture

ACCOUNTS = {"transip": Account(api_key=SecretStr(fixture("auth_signature_vector.json")["private_key_pem"]),
                               configuration={"username": "acme"})}  # fmt: skip


def account(name: str, **configuration: object) -> Account:
    known = ACCOUNTS.get(name, Account(api_key=SecretStr("token")))
    return known.model_copy(update={"configuration": {**known.configuration, **configuration}})


def test_every_kind_of_cloud_that_has_a_client_is_named() -> None:
    assert set(CLOUDS) == set(ProviderType) - {ProviderType.AWS, ProviderType.GCP}


@pytest.mark.parametrize("name", CLOUDS)
class TestEach:
    def cloud(self, name: str, **configuration: object) -> Cloud:
        make: CloudMaker = CLOUDS[name]
        return make(account(name, **configuration))

    def test_it_is_called_as_it_is_registered(self, name: str) -> None:
        assert self.cloud(name).name == name

    def test_it_states_its_numbers(self, name: str) -> None:
        cloud = self.cloud(name)
        assert cloud.poll_interval > 0
        assert cloud.late_accept_window > cloud.poll_interval
        assert cloud.default_availability_zone
        assert cloud.default_operating_system
        assert all(limit.count > 0 and limit.seconds > 0 and 0 < len(limit.calls) <= 40 for limit in cloud.call_limits)
        assert len({limit.calls for limit in cloud.call_limits}) == len(cloud.call_limits)

    def test_only_digitalocean_power_cycles(self, name: str) -> None:
        cloud = self.cloud(name)
        assert (PowerAction.POWER_CYCLE in cloud.power_actions) is (name == "digitalocean")
        assert {
            PowerAction.POWER_ON,
            PowerAction.SHUTDOWN,
            PowerAction.POWER_OFF,
            PowerAction.REBOOT,
        } <= cloud.power_actions

    def test_tiers_are_data(self, name: str) -> None:
        cloud = self.cloud(name, tiers={"starter": "tiny", "no-tier": "x", "enterprise": 7})
        assert cloud.product_for(Tier.STARTER) == "tiny"
        assert cloud.product_for(Tier.ENTERPRISE) == self.cloud(name).product_for(Tier.ENTERPRISE)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"null", b'"text"', b'{"data": {}, "pages": 1}'])
    async def test_no_garbled_answer_is_an_empty_list(self, name: str, body: bytes) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/auth"):
                return httpx.Response(201, json={"token": "a.b.c"})
            return httpx.Response(200, content=body)

        cloud = CLOUDS[name](account(name), transport=httpx.MockTransport(answer))
        for call in (cloud.list(), cloud.find("0" * 32), cloud.sizes(), cloud.images(), cloud.regions()):
            with pytest.raises(Transient):
                await call
        await cloud.close()
