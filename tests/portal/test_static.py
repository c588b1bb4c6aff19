"""What the portal's files may hold: nothing from elsewhere, nothing inline, no way from data to markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "portal" / "static"
FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
STYLES = [path for path in FILES if path.suffix == ".css"]
NAMESPACE = "http://www.w3.org/2000/svg"


def name(path: Path) -> str:
    return str(path.relative_to(STATIC))


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def index() -> list[tuple[str, dict[str, str | None]]]:
    page = Page()
    page.feed((STATIC / "index.html").read_text())
    return page.tags


def test_the_page_has_no_inline_script_or_style(index: list[tuple[str, dict[str, str | None]]]) -> None:
    for tag, attributes in index:
        assert tag != "style"
        assert tag != "script" or attributes.get("src")
        assert not [key for key in attributes if key == "style" or key.startswith("on")]


def test_everything_the_page_loads_exists_here(index: list[tuple[str, dict[str, str | None]]]) -> None:
    loads = [a.get("src") or a.get("href") for tag, a in index if tag in ("script", "link", "img")]
    assert loads
    for address in loads:
        assert address
        assert address.startswith("/assets/")
        assert (STATIC / address.removeprefix("/assets/")).is_file()


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_imports_of_a_script_exist(path: Path) -> None:
    for target in re.findall(r'^\s*(?:import|export)[^"]*from "([^"]+)"', path.read_text(), re.M):
        assert target.startswith("."), "only files of the portal itself"
        assert (path.parent / target).resolve().is_file(), target


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_data_never_becomes_markup(path: Path) -> None:
    text = path.read_text()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"):
        assert way not in text


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text().replace(NAMESPACE, "")
    assert not re.findall(r"""(?:url\(|src=|href=|from |import\()\s*["']?(?:https?:)?//""", text)
    assert "@import" not in text


@pytest.mark.parametrize("path", STYLES, ids=name)
def test_every_variable_of_a_style_is_defined(path: Path) -> None:
    known = set(re.findall(r"(--[a-z-]+)\s*:", "\n".join(style.read_text() for style in STYLES)))
    used = set(re.findall(r"var\((--[a-z-]+)", path.read_text()))
    assert used <= known


@pytest.mark.parametrize("path", [*SCRIPTS, *STYLES], ids=name)
def test_files_stay_small(path: Path) -> None:
    assert path.read_text().count("\n") <= 250
