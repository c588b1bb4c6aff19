"""Log lines: one JSON object each, joined to their trace, and without what an exception was given."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from telemetry import JsonFormatter
from tests.collector import Collector

ROOT = Path(__file__).parent.parent
SECRET = "hunter2-of-the-canary"


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was logged so far by `slipway.test` and asyncio, as the lines that reach standard error."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("worker"))
    loggers = [logging.getLogger("slipway.test"), logging.getLogger("asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


Lines = Callable[[], list[dict[str, Any]]]
log = logging.getLogger("slipway.test")


class TestALine:
    def test_is_one_object_whatever_the_message_holds(self) -> None:
        # Formatted, not logged: a lone surrogate in a captured log would break the report between test processes.
        text = "first\nsecond\r\u2028third \ud800 %s"
        record = logging.LogRecord("slipway.test", logging.INFO, __file__, 1, text, ("ü",), None)
        written = JsonFormatter("worker").format(record)
        assert len(written.splitlines()) == 1
        line = json.loads(written)
        assert line["message"] == "first\nsecond\r\u2028third \ud800 ü"
        assert (line["level"], line["service"], line["logger"]) == ("INFO", "worker", "slipway.test")
        assert line["at"].endswith("Z")

    def test_shows_extra_fields_and_lets_none_stand_for_another(self, lines: Lines) -> None:
        log.warning("ready", extra={"pools": ["runs"], "place": Path("/srv"), "level": "none", "service": "other"})
        (line,) = lines()
        assert (line["pools"], line["place"]) == (["runs"], "/srv")
        assert (line["level"], line["service"]) == ("WARNING", "worker")

    def test_names_the_trace_it_belongs_to(self, lines: Lines) -> None:
        tracer = TracerProvider().get_tracer("test")
        log.info("outside")
        with tracer.start_as_current_span("inside") as span:
            log.info("inside")
        outside, inside = lines()
        assert "trace_id" not in outside
        context = span.get_span_context()
        assert (inside["trace_id"], inside["span_id"]) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")


class TestAnException:
    def test_shows_its_kind_and_place_and_not_its_text(self, lines: Lines) -> None:
        def connect_with(password: str) -> None:
            raise PermissionError(f"refused {password}")

        try:
            connect_with(SECRET)
        except PermissionError:
            log.exception("sign-in failed")
        (line,) = lines()
        assert line["message"] == "sign-in failed"
        assert line["error"] == "PermissionError"
        assert "in connect_with" in line["stack"]
        assert SECRET not in json.dumps(line)

    def test_names_its_cause(self, lines: Lines) -> None:
        try:
            try:
                raise ConnectionError(SECRET)
            except ConnectionError as error:
                raise RuntimeError(SECRET) from error
        except RuntimeError:
            log.exception("lost")
        (line,) = lines()
        assert line["error"] == "RuntimeError from ConnectionError"
        assert SECRET not in json.dumps(line)

    async def test_of_a_group_names_each_and_the_place_of_the_first(self, lines: Lines) -> None:
        async def fails() -> None:
            raise OSError(SECRET)

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails())
        except* OSError:
            log.exception("branches failed")
        (line,) = lines()
        assert line["error"] == "ExceptionGroup(OSError)"
        assert "in fails" in line["stack"]
        assert SECRET not in json.dumps(line)

    async def test_nobody_waited_for_is_told_without_its_text(self, lines: Lines) -> None:
        error = ValueError(SECRET)
        context = {"message": "Task exception was never retrieved", "exception": error, "future": repr(error)}
        asyncio.get_running_loop().default_exception_handler(context)
        (line,) = lines()
        assert line["message"] == "Task exception was never retrieved"
        assert line["error"] == "ValueError"
        assert SECRET not in json.dumps(line)


PROCESS = """
import logging, time
import telemetry
from opentelemetry import trace
from settings import Settings
provider = telemetry.setup(Settings(_env_file=None), "test")
try:
    with trace.get_tracer("test").start_as_current_span("the last span"):
        logging.getLogger("slipway.test").info("working")
    time.sleep(60)
finally:
    provider.shutdown()
"""


def test_a_process_that_is_told_to_stop_sends_its_last_spans() -> None:
    with Collector() as collector:
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.endpoint}/", "OTEL_SERVICE_NAME": "shop",
        }  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-c", PROCESS], env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            line = json.loads(process.stderr.readline())
            assert (line["message"], line["service"]) == ("working", "test")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    (span,) = collector.spans
    assert (span.service, span.name, span.trace) == ("shop-test", "the last span", line["trace_id"])
