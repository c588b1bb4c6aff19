"""How the containers of the blueprint `recruitiq` behave: start, health, migrations, and what they answer over HTTP.

The same environment, messages and answers as the lab's images, whose sources are sandbox/lab/apps.
"""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from sandbox.hosts.emulated.state import Container, HostState, Volume

VERSIONS = ("0001_organizations", "0002_users", "0003_initial_admin")
KNOWN_IMAGES = {f"recruitiq/{name}:1.0.0"
                for name in ("postgres", "redis", "backend", "portal", "nexus", "paylinq", "recruitiq")}  # fmt: skip
FRONT_ENDS = {"portal", "nexus", "paylinq", "recruitiq"}


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: bytes


def _kind(container: Container) -> str:
    return container.image.rsplit("/", 1)[-1].split(":")[0]


def _of(project: dict[str, Container], kind: str) -> Container | None:
    return next((c for c in project.values() if _kind(c) == kind), None)


def start(state: HostState, container: Container) -> None:
    """What the image's entrypoint does: refuse to run without its settings, make the database on first use."""
    container.state, container.exit_code = "running", 0
    env, kind = container.environment, _kind(container)
    if kind == "postgres":
        volume = state.volumes.setdefault(_volume_name(container), Volume())
        if not volume.password:
            if not env.get("POSTGRES_PASSWORD"):
                return _stop(container, "postgres: POSTGRES_PASSWORD must be set")
            # Only the first start reads the password: a later one with another password changes nothing.
            volume.password, volume.user = env["POSTGRES_PASSWORD"], env.get("POSTGRES_USER", "postgres")
            volume.name = env.get("POSTGRES_DB", volume.user)
        container.log.append("database system is ready to accept connections")
    elif kind == "redis" and not env.get("REDIS_PASSWORD"):
        return _stop(container, "redis: REDIS_PASSWORD must be set")
    elif kind == "backend":
        if absent := [n for n in ("DATABASE_URL", "REDIS_URL", "JWT_SECRET") if not env.get(n)]:
            return _stop(container, f"backend: {', '.join(absent)} must be set")
        if len(env["JWT_SECRET"]) < 32:
            return _stop(container, "backend: JWT_SECRET must have at least 32 characters")
        container.log.append("backend 1.0.0 listens on 3001")
    return None


def _stop(container: Container, why: str) -> None:
    container.state, container.exit_code = "exited", 1
    container.log.append(why)


def _volume_name(container: Container) -> str:
    return next(iter(container.volumes.values()), f"anonymous-{container.id}")


def database(state: HostState, project: dict[str, Container], url: str) -> Volume | None:
    """The database behind a URL, or None when it does not run or the password is another one."""
    postgres, asked = _of(project, "postgres"), urlsplit(url)
    if postgres is None or postgres.state != "running" or asked.hostname != postgres.service:
        return None
    volume = state.volumes[_volume_name(postgres)]
    right = (asked.username, asked.password, asked.path[1:]) == (volume.user, volume.password, volume.name)
    return volume if right else None


def cache_answers(project: dict[str, Container], url: str) -> bool:
    redis, asked = _of(project, "redis"), urlsplit(url)
    return (redis is not None and redis.state == "running" and asked.hostname == redis.service
            and asked.password == redis.environment.get("REDIS_PASSWORD"))  # fmt: skip


def health(state: HostState, project: dict[str, Container], container: Container) -> str:
    """The word `docker compose ps` shows; empty for one that does not run."""
    if container.state != "running":
        return ""
    if _kind(container) == "backend":
        return "healthy" if _api_health(state, project, container).status == 200 else "unhealthy"
    return "healthy"


def _api_health(state: HostState, project: dict[str, Container], container: Container) -> Answer:
    env = container.environment
    parts = {"database": database(state, project, env.get("DATABASE_URL", "")) is not None,
             "redis": cache_answers(project, env.get("REDIS_URL", ""))}  # fmt: skip
    well = all(parts.values())
    body: dict[str, object] = {"status": "healthy" if well else "unhealthy"}
    body |= {name: "connected" if up else "disconnected" for name, up in parts.items()}
    return _json(200 if well else 503, {**body, "version": "1.0.0", "uptime": 1.0})


