"""Serve one folder over HTTP: `static.py ADDRESS PORT FOLDER`. Run by path, standard library only."""

from __future__ import annotations

import functools
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Handler(SimpleHTTPRequestHandler):
    # Keep-alive and ranges of one connection: apt asks for a hundred files in a row.
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        if len(args) > 1 and str(args[1]) >= "400":
            super().log_message(format, *args)


def main() -> None:
    address, port, folder = sys.argv[1:4]
    server = ThreadingHTTPServer((address, int(port)), functools.partial(Handler, directory=folder))
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
