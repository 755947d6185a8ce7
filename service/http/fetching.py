"""Fetches web pages that people ask about: only from the public internet, and within limits.

A service that fetches any address would let strangers reach what only its own network can reach. So the host's name is
looked up once, every address that it has must be public, and the connection is made to one of these very addresses:
what the name means a moment later plays no part. The same holds for each redirect. Nothing else is fetched: no images,
no scripts, no robots.txt. Proxies, cookies and passwords are not used.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from unspun.reading import packing
from unspun.reading.documents.isolation import DOCUMENT_FORMATS, Limits, recognise
from unspun.reading.encodings import NotTextError, decode
from unspun.reading.html import Article, declared_encoding, extract_article
from unspun.reading.reader import SUFFIXES, Format, read_stream
from unspun.reading.records import Failure, UnreadableError
from unspun.service.http.config import Settings
from unspun.service.http.engine import Runner, run_here
from unspun.service.http.problems import FieldError, RequestError
from unspun.service.http.schemas import PIECE, Unpacker, too_large

IpAddress = IPv4Address | IPv6Address

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
ACCEPT = "text/html, application/xhtml+xml, text/plain, text/markdown, application/pdf, */*;q=0.5"
KINDS: Mapping[str, Format] = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "txt",
    "text/markdown": "txt",
    "text/x-markdown": "txt",
    "text/vtt": "txt",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/rtf": "rtf",
    "text/rtf": "rtf",
    "application/epub+zip": "epub",
}
"""The formats of one document, by their media types."""
ANY_BYTES = ("application/octet-stream", "binary/octet-stream", "application/x-download", "application/force-download")
"""Media types that say nothing. The name of the file says what it is."""
PATH, QUERY = "/%:@!$&'()*+,;=~", "/?%:@!$&'()*+,;=~[]|"
"""Characters of a path and of a query that are sent as they are."""

WORLD = ip_network("2000::/3")
"""The part of IPv6 from which public addresses are given out."""
SPECIAL = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # for protocols
            "192.88.99.0/24",  # relays to IPv6
            "2001::/23",  # for protocols: Teredo, which has an IPv4 address in it, and others
            "2002::/16",  # 6to4, which has an IPv4 address in it
            "3fff::/20",  # for documentation
        ),
    )
)
"""Addresses that some versions of Python call global. In all others, `is_global` is right."""

HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.ASCII | re.IGNORECASE)
CHARSET = re.compile(r"[\w.:-]{2,40}", re.ASCII)


def is_public(address: IpAddress) -> bool:
    """Return whether an address is on the public internet, and does not lead elsewhere in disguise."""
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in block for block in SPECIAL)
        and (address.version == 4 or address in WORLD)
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as it was received; `address` is where redirects led."""

    address: str
    kind: Format
    charset: str | None
    content: bytes


