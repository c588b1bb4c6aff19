"""Replays recorded histories on the code at hand; as a program it prints what could not go on, as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from temporal import sandbox_runner
from tests.histories import fingerprints
from workers.pools import WORKFLOWS

HERE = Path(__file__).parent
RECORDED = sorted(path for path in HERE.glob("*.json") if path != fingerprints.FILE)


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


def replayer() -> Replayer:
    return Replayer(workflows=list(WORKFLOWS), workflow_runner=sandbox_runner(), data_converter=pydantic_data_converter)


async def failures(names: list[str]) -> dict[str, str]:
    """What went wrong by history; all of them where none is named."""
    found = {}
    for path in RECORDED:
        if not names or path.stem in names:
            result = await replayer().replay_workflow(history(path), raise_on_replay_failure=False)
            if result.replay_failure is not None:
                found[path.stem] = f"{type(result.replay_failure).__name__}: {result.replay_failure}"
    return found


if __name__ == "__main__":
    print(json.dumps({
        "replay": asyncio.run(failures(sys.argv[1:])),
        "fingerprints": fingerprints.changes(fingerprints.kept(), fingerprints.of_source()),
    }), flush=True)  # fmt: skip
    os._exit(0)  # the SDK's threads may abort an interpreter that ends right after
