"""The catalogue fits today's source: a safeguard that was rewritten takes its mutant with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.copies import ROOT
from tests.mutants.catalogue import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_edit_fits_once(tmp_path: Path, mutant: Mutant) -> None:
    for edit in mutant.edits:
        copy = tmp_path / edit.file
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text((ROOT / edit.file).read_text())
        edit.apply(tmp_path)
    assert any((tmp_path / edit.file).read_text() != (ROOT / edit.file).read_text() for edit in mutant.edits)


def test_names_and_suites_are_real() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    missing = {suite for mutant in MUTANTS for suite in mutant.suites if not (ROOT / suite).exists()}
    assert not missing