class Fetcher:
    """Fetches pages within the limits of the settings.

    `run` is where the network is waited for. `allow` says which addresses of the internet may be connected to; no
    setting changes it, and only tests do.
    """

    def __init__(
        self, settings: Settings, run: Runner = run_here, *, allow: Callable[[IpAddress], bool] = is_public
    ) -> None:
        self._settings = settings
        self._run = run
        self._allow = allow
        self._ports = frozenset(map(int, settings.fetch_ports.split(",")))

    def fetch(self, url: str) -> Fetched:
        """Return the page at a web address. Raises RequestError."""
        seconds = self._settings.fetch_seconds
        try:
            return self._run(lambda: self._follow(url, time.monotonic() + seconds), seconds)
        except TimeoutError:
            raise _failed(f"The page did not arrive within {seconds:g} seconds") from None

    def _follow(self, url: str, deadline: float) -> Fetched:
        """Return the page to which an address and its redirects lead. Raises RequestError and TimeoutError."""
        seen: set[str] = set()
        while url not in seen:
            if len(seen) > MOST_REDIRECTS:
                raise _failed(f"The address redirects more than {MOST_REDIRECTS} times")
            try:
                found = self._get(url, deadline)
            except RequestError as problem:
                if seen:
                    problem.detail = f"After a redirect: {problem.detail}"
                raise
            seen.add(url)
            if isinstance(found, Fetched):
                return found
            url = found
        raise _failed("The address redirects in a circle")

    def _get(self, url: str, deadline: float) -> Fetched | str:
        """Return the page at an address, or the address to which it redirects."""
        parts = self._check(url)
        host = str(parts.hostname)
        port = parts.port or PORTS[parts.scheme]
        try:
            with self._connect(host, port, deadline) as plain:
                plain.settimeout(_left(deadline))
                with _encrypted(plain, host) if parts.scheme == "https" else plain as connected:
                    return self._ask(parts, connected, deadline)
        except TimeoutError:
            raise
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or "no encrypted connection could be made"
            raise _failed(f"The server cannot be trusted: {reason}") from None
        except (http.client.HTTPException, ValueError):  # the latter from headers with odd characters
            raise _failed("The server's answer is not valid HTTP, or it is cut off") from None
        except OSError:
            raise _failed("The server cannot be reached, or it broke the connection off") from None

    def _check(self, url: str) -> SplitResult:
        """Return the parts of an address, its host in ASCII. Raises RequestError if it is not one to fetch."""
        try:
            parts = urlsplit(url.strip())
            host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
        except ValueError:  # UnicodeError is one
            raise _invalid("is not a valid web address") from None
        if parts.scheme not in PORTS:
            raise _refused("This service fetches only addresses that begin with http:// or https://.")
        if not HOST.fullmatch(host):
            raise _invalid("is not a valid web address")
        if "@" in parts.netloc:
            raise _refused("This service fetches no address with a user name or a password in it.")
        if (port or PORTS[parts.scheme]) not in self._ports:
            allowed = " and ".join(map(str, sorted(self._ports)))
            raise _refused(
                f"This service fetches no pages from port {port or PORTS[parts.scheme]}, only from {allowed}."
            )
        netloc = f"[{host}]" if ":" in host else host
        return parts._replace(netloc=netloc if port is None else f"{netloc}:{port}")

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        """Return a connection to one of the host's addresses, all of which were checked. Raises RequestError."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError):
            raise _failed("There is no such host") from None
        if not all(self._allow(ip_address(str(place[0]))) for *_, place in found):
            raise _refused(
                "This service fetches only pages of the public internet. This address leads to a private or reserved "
                "network address."
            )
        error: OSError = ConnectionRefusedError()
        for number, (family, kind, protocol, _, place) in enumerate(found):
            tried = socket.socket(family, kind, protocol)
            try:
                tried.settimeout(_left(deadline) / (len(found) - number))  # leaves time for the other addresses
                tried.connect(place)
            except OSError as failure:
                tried.close()
                error = failure
            else:
                return tried
        raise error

    def _ask(self, parts: SplitResult, connected: socket.socket, deadline: float) -> Fetched | str:
        standard = PORTS[parts.scheme]
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or standard)
        connection.default_port = standard  # the header Host leaves it out
        connection.sock = _Timed(connected, deadline)  # so http.client makes no connection of its own
        path = quote(parts.path or "/", safe=PATH)
        connection.putrequest("GET", f"{path}?{quote(parts.query, safe=QUERY)}" if parts.query else path)
        connection.putheader("User-Agent", f"unspun/{version('unspun')}")
        connection.putheader("Accept", ACCEPT)
        connection.putheader("Accept-Encoding", "gzip")
        connection.putheader("Connection", "close")
        connection.endheaders()
        with connection.getresponse() as response:
            if response.status in REDIRECTS:
                return _target(parts.geturl(), response)
            if response.status != HTTPStatus.OK:
                raise _failed(f"The server answered with status {response.status}{_phrase(response.status)}")
            kind = _kind(response.headers, parts.path)
            charset = response.headers.get_content_charset("")
            content = self._read(response)
        return Fetched(parts.geturl(), kind, charset if CHARSET.fullmatch(charset) else None, content)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """Return the body of a response, unpacked. Never more than the limit is held in memory."""
        most = self._settings.max_bytes
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("identity", "", "gzip", "x-gzip"):
            raise _failed("The page is compressed in a way that this service did not ask for")
        unpack = Unpacker(most) if encoding in ("gzip", "x-gzip") else None
        refusal = too_large(self._settings, "A web page", "Send a part of its text instead")
        if (response.length or 0) > most:
            raise refusal
        parts: list[bytes] = []
        size = 0
        try:
            while piece := response.read(PIECE):
                part = piece if unpack is None else unpack(piece)
                size += len(part)
                if size > most:
                    raise refusal
                parts.append(part)
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            if unpack is not None and parts:
                unpack.finish()
        except RequestError as problem:
            if problem.name == "too-large":
                raise
            raise _failed("The page is not valid gzip") from None
        return b"".join(parts)


class _Timed:
    """What http.client needs of a socket. Every read ends at the deadline, however slowly the bytes drip in."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._connected = connected
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._connected.settimeout(_left(self._deadline))
        self._connected.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReads(self._connected, self._deadline))

    def close(self) -> None:
        """Do nothing: http.client closes its socket before the body is read. `Fetcher` closes it."""


