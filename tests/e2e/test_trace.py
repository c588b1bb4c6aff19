"""One trace from the order's HTTP request to each command on its host, and log lines that name it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.collector import Collector, Span
from tests.e2e.stack import Running, running
from tests.e2e.test_secrecy import generated
from tests.parts import require

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = "Canary-5d0c!W4xu"
CONTENT = "canary-of-the-environment-8e1b"
TRACE, CALLER = "5af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
# A command that shows each step at work on the host, as its first words (sudo aside).
COMMANDS = {
    "await_ssh": "id -un",
    "set_up_server": "env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get",
    "transfer_files": "",
    "write_env": "",
    "start_services": "docker compose",
    "make_csr": "openssl req",
    "configure_tls": "nginx -t",
    "run_migrations": "docker compose",
}
OTHERS = ("reserve", "quote_server", "create_server", "await_server", "publish_dns", "issue_certificate",
          "health_check", "activate")  # fmt: skip


@dataclass
class Told:
    """What one order left behind in a collector and in log files."""

    deployment: str
    address: str
    secrets: set[str]
    collector: Collector
    logs: dict[str, list[str]] = field(default_factory=dict)

    @property
    def spans(self) -> dict[str, Span]:
        return {span.id: span for span in self.collector.spans if span.trace == TRACE}

    def activity_of(self, span: Span) -> str:
        """Name of the activity a span happened in; empty outside of any."""
        here: Span | None = span
        while here is not None and not here.name.startswith("RunActivity:"):
            here = self.spans.get(here.parent)
        return here.name.removeprefix("RunActivity:") if here is not None else ""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A stack of its own that sends spans only when it stops: so the processes must hand over what they still hold."""
    require("postgres")
    state = tmp_path_factory.mktemp("traced") / "state"
    with Collector() as collector:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
        with running(state, "emulated", **more) as stack:
            # A line in the worker's log: the host refuses at first.
            stack.sandbox.post("/_sandbox/hosts/next/fault", json={"kind": "refuse_ssh", "seconds": 4})
            stack.http.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
            deployment = stack.order("traced", adminPassword=PASSWORD, environment={"GREETING": CONTENT})
            del stack.http.headers["traceparent"]
            status = stack.until_active(deployment)
            secrets = {PASSWORD, CONTENT, *generated(stack, deployment), read_events(stack, deployment)}
            found = Told(deployment, status["vps"]["ip"], secrets, collector)
            keep_logs(stack, found)
        yield found


def read_events(stack: Running, deployment: str) -> str:
    """Follow the event stream as a browser does, whose EventSource can only put its token into the address."""
    token = stack.auth.token
    address = f"{stack.details['api']}/api/portal/instances/{deployment}/events"
    assert httpx.get(address, params={"access_token": token}, trust_env=False, timeout=30).status_code == 200
    return token


def keep_logs(stack: Running, told: Told) -> None:
    for part in ("api", "worker"):
        text = (stack.state / "logs" / f"{part}.log").read_text()
        told.logs[part] = [line for line in text.split("\n") if line]


class TestTheTrace:
    def test_begins_where_the_caller_was(self, told: Told) -> None:
        (first,) = [span for span in told.spans.values() if span.parent == CALLER]
        assert (first.service, first.name) == ("slipway-api", "POST /api/portal/instances")
        assert first.attributes["http.response.status_code"] == 202

    def test_is_one_tree_without_gaps(self, told: Told) -> None:
        known = {*told.spans, CALLER}
        assert [span.name for span in told.spans.values() if span.parent not in known] == []

    def test_holds_everything_that_happened_for_the_order(self, told: Told) -> None:
        run = f"provision/{told.deployment}"
        own = [span for span in told.collector.spans if span.attributes.get("temporalWorkflowID") == run]
        assert {span.trace for span in own} == {TRACE}
        names = {span.name for span in own}
        assert {"StartWorkflow:Provisioning", "RunWorkflow:Provisioning"} <= names
        assert {f"RunActivity:{name}" for name in (*COMMANDS, *OTHERS)} <= names

    def test_goes_from_the_request_through_the_run_to_its_activities(self, told: Told) -> None:
        spans = told.spans
        (start,) = [span for span in spans.values() if span.name == "StartWorkflow:Provisioning"]
        (run,) = [span for span in spans.values() if span.name == "RunWorkflow:Provisioning"]
        assert spans[start.parent].name == "POST /api/portal/instances"
        assert run.parent == start.id
        scheduled = [span for span in spans.values() if span.name.startswith("StartActivity:")]
        assert {span.parent for span in scheduled} == {start.id}, "Temporal shows a run and its activities side by side"
        for span in spans.values():
            if span.name.startswith("RunActivity:"):
                assert spans[span.parent].name == span.name.replace("Run", "Start", 1)

    @pytest.mark.parametrize(("step", "command"), [(s, c) for s, c in COMMANDS.items() if c])
    def test_reaches_the_commands_of_each_step(self, told: Told, step: str, command: str) -> None:
        lines = [
            " ".join(span.attributes["argv"]).removeprefix("sudo -n ")
            for span in told.spans.values()
            if span.name == "host.run" and told.activity_of(span) == step
        ]
        assert any(line.startswith(command) for line in lines), lines

    def test_holds_every_command_that_ran_on_the_host(self, told: Told) -> None:
        commands = [span for span in told.collector.spans if span.name == "host.run"]
        assert {(span.trace, span.service, span.attributes["host"]) for span in commands} == {
            (TRACE, "slipway-worker", told.address)
        }
        assert {told.activity_of(span) for span in commands} <= {*COMMANDS, "health_check"}
        assert all("exit_status" in span.attributes for span in commands)

    def test_shows_which_attempts_failed(self, told: Told) -> None:
        assert any(span.failed for span in told.spans.values() if span.name == "RunActivity:await_ssh")

    def test_holds_no_secret(self, told: Told) -> None:
        assert len(told.secrets) >= 5
        everything = b"".join(told.collector.bodies)
        assert [secret for secret in told.secrets if secret.encode() in everything] == []


class TestLogLines:
    @pytest.mark.parametrize("part", ["api", "worker"])
    def test_are_objects_of_one_line(self, told: Told, part: str) -> None:
        for line in told.logs[part]:
            found = json.loads(line)
            assert {"at", "level", "service", "logger", "message"} <= found.keys(), line
            assert found["service"] == part

    def test_name_the_trace_of_their_order(self, told: Told) -> None:
        def traces(part: str, words: str) -> set[str | None]:
            lines = [json.loads(line) for line in told.logs[part]]
            return {line.get("trace_id") for line in lines if words in line["message"]}

        assert traces("api", "POST /api/portal/instances 202") == {TRACE}
        assert TRACE in traces("worker", "HostUnreachable")

    def test_hold_no_secret(self, told: Told) -> None:
        for lines in told.logs.values():
            assert [secret for secret in told.secrets if secret in "\n".join(lines)] == []


def test_a_collector_that_is_away_stops_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    require("postgres")
    state = tmp_path_factory.mktemp("untraced") / "state"
    with running(state, "emulated", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") as stack:
        stack.until_active(stack.order("untraced"))
        assert httpx.get(f"{stack.details['api']}/api/ready", trust_env=False).status_code == 200
