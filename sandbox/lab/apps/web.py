"""The stand-in front ends: one small page naming the application and the organization it serves, and /healthz.

APP_NAME, APP_PORT and APP_TAGLINE come with the image; ORGANIZATION_NAME from whoever deploys it.
"""

from __future__ import annotations

import html
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, TAGLINE = os.environ["APP_NAME"], os.environ["APP_TAGLINE"]
ORGANIZATION = os.environ.get("ORGANIZATION_NAME") or "RecruitIQ"

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} · {organization}</title><style>
:root {{ color-scheme: light dark; --ink: #14213d; --paper: #f7f8fb; --card: #fff; --line: #e2e6ef;
  --accent: {accent} }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e8ecf5; --paper: #10141d; --card: #181e2a; --line: #2a3242 }} }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif }}
main {{ width: min(30rem, 88vw); padding: 2.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 1rem; border-top: 4px solid var(--accent) }}
h1 {{ margin: 0 0 .25rem; font-size: 2rem; letter-spacing: -.02em }} p {{ margin: 0 }} .who {{ opacity: .7 }}
dl {{ display: grid; grid-template-columns: auto 1fr; gap: .35rem 1.5rem; margin: 2rem 0 0; font-size: .9rem }}
dt {{ opacity: .6 }} dd {{ margin: 0; text-align: right }}
</style></head><body><main><h1>{name}</h1><p>{tagline}</p><dl><dt>Organization</dt><dd>{organization}</dd>
<dt>Version</dt><dd>1.0.0</dd></dl></main></body></html>
"""
ACCENTS = {"portal": "#2563eb", "nexus": "#7c3aed", "paylinq": "#059669", "recruitiq": "#ea580c"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"recruitiq-{NAME}/1.0.0"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/healthz":
            self.answer(200, "application/json", json.dumps({"status": "ok", "app": NAME}))
        elif path == "/":
            self.answer(200, "text/html; charset=utf-8", page())
        else:
            self.answer(404, "text/plain", "Not found\n")

    do_HEAD = do_GET

    def answer(self, status: int, kind: str, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        print(f"{self.command} {self.path} {args[1] if len(args) > 1 else ''}", flush=True)


def page() -> str:
    title = {"nexus": "Nexus", "paylinq": "PayLinQ", "recruitiq": "RecruitIQ"}.get(NAME, NAME.capitalize())
    words = {"name": title, "tagline": TAGLINE, "organization": ORGANIZATION}
    return PAGE.format(accent=ACCENTS.get(NAME, "#334155"), **{key: html.escape(word) for key, word in words.items()})


def main() -> None:
    # As process 1 of a container, SIGTERM is ignored unless it is handled.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = ThreadingHTTPServer(("0.0.0.0", int(os.environ["APP_PORT"])), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