class _TimedReads(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._connected = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connected.settimeout(_left(self._deadline))
        return self._connected.recv_into(buffer)


def read_page(page: Fetched, settings: Settings) -> Article:
    """Return the text of a fetched page. Raises RequestError."""
    kind = page.kind
    if kind in ("txt", "html"):  # some servers say so about everything
        kind = recognise(page.content) or kind
    if kind in DOCUMENT_FORMATS:
        limits = Limits(max(1, min(settings.document_seconds, int(settings.timeout))), settings.document_memory)
        [found] = read_stream(io.BytesIO(page.content), "The document", kind, limits=limits)
        if isinstance(found, Failure):
            raise _unreadable(found.message)
        return Article(found.text, found.repairs)
    try:
        if kind == "html":
            return extract_article(decode(page.content, page.charset or declared_encoding(page.content)))
        return Article(decode(page.content, page.charset), {})
    except (NotTextError, UnreadableError) as error:
        raise _unreadable(str(error)) from None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _encrypted(plain: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host.rstrip("."))


def _target(url: str, response: http.client.HTTPResponse) -> str:
    location = response.headers.get("Location", "")
    if not location:
        raise _failed("The address redirects, but does not say where to")
    with suppress(UnicodeError):  # http.client decodes headers as Latin-1, and many servers send UTF-8
        location = location.encode("latin-1").decode("utf-8")
    try:
        return urljoin(url, location).partition("#")[0]
    except ValueError:
        raise _failed("The address redirects to something that is no web address") from None


def _kind(headers: Message, path: str) -> Format:
    """Return the format of a response. Raises RequestError if it is not one document of a format that is read."""
    declared = headers.get_content_type() if "Content-Type" in headers else ""
    name = PurePosixPath(path)
    if declared in KINDS:
        return KINDS[declared]
    if declared in ("", *ANY_BYTES) and packing.split(name.name)[1] is None:
        named = SUFFIXES.get(name.suffix.lower())
        if named in KINDS.values():
            return named  # type: ignore[return-value]
    what = f"The page has the Content-Type {declared[:100]}" if declared else "The page has no Content-Type"
    raise RequestError(
        "unreadable-page", f"{what}. This service reads web pages, plain text, Markdown, PDF, DOCX, ODT, RTF and EPUB."
    )


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _invalid(detail: str) -> RequestError:
    return RequestError("invalid-fields", f"#/url {detail}.", errors=(FieldError("#/url", detail),))


def _refused(detail: str) -> RequestError:
    return RequestError("address-refused", detail)


def _failed(what: str) -> RequestError:
    return RequestError("not-fetched", f"{what}. Check the address, or send the text itself.")


def _unreadable(reason: str) -> RequestError:
    return RequestError("unreadable-page", f"The page cannot be judged: {reason}.")
