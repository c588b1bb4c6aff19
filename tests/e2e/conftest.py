from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Running, running
from tests.parts import require


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The whole product with emulated hosts: what `make up` gives where there is no root."""
    require("postgres")
    with running(tmp_path_factory.mktemp("emulated") / "state", "emulated") as stack:
        yield stack


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The whole product with real Debian hosts, where certificates may be uploaded with their keys."""
    require("postgres")
    require("lab")
    with running(tmp_path_factory.mktemp("machines") / "state", "machine", SHARED_KEYS="true") as stack:
        yield stack
