"""A web server on this machine, with the faults that real ones have."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(BaseHTTPRequestHandler):
    """Serve files of a folder; parts of them, unless asked otherwise."""

    protocol_version = "HTTP/1.1"  # connections are kept, as real servers keep them

    def do_HEAD(self):  # the library's name
        self._answer(body=False)

    def do_GET(self):  # the same
        self._answer(body=True)

    def _answer(self, *, body):
        server = self.server
        with server.lock:
            server.requests += 1
            server.busy += 1
            server.most = max(server.most, server.busy)
            number = server.requests
        try:
            time.sleep(server.delay)
            self._respond(server, number, body=body)
        finally:
            with server.lock:
                server.busy -= 1

    def _respond(self, server, number, *, body):
        path = server.folder / self.path.lstrip("/").partition("?")[0]
        known = server.wants in self.path.partition("?")[2]
        if server.status or not known:
            return self._send(server.status or 403, b"")
        if server.fail_every and number > 6 and number % server.fail_every == 0:
            return self._send(503, b"")
        if not path.is_file():
            return self._send(404, b"")
        size = path.stat().st_size
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or not server.ranges:
            return self._send(200, path.read_bytes(), body=body)
        start = int(wanted[1])
        stop = min(int(wanted[2] or size) + 1, size)
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(stop - start)
        with server.lock:
            server.sent += len(data)
        if server.cuts:
            server.cuts -= 1
            self.close_connection = True
            return self._send(206, data, headers, body=body, sent=len(data) // 2)
        return self._send(206, data, headers, body=body)

    def _send(self, status, data, headers=None, *, body=True, sent=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if body and self._is_silent(status):
            self.server.hushed.set()
            self.server.ends.wait()  # nothing more, for as long as anybody waits
            self.close_connection = True
        elif body:
            self.wfile.write(data[:sent])

    def _is_silent(self, status):
        """Whether a server that falls silent, for GDAL alone or for all, does so."""
        asks = self.headers.get("User-Agent", "")
        for_it = self.server.silent_for_gdal and "GDAL" in asks
        return (for_it or self.server.silent) and status < 400

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def served(
    folder,
    *,
    host="127.0.0.1",
    ranges=True,
    status=0,
    delay=0.0,
    fail_every=0,
    silent_for_gdal=False,
):
    """Serve a folder and give its address and the server."""
    server = ThreadingHTTPServer((host, 0), _Handler)
    server.daemon_threads = True
    server.folder, server.ranges, server.status = Path(folder), ranges, status
    server.delay, server.fail_every = delay, fail_every
    server.wants = ""  # what has to be in the query of each request
    # It sends headers, and then nothing.
    server.silent_for_gdal, server.silent = silent_for_gdal, False
    server.hushed, server.ends = threading.Event(), threading.Event()
    server.cuts = 0  # how many of the next answers break off
    server.requests = server.busy = server.most = server.sent = 0
    server.lock = threading.Lock()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}", server
    finally:
        server.ends.set()
        server.shutdown()
        thread.join()
        server.server_close()
