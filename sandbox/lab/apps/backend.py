"""The stand-in backend: an API on port 3001 whose health is really that of its PostgreSQL and its Redis.

Runs inside the image with Debian's own Python, so it knows nothing of this repository.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import redis  # type: ignore[import-not-found]
import schema  # type: ignore[import-not-found]

STARTED = time.monotonic()
VERSION = "1.0.0"
MINIMUM_SECRET = 32


def database() -> bool:
    with contextlib.suppress(psycopg.Error), psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=2) as found:
        return found.execute("SELECT 1").fetchone() == (1,)
    return False


def cache() -> bool:
    with contextlib.suppress(redis.RedisError):
        client = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=2, socket_connect_timeout=2)
        with contextlib.closing(client):
            return bool(client.ping())
    return False


def health() -> tuple[int, dict[str, object]]:
    parts = {"database": database(), "redis": cache()}
    well = all(parts.values())
    body: dict[str, object] = {"status": "healthy" if well else "unhealthy"}
    body |= {name: "connected" if up else "disconnected" for name, up in parts.items()}
    body |= {"version": VERSION, "uptime": round(time.monotonic() - STARTED, 1)}
    return (200 if well else 503), body


def token(email: str) -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    claims = {"sub": email, "exp": int(time.time()) + 3600}
    head = ".".join(part(json.dumps(piece).encode()) for piece in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{head}.{part(hmac.digest(os.environ['JWT_SECRET'].encode(), head.encode(), 'sha256'))}"


def login(body: dict[str, str]) -> tuple[int, dict[str, object]]:
    query = (
        "SELECT u.email, u.name, u.role, u.password_hash, u.must_change_password, o.name"
        " FROM users u JOIN organizations o ON o.id = u.organization_id WHERE u.email = lower(%s)"
    )
    try:
        with schema.connect() as connection:
            row = connection.execute(query, [str(body.get("email", ""))]).fetchone()
    except psycopg.Error:
        return 503, {"success": False, "error": "the database is not ready"}
    if row is None or not schema.password_fits(str(body.get("password", "")), row[3]):
        return 401, {"success": False, "error": "Invalid email or password"}
    user = {"email": row[0], "name": row[1], "role": row[2], "organization": row[5]}
    return 200, {"success": True, "token": token(row[0]), "user": user, "mustChangePassword": row[4]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"recruitiq-backend/{VERSION}"

    def do_GET(self) -> None:
        if self.path.split("?")[0] == "/api/health":
            self.answer(*health())
        else:
            self.answer(404, {"success": False, "error": "Not found"})

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), 65536)
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            body = None
        if self.path.split("?")[0] != "/api/login":
            self.answer(404, {"success": False, "error": "Not found"})
        elif not isinstance(body, dict):
            self.answer(400, {"success": False, "error": "A JSON object is wanted"})
        else:
            self.answer(*login(body))

    def answer(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        print(f"{self.command} {self.path} {args[1] if len(args) > 1 else ''}", flush=True)


def main() -> int:
    if absent := [name for name in ("DATABASE_URL", "REDIS_URL", "JWT_SECRET") if not os.environ.get(name)]:
        print(f"backend: {', '.join(absent)} must be set", file=sys.stderr)
        return 1
    if len(os.environ["JWT_SECRET"]) < MINIMUM_SECRET:
        print(f"backend: JWT_SECRET must have at least {MINIMUM_SECRET} characters", file=sys.stderr)
        return 1
    # As process 1 of a container, SIGTERM is ignored unless it is handled.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("0.0.0.0", 3001), Handler)
    server.daemon_threads = True
    print(f"backend {VERSION} listens on 3001", flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
