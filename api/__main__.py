"""`python -m api`: one API process, as fast as it is measured to be (uvloop, httptools, no access log of uvicorn's)."""

from __future__ import annotations

import uvicorn

import telemetry
from api.app import create_app
from settings import Settings, get_settings

# Event streams end at the signal; whatever else is under way gets this long.
GRACE_SECONDS = 10


def server(settings: Settings) -> uvicorn.Server:
    """For a process that runs other things besides: `await server(settings).serve()`."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=True,
    )
    return uvicorn.Server(config)


def main() -> None:
    settings = get_settings()
    provider = telemetry.setup(settings, "api")
    try:
        server(settings).run()
    finally:
        provider.shutdown()


if __name__ == "__main__":
    main()
