"""What holds for every request: ids, headers, one error shape, limits, and nothing that leaks."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy.exc import OperationalError

from api.ratelimit import MAX_KEYS, Buckets, Failures
from tests.api.conftest import MakeWorld
from tests.api.world import World, order

JSON = {"Content-Type": "application/json"}


class TestErrorShape:
    @pytest.mark.parametrize(
        ("method", "path", "content", "headers", "status", "code"),
        [
            ("GET", "/nope", None, {}, 404, "NOT_FOUND"),
            ("GET", "/api/nope", None, {}, 404, "NOT_FOUND"),
            ("PUT", "/api/portal/instances", b"{}", JSON, 405, "INVALID_ACTION"),
            ("POST", "/api/portal/instances", b"{", JSON, 400, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"[" * 30_000, JSON, 400, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"\xff\xfe", JSON, 400, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"", JSON, 422, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"[]", JSON, 422, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"null", JSON, 422, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"a=b", {"Content-Type": "text/plain"}, 415, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b"{}", {}, 415, "VALIDATION_ERROR"),
            ("POST", "/api/portal/instances", b" " * 70_000, JSON, 413, "VALIDATION_ERROR"),
            ("GET", "/assets/../settings.py", None, {}, 404, "NOT_FOUND"),
            ("GET", "/assets/%2e%2e/%2e%2e/settings.py", None, {}, 404, "NOT_FOUND"),
        ],
    )
    async def test_every_refusal_looks_the_same(
        self,
        world: World,
        method: str,
        path: str,
        content: bytes | None,
        headers: dict[str, str],
        status: int,
        code: str,
    ) -> None:
        answer = await world.client.request(method, path, content=content, headers=headers)
        body = answer.json()
        assert (answer.status_code, body["code"], body["statusCode"], body["success"]) == (status, code, status, False)
        assert body["error"] == body["message"]
        assert body["message"].endswith(".")
        assert body["request_id"] == answer.headers["x-request-id"]
        if status == 405:
            assert "POST" in answer.headers["allow"]

    async def test_a_body_without_announced_length_is_counted(self, world: World) -> None:
        async def endless() -> Any:
            for _ in range(80):
                yield b" " * 1024

        answer = await world.client.post("/api/portal/instances", content=endless(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "VALIDATION_ERROR")

    async def test_bugs_say_nothing_but_the_request_id(
        self, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def broken(*args: Any, **kwargs: Any) -> None:
            raise KeyError("SecurePassword123!")

        monkeypatch.setattr("api.create_instance._deployment", broken)
        answer = await world.client.post("/api/portal/instances", json=order())
        assert (answer.status_code, answer.json()["code"]) == (500, "UNKNOWN_ERROR")
        assert "SecurePassword" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        record = next(record for record in caplog.records if record.message == "request failed")
        assert record.__dict__["request_id"] == answer.json()["request_id"]

    async def test_a_missing_database_is_a_503(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        import psycopg

        async def away(*args: Any, **kwargs: Any) -> None:
            raise OperationalError("select", {}, psycopg.OperationalError("connection refused at 10.0.0.1"))

        monkeypatch.setattr("api.create_instance._check_server", away)
        answer = await world.client.post("/api/portal/instances", json=order())
        assert (answer.status_code, answer.json()["code"]) == (503, "API_ERROR")
        assert "10.0.0.1" not in answer.text
        assert answer.headers["retry-after"] == "5"

    async def test_slow_answers_are_cut_off(self, make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        async def slow(*args: Any, **kwargs: Any) -> None:
            await asyncio.sleep(60)

        monkeypatch.setattr("api.create_instance._check_server", slow)
        world = await make_world(request_timeout_seconds=0.5)
        await world.sign_in()
        answer = await world.client.post("/api/portal/instances", json=order())
        assert (answer.status_code, answer.json()["statusCode"]) == (503, 503)


class TestHeaders:
    async def test_request_ids_are_echoed_when_harmless(self, world: World) -> None:
        for given, kept in (("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ("", False)):
            answer = await world.client.get("/api/live", headers={"X-Request-ID": given})
            assert (answer.headers["x-request-id"] == given) is kept
            assert answer.json()["request_id"] == answer.headers["x-request-id"]

    @pytest.mark.parametrize("path", ["/", "/docs", "/api/live", "/nope", "/assets/docs/docs.js"])
    async def test_security_headers_everywhere(self, world: World, path: str) -> None:
        headers = (await world.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert "strict-transport-security" not in headers

    async def test_hsts_behind_https(self, make_world: MakeWorld) -> None:
        world = await make_world(public_url="https://slipway.example")
        assert "strict-transport-security" in (await world.client.get("/api/live")).headers

    async def test_cors_only_for_named_origins(self, make_world: MakeWorld, world: World) -> None:
        preflight = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST",
                     "Access-Control-Request-Headers": "authorization,idempotency-key"}  # fmt: skip
        closed = await world.client.options("/api/portal/instances", headers=preflight)
        assert "access-control-allow-origin" not in closed.headers
        other = await make_world(cors_origins=["http://localhost:5173"])
        opened = await other.client.options("/api/portal/instances", headers=preflight)
        assert opened.headers["access-control-allow-origin"] == "http://localhost:5173"
        answer = await other.client.get("/api/live", headers={"Origin": "http://localhost:5173"})
        assert "ETag" in answer.headers["access-control-expose-headers"]
        evil = await other.client.get("/api/live", headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in evil.headers

    async def test_log_lines_name_the_route_and_no_secret(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG, "slipway.api"):
            made = await world.create()
            await world.client.get(f"/api/portal/instances/{made['deploymentId']}/status?access_token=hidden")
        lines = [record.__dict__ for record in caplog.records if "route" in record.__dict__]
        assert [(line["route"], line["status"], line["levelname"]) for line in lines] == [
            ("/api/portal/instances", 202, "INFO"), ("/api/portal/instances/{deployment_id}/status", 200, "DEBUG"),
        ]  # fmt: skip
        text = json.dumps(lines, default=str)
        assert "hidden" not in text
        assert "SecurePassword" not in text


async def test_a_start_happens_inside_the_span_of_its_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal's tracing interceptor takes the current span along: one trace from the click to the last step."""
    provider = TracerProvider()
    monkeypatch.setattr("api.frame.tracer", provider.get_tracer("test"))
    seen: list[int] = []
    start = world.temporal.start_workflow

    async def watched(*args: Any, **kwargs: Any) -> None:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        await start(*args, **kwargs)

    monkeypatch.setattr(world.temporal, "start_workflow", watched)
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await world.client.post("/api/portal/instances", json=order(), headers={"traceparent": sent})
    assert [f"{number:032x}" for number in seen] == ["0af7651916cd43dd8448eb211c80319c"]


