"""The sandbox's clouds alone, as the command `slipway sandbox` runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from providers.cloud.transip import TransIP
from sandbox.cloud_server import Config
from sandbox.stack import keys
from sandbox.stack.clouds import NAMES, QUICK_LIMITS, configuration
from sandbox.stack.layout import PROJECT, Layout

PORTS = dict.fromkeys(NAMES, 0)


@contextmanager
def sandbox(folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(
        [sys.executable, "-m", "cli", "sandbox", *words], cwd=PROJECT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "SLIPWAY_STATE_DIR": str(folder)},
    )  # fmt: skip
    with running:
        try:
            yield running
        finally:
            running.kill()


def told(running: subprocess.Popen[str]) -> dict[str, Any]:
    assert running.stdout is not None
    return dict(json.loads(running.stdout.readline()))


async def test_one_line_tells_all_that_is_needed_to_call_each_cloud(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        with sandbox(tmp_path) as running:
            ready = told(running)
            accounts = ready["accounts"]
            for name, path in (("digitalocean", "/v2/account"), ("linode", "/profile")):
                bearer = {"Authorization": f"Bearer {accounts[name]['token']}"}
                assert httpx.get(ready["urls"][name] + path, headers=bearer, trust_env=False).status_code == 200
            key = Path(accounts["transip"]["private_key"]).read_text()
            transip = TransIP(username=accounts["transip"]["login"], private_key_pem=key,
                              base_url=ready["urls"]["transip"])  # fmt: skip
            await transip.verify_credentials()
            await transip.close()
            tokens.append(accounts["linode"]["token"])
            with sandbox(tmp_path) as second:
                assert second.wait() == 1
                assert second.stderr is not None
                assert "already running" in second.stderr.read()
            running.send_signal(signal.SIGTERM)
            assert running.wait() == 0
    assert tokens[0] == tokens[1]


def test_unknown_hosts_are_wrong_usage(tmp_path: Path) -> None:
    with sandbox(tmp_path, "--hosts", "paper") as running:
        assert running.wait() == 2


def test_configuration_of_a_stack_is_without_the_real_limits_and_that_of_clouds_alone_is_not(layout: Layout) -> None:
    secrets = keys.load(layout)
    folder = layout.root / "cloud-emulated"
    for quick in (True, False):
        made = Config.model_validate(configuration(folder, "emulated", layout, secrets, PORTS, quick=quick))
        assert made.transip is not None
        assert made.digitalocean is not None
        assert made.linode is not None
        assert (made.transip.limits.requests == QUICK_LIMITS["transip"]["requests"]) is quick
        assert (made.digitalocean.limits.burst.count == 250) is not quick
        assert (made.linode.limits.creates.count == 20) is not quick
        assert made.digitalocean.accounts == {"slipway": secrets.digitalocean_token}


def test_stacks_side_by_side_have_addresses_of_their_own(layout: Layout) -> None:
    secrets = keys.load(layout)
    pools = {
        configuration(layout.root / name, "emulated", layout, secrets, PORTS, quick=True)["driver_options"][
            "address_pool"
        ]
        for name in ("a", "b", "c")
    }
    assert len(pools) == 3
