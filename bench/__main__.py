"""`make bench`: prints each ratio with its goal and writes bench/results/latest.json."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import critical_path, front_door, jobs
from bench.stack import database, temporal

RESULTS = Path(__file__).parent / "results" / "latest.json"


def result(name: str, value: float, goal: float, better: str) -> dict[str, Any]:
    met = value >= goal if better == "higher" else value <= goal
    return {"name": name, "value": round(value, 3), "goal": goal, "better": better, "met": met}


async def run(console: Console) -> list[dict[str, Any]]:
    results = []
    with database() as url:
        async with temporal() as client:
            with console.status("a provisioning beside its outside delays"):
                path = await critical_path.measure(client, url)
            console.print(f"provisioning: {path['wall']:.1f} s wall, {path['outside']:.1f} s outside on the critical "
                          f"path, {path['sequential']:.1f} s if run one by one")  # fmt: skip
            results.append(result("provisioning wall time / outside delays on the critical path",
                                  path["wall"] / path["outside"], 1.10, "lower"))  # fmt: skip
            with console.status("jobs a second, in turns with a bare SDK"):
                rate = await jobs.measure(client, url)
            console.print(f"jobs: {rate['ours']:.1f}/s beside {rate['bare']:.1f}/s of a bare SDK")
            results.append(result("jobs per second / bare Temporal SDK with as many activities",
                                  rate["ours"] / rate["bare"], 0.5, "higher"))  # fmt: skip
        with console.status("status reads, in turns with a bare FastAPI and one SELECT"):
            reads = await front_door.measure(url)
        console.print(f"status reads: {reads['ours']:.0f}/s beside {reads['bare']:.0f}/s of a bare FastAPI")
        results.append(result("status reads per second / bare FastAPI with one SELECT",
                              reads["ours"] / reads["bare"], 0.8, "higher"))  # fmt: skip
    return results


def main() -> None:
    console = Console()
    # The loop of `python -m workers` and `python -m api`, for every side of every comparison.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(run(console))
    table = Table("measurement", "value", "goal", "met")
    for row in results:
        sign = "≥" if row["better"] == "higher" else "≤"
        table.add_row(row["name"], f"{row['value']:.2f}", f"{sign} {row['goal']:.2f}", "yes" if row["met"] else "no")
    console.print(table)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
