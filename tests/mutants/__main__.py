"""`make mutants`: takes each safeguard out of a copy of the source and runs the tests that should notice.

Exit 1 when one is not noticed. `make mutants ONLY=lane` runs those whose name holds that word.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
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


def main() -> int:
    only = os.environ.get("ONLY", "")
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    found = {}
    for number, mutant in enumerate(chosen, start=1):
        print(f"{number}/{len(chosen)} {mutant.name} ...", flush=True)
        found[mutant.name] = caught_by(mutant)
    width = max(map(len, found), default=0)
    print(f"\n{'mutant':<{width}}  caught by")
    for name, test in found.items():
        print(f"{name:<{width}}  {test or 'NOTHING: it survived'}")
    survived = list(found.values()).count(None)
    print(f"\n{len(chosen)} mutants, {survived} survived")
    return 1 if survived or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
