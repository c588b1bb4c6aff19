"""Reading offers: a passing trouble is waited out, a lasting one is said in the cloud's words, and soon."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError

from domain.offers import Offer, OffersCall
from domain.starting import offers_start
from tests.workflows.world import World
from workflows.offers import ReadOffers


async def read(client: Client) -> None:
    call = OffersCall(provider="transip", provider_id=str(uuid.uuid4()), resource=Offer.IMAGES)
    await client.execute_workflow(ReadOffers.run, call, **offers_start(call))


async def test_a_passing_trouble_is_waited_out(world: World, client: Client) -> None:
    world.fail("read_offers", "Transient", times=2, final=False)
    await read(client)
    assert world.count["read_offers"] == 3


@pytest.mark.parametrize(("final", "tries"), [(True, 1), (False, 3)])
async def test_a_lasting_trouble_ends_it_with_its_words(
    world: World, client: Client, final: bool, tries: int
) -> None:  # fmt: skip
    world.fail("read_offers", "Transient", "the cloud is away", final=final)
    with pytest.raises(WorkflowFailureError) as failed:
        await read(client)
    assert isinstance(failed.value.cause, ActivityError)
    cause = failed.value.cause.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == ("Transient", "the cloud is away")
    assert world.count["read_offers"] == tries
