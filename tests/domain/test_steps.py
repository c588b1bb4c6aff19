"""The step table: a graph without holes, the seven documented messages, editable fields that exist."""

from __future__ import annotations

import pytest

from domain.change_steps import CHANGE_STEPS, CHANGES
from domain.fulfilment import FulfilmentInputs
from domain.fulfilment_steps import FULFILMENT, PARTS, TAKING_BACK
from domain.provisioning import RunInputs
from domain.sales import CHANGES as SUBSCRIPTION_CHANGES
from domain.statuses import DeploymentType
from domain.step import Step
from domain.steps import BY_NAME, PROVISIONING, TERMINATION, steps_for

KINDS = [
    PROVISIONING,
    TERMINATION,
    *CHANGE_STEPS.values(),
    steps_for(DeploymentType.SHARED, new_server=False),
    steps_for(DeploymentType.SHARED, new_server=True),
]


@pytest.mark.parametrize("steps", KINDS)
def test_every_edge_leads_to_an_earlier_step(steps: tuple[Step, ...]) -> None:
    seen: set[str] = set()
    for step in steps:
        assert set(step.after) <= seen, f"{step.name} waits for what comes later or never"
        seen.add(step.name)


def test_the_seven_documented_steps_have_their_messages() -> None:
    numbered = {step.number: step.message for step in PROVISIONING if step.number}
    assert set(numbered) == set(range(1, 8))
    assert numbered[1] == "Step 1/7: Setting up VPS"
    assert numbered[4] == "Step 4/7: Starting Docker services"


def test_editable_inputs_exist() -> None:
    hosting = {step.name for step in (*FULFILMENT, *PARTS, *TAKING_BACK, *CHANGES)}
    for step in BY_NAME.values():
        inputs = FulfilmentInputs if step.name in hosting else RunInputs
        assert set(step.editable) <= set(inputs.model_fields), step.name


def test_a_place_on_an_existing_server_orders_nothing() -> None:
    names = {step.name for step in steps_for(DeploymentType.SHARED, new_server=False)}
    assert not names & {"create_server", "await_server"}
    assert "set_up_server" in names


def test_every_kind_of_change_has_its_story() -> None:
    assert set(CHANGE_STEPS) == set(SUBSCRIPTION_CHANGES)
