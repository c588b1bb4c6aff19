"""The API against its own documentation, by generated requests: every operation, as every kind of caller, with good and
with bad data, with names that exist and that do not. No answer is a failure of ours, and none is undocumented.

`make contract EXAMPLES=100` asks more of the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import zone_access
from api.app import create_app
from domain.api_keys import Scope
from domain.statuses import Role
from tests.api.household import Household, machine, settle, somebody
from tests.api.served import Served, serving
from tests.api.world import INTERNAL_KEY, make_settings

EXAMPLES = int(os.environ.get("EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
SECONDS = 60  # for one answer on a busy machine


def _operations() -> list[Any]:
    app = create_app(make_settings("postgresql+psycopg://nobody@127.0.0.1:1/nothing"))
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.config.generation.update(with_security_parameters=False)  # who asks is told below
    return [found.ok() for found in schema.get_all_operations()]


OPERATIONS = _operations()


@pytest.fixture(scope="module")
def served(pg_url: str) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patched, serving(pg_url) as held:
        patched.setattr(zone_access, "WAIT_SECONDS", 0.1)  # no worker will publish a change
        yield held


async def callers(served: Served, home: Household) -> dict[str, dict[str, str]]:
    """Headers by kind of caller: every role, machines that may everything or nothing, the shop, nobody."""
    sign = served.app.state.services.tokens.sign
    bearers = {str(role): sign(*await somebody(served.db, role, organization_id=home.organization_id)) for role in Role}
    bearers["stranger"] = sign(*await somebody(served.db, Role.USER))
    bearers["machine"] = await machine(served.db, *Scope)
    bearers["bound machine"] = await machine(served.db, *Scope, tenant_id=home.shop.tenant.id)
    bearers["idle machine"] = await machine(served.db)
    headers = {name: {"Authorization": f"Bearer {bearer}"} for name, bearer in bearers.items()}
    return headers | {"shop": {"x-internal-key": INTERNAL_KEY}, "nobody": {}}


def cases(operation: Any) -> st.SearchStrategy[Case]:
    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query or operation.path_parameters or operation.headers):
        return good
    return st.one_of(good, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


def named(case: Case, home: Household) -> Case | None:
    """The same request about things that are there; None where it names nothing."""
    path = {name: home.ids.get(name, value) for name, value in case.path_parameters.items()}
    body = _named(case.body, home)
    if (path, body) == (case.path_parameters, case.body):
        return None
    return Case(operation=case.operation, method=case.method, path=case.path, path_parameters=path,
                headers=case.headers.copy(), cookies=case.cookies.copy(), query=case.query.copy(), body=body,
                media_type=case.media_type)  # fmt: skip


def _named(value: Any, home: Household) -> Any:
    if value is NOT_SET or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_named(item, home) for item in value]
    known = {name.replace("_", ""): ref for name, ref in home.ids.items()} | {"tenantslug": home.shop.tenant.slug}
    return {name: known.get(name.replace("_", "").lower(), _named(inner, home)) for name, inner in value.items()}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_answer_is_a_failure_or_undocumented(served: Served, operation: Any) -> None:
    """By design 502 and 503 tell of a cloud or a part that is away; here none is, so each would be a failure."""
    home = served.run(settle(served.db))
    asking = served.run(callers(served, home))
    streams = "text/event-stream" in operation.definition.raw["responses"].get("200", {}).get("content", {})
    wrong: dict[tuple[str, ...], str] = {}
    session = requests.Session()

    def ask(case: Case, caller: str) -> int:
        response = case.call(served.url, session, asking[caller], timeout=SECONDS)
        try:
            case.validate_response(response, CHECKS)
        except FailureGroup as group:
            what = (caller, str(response.status_code), *sorted(type(failure).__name__ for failure in group.exceptions))
            wrong.setdefault(what[1:], f"as {caller}: {group}")
        return int(response.status_code)

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=cases(operation))
    def generated(case: Case) -> None:
        # The stream of a run that goes on does not end.
        known = None if streams else named(case, home)
        for caller in list(asking):
            # Who is refused once is refused whatever is asked.
            if ask(case, caller) in (401, 403) and len(asking) > 1 and case.operation.security:
                del asking[caller]
            elif known is not None:
                ask(known, caller)

    generated()
    assert not wrong, "\n".join(wrong.values())
