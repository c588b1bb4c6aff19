"""Compose projects: the transferred file and env file, really read, and the containers they come to."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import yaml

from sandbox.hosts.emulated import application
from sandbox.hosts.emulated.files import Tree, Who
from sandbox.hosts.emulated.state import Container, HostState

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<braced>[A-Za-z_]\w*)\}|(?P<named>[A-Za-z_]\w*))", re.ASCII)
# libyaml is thirty times as fast, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


class ComposeError(Exception):
    """What docker compose prints before it ends."""


def read_env(text: str) -> dict[str, str]:
    """An env file by compose-go's rules: single quotes are literal, double ones know escapes and variables."""
    found: dict[str, str] = {}
    rest = text
    while rest := rest.lstrip():
        if rest.startswith("#"):
            rest = rest.partition("\n")[2]
            continue
        name, equals, rest = rest.partition("=")
        if not equals or re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name.strip()) is None:
            raise ComposeError(f"failed to read env file: unexpected character in variable name near {name[:20]!r}")
        if rest[:1] in ("'", '"'):
            value, rest = _quoted(rest[1:], rest[0])
            found[name.strip()] = interpolate(value, found) if rest[0] == '"' else value
            rest = rest[1:]
        else:
            line, _, rest = rest.partition("\n")
            found[name.strip()] = interpolate(line.split(" #")[0].strip(), found)
    return found


def _quoted(text: str, quote: str) -> tuple[str, str]:
    """(value, the rest from the closing quote on)."""
    kept, position = "", 0
    while position < len(text):
        char = text[position]
        follower = text[position + 1 : position + 2]
        if char == "\\" and follower == quote:
            kept, position = kept + quote, position + 2
        elif char == "\\" and quote == '"' and follower == "$":
            kept, position = kept + "$$", position + 2
        elif char == "\\" and quote == '"' and follower in _ESCAPES:
            kept, position = kept + _ESCAPES[follower], position + 2
        elif char == "\\" and follower == "\\":
            kept, position = kept + "\\\\", position + 2
        elif char == quote:
            return kept, text[position:]
        else:
            kept, position = kept + char, position + 1
    raise ComposeError("failed to read env file: unterminated quoted value")


def interpolate(text: str, values: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda m: "$" if m["escaped"] else values.get(m["braced"] or m["named"], ""), text)


def load(tree: Tree, who: Who, file: str, env_file: str, project: str) -> dict[str, Container]:
    """The containers a project should have, by service, in the file's order. Not started."""
    try:
        values = read_env(tree.read(env_file, who).decode())
    except FileNotFoundError as error:
        raise ComposeError(f"couldn't find env file: {env_file}") from error
    try:
        document = yaml.load(tree.read(file, who).decode(), Loader=_LOADER)
    except FileNotFoundError as error:
        raise ComposeError(f"open {file}: no such file or directory") from error
    except yaml.YAMLError as error:
        raise ComposeError(f"yaml: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise ComposeError("no service selected")
    folder = file.rpartition("/")[0]
    return {
        name: _container(name, _filled(service, values), tree, who, folder, project)
        for name, service in document["services"].items()
    }


def _filled(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, str):
        return interpolate(value, values)
    if isinstance(value, dict):
        return {key: _filled(item, values) for key, item in value.items()}
    return [_filled(item, values) for item in value] if isinstance(value, list) else value


def _container(name: str, service: dict[str, Any], tree: Tree, who: Who, folder: str, project: str) -> Container:
    environment: dict[str, str] = {}
    for path in service.get("env_file", []):
        environment |= read_env(tree.read(f"{folder}/{path}", who).decode())
    environment |= {key: str(value) for key, value in service.get("environment", {}).items()}
    volumes = {target: f"{project}_{source}" for source, _, target in
               (v.partition(":") for v in service.get("volumes", []))}  # fmt: skip
    container = Container(id="", service=name, image=service["image"], environment=environment,
                          ports=[str(p) for p in service.get("ports", [])], volumes=volumes)  # fmt: skip
    # A container is made anew when its description changes, and kept otherwise.
    described = json.dumps(container.model_dump(exclude={"id", "log", "state", "exit_code"}), sort_keys=True)
    container.id = hashlib.sha256(described.encode()).hexdigest()[:12]
    return container


def bring_up(state: HostState, project: str, wanted: dict[str, Container]) -> list[str]:
    """Make and start what is missing or different; returns the progress lines."""
    running, lines = state.projects.setdefault(project, {}), []
    for gone in [name for name in running if name not in wanted]:
        del running[gone]
        lines.append(f" Container {project}-{gone}-1  Removed")
    for name, container in wanted.items():
        taken = _taken(state, project, container)
        if taken:
            raise ComposeError(f"Error response from daemon: driver failed programming external connectivity: {taken}")
        present = running.get(name)
        if present is None or present.id != container.id:
            running[name] = present = container
            lines.append(f" Container {project}-{name}-1  Created")
        if present.state != "running" or f" Container {project}-{name}-1  Created" in lines:
            application.start(state, present)
            lines.append(f" Container {project}-{name}-1  Started")
        else:
            lines.append(f" Container {project}-{name}-1  Running")
    return lines


def _taken(state: HostState, project: str, container: Container) -> str:
    ports = {p.rpartition(":")[0] for p in container.ports}
    for other, services in state.projects.items():
        for service in services.values():
            if other != project and (both := ports & {p.rpartition(":")[0] for p in service.ports}):
                return f"Bind for {next(iter(both))} failed: port is already allocated"
    return ""