class TestRateLimits:
    async def test_reads_and_the_rest_have_buckets_of_their_own(self, make_world: MakeWorld) -> None:
        world = await make_world(rate_limit_max_requests=3, rate_limit_max_reads=5)
        await world.sign_in()
        path = "/api/portal/instances"
        answers = [await world.client.get(path) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
        assert answers[-1].json()["code"] == "RATE_LIMIT_EXCEEDED"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert answers[0].headers["x-ratelimit-limit"] == "5"
        assert [(await world.client.post(path, json={})).status_code for _ in range(4)] == [422, 422, 422, 429]

    async def test_five_second_polling_for_fifteen_minutes_is_fine(self, make_world: MakeWorld) -> None:
        world = await make_world(rate_limit_max_requests=100, rate_limit_max_reads=1_200)
        await world.sign_in()
        ref = (await world.create())["deploymentId"]
        for _ in range(180):
            answer = await world.client.get(f"/api/portal/instances/{ref}/status")
        assert answer.status_code == 200

    async def test_strangers_are_counted_by_address_and_probes_not_at_all(self, make_world: MakeWorld) -> None:
        world = await make_world(rate_limit_max_requests=2, client_ip="203.0.113.77")
        assert [(await world.client.get("/api/portal/options")).status_code for _ in range(3)] == [200, 200, 429]
        assert {(await world.client.get("/api/live")).status_code for _ in range(5)} == {200}

    def test_windows_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1000.0
        monkeypatch.setattr("api.ratelimit.time.time", lambda: now)
        buckets = Buckets(10)
        assert [buckets.take("a", 1).retry_after for _ in range(2)] == [None, 10]
        assert buckets.take("b", 1).retry_after is None
        now += 10
        assert buckets.take("a", 1).retry_after is None

    def test_memory_is_bounded(self) -> None:
        buckets, failures = Buckets(900), Failures()
        for number in range(MAX_KEYS + 50):
            buckets.take(str(number), 5)
            failures.failed(str(number))
        assert len(buckets._used) <= MAX_KEYS
        assert len(failures._failed) <= MAX_KEYS

    def test_each_failure_over_the_free_ones_locks_longer(self) -> None:
        failures = Failures(2)
        waits = []
        for _ in range(8):
            failures.failed("a")
            waits.append(failures.locked_for("a"))
        assert waits == [0, 30, 60, 120, 240, 480, 900, 900]
        failures.succeeded("a")
        assert failures.locked_for("a") == 0
