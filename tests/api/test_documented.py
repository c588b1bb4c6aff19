"""Source 001, example by example, in the order in which they stand there: where the API's own documentation shows it,
and which test holds the API to it."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import pytest
from fastapi.encoders import jsonable_encoder

from api import examples, offer_examples, vps_examples
from domain.errors import ErrorCode
from tests.api.test_contract import ENVELOPE
from tests.api.world import World

PROVIDERS, SERVERS = "/api/admin/providers", "/api/vps"
ASKED = "requestBody"


class Example(NamedTuple):
    where: tuple[str, str, str]  # path, method, and the status of a reply or ASKED
    body: dict[str, Any]
    held_by: str  # a test below tests.api


EXAMPLES = [
    Example((PROVIDERS, "get", "200"), examples.ACCOUNTS_REPLY, "test_providers.TestDocumented.test_the_list"),
    Example((PROVIDERS, "post", ASKED), examples.ACCOUNT_REQUEST, "test_providers.TestDocumented.test_creating"),
    Example((PROVIDERS, "post", "201"), examples.ACCOUNT_REPLY, "test_providers.TestDocumented.test_creating"),
    Example((f"{PROVIDERS}/{{provider_id}}", "put", ASKED), examples.ACCOUNT_CHANGE,
            "test_providers.TestDocumented.test_changing"),
    Example((f"{PROVIDERS}/{{provider_id}}", "delete", "200"), examples.ACCOUNT_DELETED,
            "test_providers.TestDocumented.test_deleting"),
    Example((SERVERS, "post", ASKED), vps_examples.ORDER_DIGITALOCEAN,
            "test_vps.TestOrdering.test_a_documented_body_is_answered_as_documented"),
    Example((SERVERS, "post", ASKED), vps_examples.ORDER_LINODE,
            "test_vps.TestOrdering.test_a_documented_body_is_answered_as_documented"),
    Example((SERVERS, "post", "202"), vps_examples.ORDERED,
            "test_vps.TestOrdering.test_a_documented_body_is_answered_as_documented"),
    Example((f"{SERVERS}/{{vps_id}}", "get", "200"), vps_examples.SHOWN,
            "test_vps.TestReading.test_a_server_is_shown_as_documented"),
    Example((f"{SERVERS}/{{vps_id}}/action", "post", ASKED), vps_examples.ACTION,
            "test_vps.TestActing.test_the_documented_action_is_answered_as_documented"),
    Example((f"{SERVERS}/{{vps_id}}/action", "post", "202"), vps_examples.ACTION_BEGUN,
            "test_vps.TestActing.test_the_documented_action_is_answered_as_documented"),
    *(
        Example((f"{SERVERS}/digitalocean/{path}", "get", "200"), body,
                "test_offers.test_a_list_has_the_documented_keys_and_values")
        for path, body in (("marketplace", offer_examples.MARKETPLACE), ("images", offer_examples.IMAGES),
                           ("sizes", offer_examples.SIZES), ("regions", offer_examples.REGIONS))
    ),
]  # fmt: skip
# What the source says without an example of its own, and its examples of a client's code.
SAID = {
    "GET /api/vps/linode/{stackscripts,images,types,regions}":
        "test_offers.test_a_list_has_the_documented_keys_and_values",
    "?type= of images": "test_offers.test_images_can_be_filtered_by_the_documented_types",
    "?provider_id= of a list": "test_offers.TestAccounts.test_unnamed_it_is_the_oldest_active_account_of_that_kind",
    "supported actions": "test_vps.TestActing.test_each_documented_action_starts_one_run",
    "power_cycle at DigitalOcean only": "test_vps.TestActing.test_an_action_that_is_not_offered_has_its_code",
    "Creating a DigitalOcean VPS": "test_vps.TestOrdering.test_a_documented_body_is_answered_as_documented",
    "Authentication": "test_offers.TestWhoMay.test_any_signed_in_user_sees_what_is_offered_and_no_more",
    "admin privileges": "test_providers.test_is_for_administrators_only",
    "credentials are never exposed":
        "test_providers.TestSecrecy.test_a_key_is_in_no_reply_no_audit_row_no_run_and_no_column_in_clear",
    "users can only access their own": "test_vps.TestWhose.test_a_customer_sees_and_touches_only_their_own",
}  # fmt: skip
CODES = [
    "MISSING_CREDENTIALS", "INVALID_CREDENTIALS", "PROVIDER_NOT_FOUND", "PROVIDER_INACTIVE", "INVALID_ACTION",
    "RATE_LIMIT_EXCEEDED", "INSUFFICIENT_RESOURCES", "VALIDATION_ERROR", "API_ERROR", "UNKNOWN_ERROR",
]  # fmt: skip


@pytest.mark.parametrize("held_by", sorted({*SAID.values(), *(example.held_by for example in EXAMPLES)}))
def test_the_test_that_holds_us_to_it_is_there(held_by: str) -> None:
    module, *names = held_by.split(".")
    found: Any = importlib.import_module(f"tests.api.{module}")
    for name in names:
        found = getattr(found, name)
    assert callable(found)


async def test_each_example_is_shown_where_it_belongs(world: World) -> None:
    paths = (await world.client.get("/openapi.json")).json()["paths"]
    for (path, method, part), body, _ in EXAMPLES:
        operation = paths[path][method]
        content = (operation[ASKED] if part == ASKED else operation["responses"][part])["content"]["application/json"]
        shown = [content.get("example"), *(named["value"] for named in content.get("examples", {}).values())]
        # FastAPI leaves out what is null.
        assert jsonable_encoder(body, exclude_none=True) in shown, (path, method, part)


async def test_an_error_has_the_documented_keys(world: World) -> None:
    schema = (await world.client.get("/openapi.json")).json()["components"]["schemas"]["ErrorBody"]
    assert schema["example"] == examples.ERROR
    answer = await world.client.post(SERVERS, json=vps_examples.ORDER_LINODE | {"region": ""})
    told = answer.json()
    assert set(told) == set(examples.ERROR) | {"message"} | ENVELOPE
    assert (told["success"], told["code"], told["field"]) == (False, "VALIDATION_ERROR", "region")
    assert told["error"] == told["message"]


def test_the_documented_codes_are_ours() -> None:
    assert set(CODES) <= set(ErrorCode)
