"""A web of one server on a loopback port, with the pages that the tests of fetching need."""

from __future__ import annotations

import gzip
import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from flask.testing import FlaskClient

from tests.reading import documents
from tests.service.fake_detector import load_fake
from tests.service.support import SPUN
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, ModelInUse
from unspun.service.http.fetching import Fetcher

ARTICLE = f"<html><body><article><p>{SPUN}</p></article></body></html>".encode()
FILES = {
    "a.pdf": documents.pdf([documents.lines([SPUN])]),
    "a.docx": documents.docx(f"<w:p><w:r><w:t>{SPUN}</w:t></w:r></w:p>"),
    "a.rtf": rb"{\rtf1 " + SPUN.encode() + b"}",
    "a.png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "broken.pdf": b"%PDF-1.7 and nothing else",
}
FIVE_GIGABYTES = 5_000_000_000
HTML = "text/html; charset=utf-8"


class Web:
    """The server. `asked` lists the paths that were requested, and `headers` the headers of the last request."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.headers = dict(self.headers.items())
                self.close_connection = True
                with suppress(OSError):
                    web._answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/article", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        match path.strip("/").split("/"):
            case ["article"]:
                _send(handler, ARTICLE, HTML)
            case ["hidden"]:
                _send(handler, ARTICLE.replace(b"</p>", b"</p><p hidden>Nobody sees this.</p>"), HTML)
            case ["latin-1"]:
                page = f"<html><body><p>The café: {SPUN}</p></body></html>"
                _send(handler, page.encode("iso-8859-2"), "text/html; charset=iso-8859-2")
            case ["file", name]:  # with the Content-Type in the query
                _send(handler, FILES.get(name, SPUN.encode()), unquote(query) or None)
            case ["gzip"]:
                _send(handler, gzip.compress(ARTICLE), HTML, Content_Encoding="gzip")
            case ["bomb"]:
                _send(handler, gzip.compress(bytes(50_000_000)), HTML, Content_Encoding="gzip")
            case ["broken-gzip"]:
                _send(handler, b"not gzip", HTML, Content_Encoding="gzip")
            case ["brotli"]:
                _send(handler, b"not asked for", HTML, Content_Encoding="br")
            case ["status", number]:
                _send(handler, b"x", HTML, int(number))
            case ["to"]:
                _send(handler, b"", HTML, 302, Location=query)
            case ["nowhere"]:
                _send(handler, b"", HTML, 302)
            case ["circle", number]:
                _send(handler, b"", HTML, 307, Location=f"/circle/{(int(number) + 1) % 3}")
            case ["on", number]:
                _send(handler, b"", HTML, 301, Location=f"/on/{int(number) + 1}")
            case ["five-gigabytes"]:
                _start(handler, HTML, Content_Length=str(FIVE_GIGABYTES))
                _endless(handler)
            case ["endless"]:
                _start(handler, HTML)
                _endless(handler)
            case ["cut-off"]:
                _start(handler, HTML, Content_Length="1000")
                handler.wfile.write(b"<p>The mayor")
            case ["silent"]:
                handler.connection.settimeout(20)
                handler.connection.recv(1)  # until the other side gives up
            case ["dripping-headers"]:
                _drip(handler, b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 50)
            case ["dripping-body"]:
                _start(handler, HTML)
                _drip(handler, b"word " * 100)
            case ["not-http"]:
                handler.wfile.write(b"220 mail.example.org ESMTP\r\n")
            case ["many-headers"]:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 1000 + b"\r\n")
            case _:
                _send(handler, b"x", HTML, 404)


def _send(handler: BaseHTTPRequestHandler, content: bytes, kind: str | None, status: int = 200, **more: str) -> None:
    _start(handler, kind, status, Content_Length=str(len(content)), **more)
    handler.wfile.write(content)


def _start(handler: BaseHTTPRequestHandler, kind: str | None, status: int = 200, **more: str) -> None:
    handler.send_response(status)
    if kind is not None:
        handler.send_header("Content-Type", kind)
    for name, value in more.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def _endless(handler: BaseHTTPRequestHandler) -> None:
    while True:
        handler.wfile.write(b"word " * 10_000)


def _drip(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    for byte in content:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def web_settings(web: Web, **settings: Any) -> Settings:
    """Return settings with which a service may fetch from this web."""
    return Settings(**({"max_bytes": 20_000, "fetch_urls": True, "fetch_ports": str(web.port)} | settings))


def web_client(web: Web, *, allow: Any = lambda address: True, **settings: Any) -> FlaskClient:
    """Return a client of a service that may fetch from this web; `allow` is as for Fetcher."""
    chosen = web_settings(web, **settings)
    return create_app(chosen, Engine(ModelInUse(load_fake)), fetcher=Fetcher(chosen, allow=allow)).test_client()
