"""`python -m sandbox.stripe_server --config FILE.json`: an account at Stripe, with webhooks and things that go wrong.

The file: {"state_dir": "stripe"} and optionally "listen" ("127.0.0.1:12111"), "api_keys" (["sk_test_sandbox"]),
"options" (sandbox/stripe/records.py: Options) and "webhook" (Endpoint: {"url", "secrets", …}). One JSON line on stdout
says when it serves and where; what can be done to it is listed in sandbox/stripe/admin.py. SIGTERM and SIGINT end it;
after SIGKILL the next start sends what was still on its way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from pydantic import BaseModel

from sandbox.embedded import Embedded
from sandbox.stripe.app import StripeApp
from sandbox.stripe.records import Endpoint, Options
from sandbox.stripe.sender import Sender


class StripeConfig(BaseModel):
    state_dir: Path
    listen: str = "127.0.0.1:12111"
    api_keys: list[str] = ["sk_test_sandbox"]
    options: Options = Options()
    webhook: Endpoint | None = None


class StripeServer:
    """The running account, also for tests: `async with StripeServer(config) as stripe: stripe.url, stripe.account`."""

    def __init__(self, config: StripeConfig) -> None:
        self._config = config
        self.url = ""

    async def __aenter__(self) -> StripeServer:
        config = self._config
        self.account = StripeApp(config.state_dir, api_keys=config.api_keys, options=config.options)
        self._http = Embedded(self.account, config.listen)
        try:
            await self._http.__aenter__()
        except OSError:
            self.account.close()
            raise
        if config.webhook is not None:
            self.account.journal.set_endpoint(config.webhook)
        self.sender = await Sender(self.account.journal).__aenter__()
        self.url = f"http://{self._http.host}:{self._http.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sender.__aexit__(None)
        await self._http.__aexit__(None)
        self.account.close()


async def main(config: StripeConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with StripeServer(config) as server:
        print(json.dumps({"ready": True, "url": server.url}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", type=Path, required=True)
    asyncio.run(main(StripeConfig.model_validate_json(parser.parse_args().config.read_text())))
    sys.exit(0)
