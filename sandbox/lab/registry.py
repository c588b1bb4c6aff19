"""Fill a container registry over its own HTTP API: layers, config and manifest, as `docker push` would.

Knows images only as layers and a config; what goes into them is told in images.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from sandbox.lab.debian import SEARCH_PATH
from sandbox.lab.layers import Layer
from sandbox.lab.tools import RecipeError

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@contextlib.contextmanager
def serving(storage: Path, scratch: Path) -> Iterator[httpx.Client]:
    """A registry over `storage` for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    storage.mkdir(parents=True, exist_ok=True)
    config = scratch / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {storage}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with (scratch / "registry.log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": SEARCH_PATH},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            _wait(client, server, scratch / "registry.log")
            yield client
    finally:
        server.terminate()
        server.wait()


def _wait(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            if client.get("/v2/").status_code == httpx.codes.OK:
                return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    raise RecipeError(f"docker-registry does not answer: {log.read_text()[-1500:]}")


def push(client: httpx.Client, repository: str, tag: str, layers: Sequence[Layer], config: dict[str, Any]) -> str:
    """Store an image under `repository:tag`; returns the manifest's digest."""
    for layer in layers:
        _blob(client, repository, layer.digest, layer.path.read_bytes())
    described = {
        "architecture": _architecture(),
        "os": "linux",
        "created": "2025-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": "2025-01-01T00:00:00Z", "created_by": "slipway lab"} for _ in layers],
    }
    content = json.dumps(described, sort_keys=True).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _blob(client, repository, digest, content)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(content), "digest": digest},
        "layers": [{"mediaType": LAYER, "size": layer.size, "digest": layer.digest} for layer in layers],
    }
    body = json.dumps(manifest, sort_keys=True).encode()
    answer = client.put(f"/v2/{repository}/manifests/{tag}", content=body, headers={"Content-Type": MANIFEST})
    answer.raise_for_status()
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _blob(client: httpx.Client, repository: str, digest: str, content: bytes) -> None:
    if client.head(f"/v2/{repository}/blobs/{digest}").status_code == httpx.codes.OK:
        return
    begun = client.post(f"/v2/{repository}/blobs/uploads/")
    begun.raise_for_status()
    place = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
    headers = {"Content-Type": "application/octet-stream"}
    client.put(place, content=content, headers=headers).raise_for_status()


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
