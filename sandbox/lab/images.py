"""The container images of the blueprint `recruitiq`: real PostgreSQL, real Redis and small stand-ins of its five apps.

Made without a Docker daemon: Debian trees stacked as overlays, packed as layers, pushed to a registry. Every image has
`/usr/local/bin/healthcheck` and names it as its HEALTHCHECK.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.lab.layers import Layer, pack
from sandbox.lab.registry import push, serving
from sandbox.lab.rootfs import DPKG_EXCLUDES, SUITE, debian_sources
from sandbox.lab.tools import inside, overlay, run, write

APPS = Path(__file__).with_name("apps")
PROJECT, TAG = "recruitiq", "1.0.0"
POSTGRES_BIN = "/usr/lib/postgresql/17/bin"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SECOND = 1_000_000_000

FRONT_ENDS = {
    "portal": (3002, "Where candidates and clients find their work"),
    "nexus": (3003, "People, contracts and schedules in one place"),
    "paylinq": (3004, "Payroll that adds up"),
    "recruitiq": (3005, "Recruitment from vacancy to signature"),
}


@dataclass(frozen=True)
class Image:
    """One image: which tree it stands on, which files it adds, how it runs and how it is asked for its health."""

    service: str
    stack: str
    files: dict[str, str]
    check: str
    config: dict[str, Any]
    environment: list[str] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        check = {"Test": ["CMD", "healthcheck"], "Interval": 5 * SECOND, "Timeout": 5 * SECOND, "Retries": 12}
        # A container may answer seconds after its start; until then its failures do not count.
        check |= {"StartPeriod": 30 * SECOND, "StartInterval": SECOND}
        labels = {
            "org.opencontainers.image.title": f"{PROJECT}/{self.service}",
            "org.opencontainers.image.version": TAG,
        }
        environment = self.environment if self.service == "postgres" else [PATH, *self.environment]
        return {"Env": environment, "Labels": labels, "Healthcheck": check, **self.config}


def _script(line: str) -> str:
    return f"#!/bin/sh\nexec {line}\n"


def _app(name: str) -> str:
    return (APPS / name).read_text()


def catalogue() -> list[Image]:
    """All images, in the order they are built."""
    postgres = Image(
        "postgres",
        "postgres",
        {"usr/local/bin/entrypoint": _app("postgres.sh")},
        # Over TCP: during the first start a server listens on the socket only, and is not yet the real one.
        'pg_isready -q -h 127.0.0.1 -U "${POSTGRES_USER:-postgres}" -d "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"',
        {
            "Entrypoint": ["entrypoint"],
            "ExposedPorts": {"5432/tcp": {}},
            "Volumes": {"/var/lib/postgresql/data": {}},
            "StopSignal": "SIGINT",
        },
        [f"PATH={POSTGRES_BIN}:{PATH.removeprefix('PATH=')}", "PGDATA=/var/lib/postgresql/data", "LANG=C.UTF-8"],
    )
    redis = Image(
        "redis",
        "redis",
        {"usr/local/bin/entrypoint": _app("redis.sh")},
        'env REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -e ping',
        {"Entrypoint": ["entrypoint"], "ExposedPorts": {"6379/tcp": {}}, "Volumes": {"/data": {}}},
    )
    backend = Image(
        "backend",
        "python",
        {
            "app/backend.py": _app("backend.py"),
            "app/schema.py": _app("schema.py"),
            "usr/local/bin/npm": _app("npm.sh"),
        },
        "curl -fsS -m 4 -o /dev/null http://127.0.0.1:3001/api/health",
        _python("/app/backend.py", 3001),
        ["PYTHONUNBUFFERED=1"],
    )
    return [postgres, redis, backend, *(_front_end(name) for name in FRONT_ENDS)]


def _python(program: str, port: int) -> dict[str, Any]:
    ports: dict[str, Any] = {f"{port}/tcp": {}}
    return {"Cmd": ["python3", program], "WorkingDir": "/app", "User": "65534:65534", "ExposedPorts": ports}


def _front_end(name: str) -> Image:
    port, tagline = FRONT_ENDS[name]
    environment = [f"APP_NAME={name}", f"APP_PORT={port}", f"APP_TAGLINE={tagline}", "PYTHONUNBUFFERED=1"]
    check = f"curl -fsS -m 4 -o /dev/null http://127.0.0.1:{port}/healthz"
    return Image(name, "python", {"app/web.py": _app("web.py")}, check, _python("/app/web.py", port), environment)


# Package sets that images stand on, each one layer over the common tree.
STACKS = {
    "python": ["python3-minimal", "python3-psycopg", "python3-redis", "curl"],
    "redis": ["redis-server"],
    "postgres": ["postgresql-17", "postgresql-client-17"],
}
# What a package brings and no container here runs: PostgreSQL's just-in-time compiler, Perl, the package manager.
# A host unpacks some 35 MB a second, so this is half of the time of a pull.
PRUNED = (
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/llvm-*",
    "usr/lib/postgresql/*/lib/bitcode",
    "usr/lib/postgresql/*/lib/llvmjit*",
    "usr/lib/*/gconv",
    "usr/lib/*/perl",
    "usr/lib/*/libperl*",
    "usr/share/perl",
    "usr/share/i18n",
    "usr/bin/perl*",
    "usr/lib/*/perl-base",
    "usr/bin/apt*",
    "usr/bin/sqv",
    "usr/lib/apt",
    "usr/lib/*/libapt-*",
    "var/lib/dpkg/info",
)


def build_images(target: Path, scratch: Path) -> None:
    """Fill `target`, the storage of a registry, with every image of the catalogue."""
    scratch.mkdir(parents=True, exist_ok=True)
    root = scratch / "root"
    excludes = [word for line in DPKG_EXCLUDES for word in ("--dpkgopt", line)]
    shape = ["--mode=root", "--variant=minbase", "--format=directory", "--quiet"]
    run(["mmdebstrap", *shape, *excludes, "--aptopt", 'Acquire::Languages "none"', SUITE, root, *debian_sources()])
    layers = {}
    for name, packages in STACKS.items():
        upper = scratch / name
        with overlay([root], upper) as tree:
            write(tree / "etc/dpkg/dpkg.cfg.d/lab", "force-unsafe-io\n" + "\n".join(DPKG_EXCLUDES) + "\n")
            # The package would make a cluster of its own, which no container ever uses.
            write(tree / "etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n")
            inside(tree, ["apt-get", "update", "-q"])
            inside(tree, ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages])
        _prune(upper)
        layers[name] = pack(upper, scratch / f"{name}.tar.gz")
    # Last, for the package manager above still stood on the whole tree.
    _prune(root)
    common = pack(root, scratch / "root.tar.gz")
    with serving(target, scratch) as client:
        for image in catalogue():
            own = _files(image, scratch / f"image-{image.service}")
            push(client, f"{PROJECT}/{image.service}", TAG, [common, layers[image.stack], own], image.described())


def _prune(tree: Path) -> None:
    for pattern in PRUNED:
        for path in tree.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _files(image: Image, tree: Path) -> Layer:
    for name, text in {**image.files, "usr/local/bin/healthcheck": _script(image.check)}.items():
        write(tree / name, text, 0o755)
    return pack(tree, tree.with_suffix(".tar.gz"), ())
