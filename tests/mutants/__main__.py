"""`make mutants`: takes each safeguard out of a copy of the source and runs the tests that should notice.

Exit 1 when one is not noticed. `make mutants ONLY=lane` runs those whose name holds that word; WORKERS says how many at
once.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.copies import copy_to, run_in
from tests.mutants.catalogue import MUTANTS, Mutant

FAILED, PASSED = 1, 0  # pytest's exit codes; any other says that no verdict was reached


def caught_by(mutant: Mutant) -> str | None:
    """The first test that failed; None when all passed. RuntimeError when the tests did not run."""
    with tempfile.TemporaryDirectory(prefix="slipway-mutant-") as place:
        copy = copy_to(Path(place) / "copy", *mutant.edits)
        quiet = ("-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider")
        done = run_in(copy, "-m", "pytest", *quiet, *mutant.suites)
    if done.returncode == PASSED:
        return None
    failed = re.search(r"^FAILED (\S+)", done.stdout, flags=re.MULTILINE)
    if done.returncode != FAILED or failed is None:
        raise RuntimeError(f"{mutant.name}: the tests did not run\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
    return failed.group(1)


def judged(mutant: Mutant) -> tuple[bool, str]:
    """(whether it was noticed, by which test or why not)."""
    try:
        test = caught_by(mutant)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return test is not None, test or "NOTHING: it survived"


def main() -> int:
    only = os.environ.get("ONLY", "")
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    unnoticed, began = [], time.monotonic()
    width = max((len(mutant.name) for mutant in chosen), default=0)
    with ThreadPoolExecutor(int(os.environ.get("WORKERS", "2"))) as pool:
        for number, (mutant, (noticed, why)) in enumerate(zip(chosen, pool.map(judged, chosen), strict=True), start=1):
            print(f"{number:>3}/{len(chosen)} {mutant.name:<{width}}  {why}", flush=True)
            if not noticed:
                unnoticed.append(mutant.name)
    seconds = time.monotonic() - began
    print(f"\n{len(chosen)} mutants in {seconds:.0f} s, {len(unnoticed)} not noticed: {', '.join(unnoticed) or 'none'}")
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
