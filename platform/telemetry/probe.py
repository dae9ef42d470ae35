"""``python -m sightline.telemetry.probe [PATH [PORT]]``: exit status 0 when this container's
process is well.

For health checks that run a command. It is run every few seconds in each container, so it
imports next to nothing and starts in a blink.
"""

from __future__ import annotations

import os
import socket
import sys

SECONDS = 6.0
MAX_BYTES = 8192


def main(path: str = "/healthz", port: str = "") -> int:
    """Ask for ``path`` on ``port`` (METRICS_PORT, or else the web's own) and print the answer."""
    port = port or os.environ.get("METRICS_PORT") or os.environ.get("PORT") or "8000"
    try:
        answer = ask(path, int(port))
    except OSError as err:
        sys.stderr.write(f"Nothing answers on port {port}: {err}\n")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    sys.stdout.write(body.decode(errors="replace"))
    return 0 if head.split(maxsplit=2)[1:2] == [b"200"] else 1


def ask(path: str, port: int) -> bytes:
    """What this machine's ``port`` answers to GET ``path``, with the head, cut to MAX_BYTES."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b""
        while len(answer) < MAX_BYTES and (part := connection.recv(MAX_BYTES)):
            answer += part
    return answer


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