def _json(status: int, body: dict[str, object]) -> Answer:
    return Answer(status, "application/json", json.dumps(body).encode())


def migrate(state: HostState, project: dict[str, Container], container: Container, script: str) -> tuple[int, str, str]:
    """`npm run migrate` and `npm run migrate:status`: (exit status, stdout, stderr)."""
    env = container.environment
    volume = database(state, project, env.get("DATABASE_URL", ""))
    if volume is None:
        return 1, "", 'migration failed: connection to server at "postgres", port 5432 failed\n'
    if script == "migrate:status":
        pending = [v for v in VERSIONS if v not in volume.applied]
        return 0, json.dumps({"applied": volume.applied, "pending": pending}) + "\n", ""
    target = env.get("MIGRATION_TARGET") or "latest"
    if target != "latest" and target not in VERSIONS:
        return 1, "", f"migration failed: unknown migration target {target!r}; known: {', '.join(VERSIONS)}\n"
    last = len(VERSIONS) if target == "latest" else VERSIONS.index(target) + 1
    lines: list[str] = []
    for version in VERSIONS[:last]:
        if version in volume.applied:
            lines.append(f"{version}: already applied")
            continue
        if version == "0003_initial_admin":
            names = ("ADMIN_EMAIL", "ADMIN_NAME", "ADMIN_PASSWORD")
            if empty := [n for n in names if not env.get(n)]:
                wanted = f"migration failed: {', '.join(empty)} must be set to create the initial administrator\n"
                return 1, "".join(f"{line}\n" for line in lines), wanted
            volume.admin = {"email": env["ADMIN_EMAIL"].lower(), "name": env["ADMIN_NAME"],
                            "password": hashlib.sha256(env["ADMIN_PASSWORD"].encode()).hexdigest()}  # fmt: skip
        volume.applied.append(version)
        lines.append(f"{version}: applied")
    lines.append(f"Database is at {VERSIONS[last - 1]}")
    return 0, "".join(f"{line}\n" for line in lines), ""


def answer(state: HostState, port: int, method: str, path: str, body: bytes) -> Answer | None:
    """What answers on 127.0.0.1:port of the host, None when nothing listens there."""
    for project in state.projects.values():
        for container in project.values():
            if container.publishes(port):
                return _respond(state, project, container, method, path.split("?")[0], body)
    return None


def _respond(
    state: HostState, project: dict[str, Container], container: Container, method: str, path: str, body: bytes
) -> Answer:
    kind = _kind(container)
    if kind in FRONT_ENDS:
        if path == "/healthz":
            return _json(200, {"status": "ok", "app": kind})
        if path == "/":
            who = html.escape(container.environment.get("ORGANIZATION_NAME", "RecruitIQ"))
            page = f"<!doctype html><html><head><title>{kind} · {who}</title></head><body><h1>{kind}</h1></body></html>"
            return Answer(200, "text/html; charset=utf-8", page.encode())
        return Answer(404, "text/plain", b"Not found\n")
    if path == "/api/health" and method in ("GET", "HEAD"):
        return _api_health(state, project, container)
    if path == "/api/login" and method == "POST":
        return _login(database(state, project, container.environment.get("DATABASE_URL", "")), body)
    return _json(404, {"success": False, "error": "Not found"})


def _login(volume: Volume | None, body: bytes) -> Answer:
    try:
        said = json.loads(body or b"{}")
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return _json(400, {"success": False, "error": "A JSON object is wanted"})
    if volume is None or not volume.admin:
        return _json(503, {"success": False, "error": "the database is not ready"})
    password = hashlib.sha256(str(said.get("password", "")).encode()).hexdigest()
    if str(said.get("email", "")).lower() != volume.admin["email"] or password != volume.admin["password"]:
        return _json(401, {"success": False, "error": "Invalid email or password"})
    user: dict[str, object] = {"email": volume.admin["email"], "name": volume.admin["name"], "role": "admin"}
    return _json(200, {"success": True, "token": "emulated", "user": user, "mustChangePassword": True})
