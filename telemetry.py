"""Logs as JSON lines and traces over OTLP: set up once per process, before anything else runs."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import FrameType

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from settings import Settings

FRAMES = 8  # of a stack, the innermost
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One object per line. Extra fields given with `extra=` stand at the top level; trace ids come from the context."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line |= {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line |= {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        if record.exc_info and record.exc_info[1] is not None:
            # Types and frames only: an exception's text may hold what it was given.
            line["error"] = _kinds(record.exc_info[1])
            line["stack"] = "".join(_frames(record.exc_info[1]))
        return json.dumps(line, default=str)


def _message(record: logging.LogRecord) -> str:
    """asyncio describes a failed task behind its sentence, and with it the text of the task's exception."""
    text = record.getMessage()
    return text.partition("\n")[0] if record.name == "asyncio" else text


def _kinds(error: BaseException) -> str:
    """What went wrong, in types: `ExceptionGroup(OSError, ValueError)`, `HostUnreachable from ConnectionLost`."""
    kind = type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        return f"{kind}({', '.join(_kinds(inner) for inner in error.exceptions)})"
    return f"{kind} from {_kinds(error.__cause__)}" if error.__cause__ is not None else kind


def _frames(error: BaseException) -> list[str]:
    """Where; of a group, also where its first error came from, since its own frames only show who waited."""
    found = traceback.format_tb(error.__traceback__)[-FRAMES:]
    if isinstance(error, BaseExceptionGroup):
        found += _frames(error.exceptions[0])
    return found


def setup(settings: Settings, service: str) -> TracerProvider:
    """Configure the root logger and the tracer; returns the provider so that the caller can shut it down."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for noisy in ("httpx", "httpcore", "asyncssh", "urllib3", "acme"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    provider = TracerProvider(resource=Resource.create({"service.name": f"{settings.otel_service_name}-{service}"}))
    if settings.otel_exporter_otlp_endpoint:
        endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/")
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    _leave_in_order()
    return provider


def _leave_in_order() -> None:
    """SIGTERM ends the process through its `finally` blocks, so that the last spans are sent.

    uvicorn, when it has stopped, raises the signal again; by default that would kill the process on the spot.
    """
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
