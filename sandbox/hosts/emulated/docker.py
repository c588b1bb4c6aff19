"""The programs `docker` and `docker compose` as far as a deployment uses them."""

from __future__ import annotations

import json

from sandbox.hosts.emulated import application, compose
from sandbox.hosts.emulated.compose import ComposeError
from sandbox.hosts.emulated.shell import Call, program, unknown
from sandbox.hosts.emulated.state import Container

_VALUED = ("--progress", "--project-name", "--project-directory", "--file", "--env-file")
NO_SPACE = "failed to register layer: write /usr/bin/node: no space left on device"


@program("docker", package="docker-cli")
async def docker(call: Call) -> int:
    state, words = call.state, call.args
    if words[:1] == ["compose"]:
        if "docker-compose" not in state.installed:
            return call.fail("docker: 'compose' is not a docker command.")
        return await _compose(call)
    if (refused := _daemon(call)) is not None:
        return refused
    if words[:1] == ["version"]:
        call.out("26.1.5+dfsg1\n")
        return 0
    if words[:2] == ["image", "inspect"]:
        absent = [image for image in words[4:] if image not in state.images]
        for image in absent:
            call.err(f"Error response from daemon: No such image: {image}\n")
        return 1 if absent else 0
    if words[:1] == ["login"]:
        if state.fault("registry_down", words[-1]) is not None:
            return call.fail(f'Error response from daemon: Get "https://{words[-1]}/v2/": connect: connection refused')
        if not call.stdin.strip() or state.fault("registry_denied", words[-1]) is not None:
            return call.fail("Error response from daemon: unauthorized: incorrect username or password")
        state.logins[words[-1]] = call.value("--username")
        call.out("Login Succeeded\n")
        return 0
    if words[:1] == ["logout"]:
        state.logins.pop(words[-1], None)
        call.out(f"Removing login credentials for {words[-1]}\n")
        return 0
    return await unknown(call)


def _daemon(call: Call) -> int | None:
    if "docker.service" not in call.state.active:
        return call.fail("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    if call.who.name != "root" and "docker" not in call.who.groups:
        return call.fail("permission denied while trying to connect to the Docker daemon socket")
    return None


async def _compose(call: Call) -> int:
    words = call.args[1:]
    options: dict[str, str] = {}
    while words and words[0] in _VALUED:
        options[words[0]], words = words[1], words[2:]
    if (refused := _daemon(call)) is not None:
        return refused
    project, verb = options.get("--project-name", ""), words[0] if words else ""
    try:
        if verb == "down":
            return _down(call, project, words)
        wanted = compose.load(call.tree, call.who, options["--file"], options["--env-file"], project)
        if verb == "pull":
            return _pull(call, [c.image for c in wanted.values()], list(wanted))
        if verb == "up":
            return _up(call, project, wanted)
        if verb == "ps":
            return _ps(call, project)
        if verb == "logs":
            return _logs(call, project, words[-1])
        if verb == "exec" and words[1] == "-T":
            return _exec(call, project, words[2], words[3:])
    except ComposeError as error:
        return call.fail(str(error))
    except KeyError as error:
        return call.fail(f"docker compose: {error.args[0]} is missing")
    return await unknown(call)


def _pull(call: Call, images: list[str], services: list[str]) -> int:
    for image, service in zip(images, services, strict=True):
        call.err(f" {service} Pulling \n")
        registry, _, name = image.partition("/")
        if call.state.fault("registry_down", registry) is not None:
            return call.fail(f'Error response from daemon: Get "https://{registry}/v2/": dial tcp: connection refused')
        if call.state.fault("registry_denied", registry) is not None:
            return call.fail(f"Error response from daemon: pull access denied for {name}, authorization failed")
        if name not in application.KNOWN_IMAGES:
            return call.fail(f"Error response from daemon: manifest for {image} not found: manifest unknown")
        if call.tree.full:
            return call.fail(NO_SPACE)
        if image not in call.state.images:
            call.state.images.append(image)
        call.err(f" {service} Pulled \n")
    return 0


def _up(call: Call, project: str, wanted: dict[str, Container]) -> int:
    missing = {name: c.image for name, c in wanted.items() if c.image not in call.state.images}
    if missing and (status := _pull(call, list(missing.values()), list(missing))):
        return status
    for line in compose.bring_up(call.state, project, wanted):
        call.err(f"{line}\n")
    call.machine.open_ports()
    containers = call.state.projects[project]
    for name, container in containers.items():
        if container.state == "exited":
            return call.fail(f"container {project}-{name}-1 exited ({container.exit_code})")
        if application.health(call.state, containers, container) == "unhealthy":
            return call.fail(f"container {project}-{name}-1 is unhealthy")
    return 0


def _ps(call: Call, project: str) -> int:
    containers = call.state.projects.get(project, {})
    for name, c in containers.items():
        row = {"ID": c.id, "Name": f"{project}-{name}-1", "Service": name, "Image": c.image, "State": c.state,
               "Health": application.health(call.state, containers, c), "ExitCode": c.exit_code}  # fmt: skip
        call.out(json.dumps(row) + "\n")
    return 0


def _logs(call: Call, project: str, service: str) -> int:
    container = call.state.projects.get(project, {}).get(service)
    if container is None:
        return call.fail(f"no such service: {service}")
    call.out("".join(f"{line}\n" for line in container.log[-12:]))
    return 0


def _exec(call: Call, project: str, service: str, argv: list[str]) -> int:
    containers = call.state.projects.get(project, {})
    container = containers.get(service)
    if container is None or container.state != "running":
        return call.fail(f'service "{service}" is not running')
    if argv[0] == "pg_isready":
        call.out("127.0.0.1:5432 - accepting connections\n")
        return 0
    if argv == ["redis-cli", "-e", "ping"]:
        if container.environment.get("REDISCLI_AUTH") != container.environment.get("REDIS_PASSWORD"):
            return call.fail("NOAUTH Authentication required.")
        call.out("PONG\n")
        return 0
    if argv[:2] == ["npm", "run"] and argv[2:] in (["migrate"], ["migrate:status"]):
        status, out, err = application.migrate(call.state, containers, container, argv[2])
        call.out(out)
        call.err(err)
        return status
    if argv[:2] == ["npm", "run"]:
        return call.fail(f'npm error Missing script: "{argv[2]}"')
    return call.fail(f'OCI runtime exec failed: exec: "{argv[0]}": executable file not found in $PATH', 127)


def _down(call: Call, project: str, words: list[str]) -> int:
    for name, container in call.state.projects.pop(project, {}).items():
        call.err(f" Container {project}-{name}-1  Removed\n")
        if "--volumes" in words:
            for volume in container.volumes.values():
                call.state.volumes.pop(volume, None)
    call.machine.open_ports()
    return 0
