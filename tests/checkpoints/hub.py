"""A hub on the loopback: small repositories over HTTP as the real one serves them, and what may go wrong with it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".pt")


class Hub:
    """Repositories by id, each its files by path; the switches make it misbehave.

    `cut`: how often a large file's connection is cut in its middle. `lie`: paths that are served with other bytes
    than are listed. `closed`: repositories that need a token. `ranges` and `got` are what was asked for.
    """

    def __init__(self, repos: dict[str, dict[str, bytes]]) -> None:
        self.repos = repos
        self.cut = 0
        self.lie: set[str] = set()
        self.closed: dict[str, int] = {}
        self.ranges: list[str] = []
        self.got: list[str] = []
        self.tokens: list[str | None] = []
        self.lock = threading.Lock()
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[Hub]:
        hub = self

        class Handler(_Handler):
            served = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        words = path.split("/")
        self.served.tokens.append(self.headers.get("Authorization"))
        if words[:2] == ["api", "models"]:
            self._tell(f"{words[2]}/{words[3]}")
        elif "resolve" in words:
            repo = "/".join(words[:2])
            name = "/".join(words[words.index("resolve") + 2 :])
            if name.endswith(LARGE):  # as the real one does: large files lie elsewhere
                self._answer(302, b"", Location=f"/elsewhere/{repo}/{name}")
            else:
                self._send(repo, name)
        elif words[0] == "elsewhere":
            self._send("/".join(words[1:3]), "/".join(words[3:]))
        else:
            self._answer(404, b"{}")

    def _tell(self, repo: str) -> None:
        if repo in self.served.closed:
            status = self.served.closed[repo]
            self._answer(status, b'{"error": "closed"}', **{"X-Error-Code": "GatedRepo"})
        elif repo not in self.served.repos:
            self._answer(404, b"{}", **{"X-Error-Code": "RepoNotFound"})
        else:
            siblings = [_sibling(name, data) for name, data in self.served.repos[repo].items()]
            told = {"_id": "0", "id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings}
            self._answer(200, json.dumps(told).encode(), **{"Content-Type": "application/json"})

    def _send(self, repo: str, name: str) -> None:
        hub = self.served
        data = hub.repos[repo][name]
        if name in hub.lie:
            data = data[:-1] + bytes([data[-1] ^ 1])
        begin, status, more = 0, 200, {}
        with hub.lock:
            hub.got.append(name)
            if asked := self.headers.get("Range"):
                hub.ranges.append(asked)
                begin = int(asked.removeprefix("bytes=").split("-")[0])
                status, more = 206, {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}
            cut = name.endswith(LARGE) and hub.cut > 0
            hub.cut -= cut
        body = data[begin:]
        if cut:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self._answer(status, body, **more)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _sibling(name: str, data: bytes) -> dict[str, object]:
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    told: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": blob}
    if name.endswith(LARGE):
        told["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return told
