"""The HTTP request that opens a session: what it says, and the answers to it.

A `Request` keeps the head as the bytes that arrived, a few hundred, and builds the
WSGI-style `environ` or the ASGI scope only when somebody asks. python-socketio keeps a
dictionary of some kilobytes per connection instead.
"""

import base64
import hashlib
import sys
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from pytake.transport import compression

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    426: "Upgrade Required",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

Headers = list[tuple[bytes, bytes]]
Address = tuple[str, int] | None


class Request:
    """The head of one HTTP request, compact.

    Args:
        raw: Request line and headers, separated by CRLF, names in lower case.
        client: Address of the peer.
        scheme: "http" or "https" ("ws" and "wss" for a websocket scope).
    """

    __slots__ = ("client", "raw", "scheme", "server")

    def __init__(self, raw: bytes, client: Address, server: Address, scheme: str) -> None:
        self.raw = raw
        self.client = client
        self.server = server
        self.scheme = scheme

    @classmethod
    def from_scope(cls, scope: dict[str, Any]) -> "Request":
        """Take over an ASGI scope."""
        target = scope.get("raw_path") or scope["path"].encode()
        if scope.get("query_string"):
            target += b"?" + scope["query_string"]
        lines = [scope.get("method", "GET").encode() + b" " + target + b" HTTP/1.1"]
        lines += [name.lower() + b": " + value for name, value in scope["headers"]]
        scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), "http")
        if scope.get("scheme") == "https":
            scheme = "https"
        client, server = scope.get("client"), scope.get("server")
        return cls(
            b"\r\n".join(lines),
            tuple(client) if client else None,
            tuple(server) if server else None,
            scheme,
        )

    @property
    def method(self) -> str:
        return self.raw[: self.raw.index(b" ")].decode("latin-1")

    @property
    def target(self) -> tuple[str, str]:
        """Path (decoded) and query string."""
        line = self.raw.split(b"\r\n", 1)[0]
        path, _, query = line.split(b" ")[1].decode("latin-1").partition("?")
        return unquote(path), query

    def headers(self) -> Headers:
        pairs = []
        for line in self.raw.split(b"\r\n")[1:]:
            name, separator, value = line.partition(b":")
            if separator:
                pairs.append((name.strip().lower(), value.strip()))
        return pairs

    def header(self, name: bytes) -> str | None:
        """Return a header, several of one name joined by commas; None if absent."""
        raw, start = self.raw, b"\r\n" + name + b":"
        values = []
        found = raw.find(start)
        while found >= 0:
            end = raw.find(b"\r\n", found + 2)
            values.append(raw[found + len(start) : end if end >= 0 else None].strip())
            found = raw.find(start, found + 2)
        return b",".join(values).decode("latin-1") if values else None

    def scope(self, kind: str = "http", headers: Headers | None = None) -> dict[str, Any]:
        """Build an ASGI scope, with the headers if somebody has just read them."""
        path, query = self.target
        scheme = self.scheme if kind == "http" else self.scheme.replace("http", "ws")
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": scheme,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode("latin-1"),
            "headers": self.headers() if headers is None else headers,
            "client": self.client,
            "server": self.server,
        }

    def environ(self) -> dict[str, Any]:
        """Build the dictionary that python-socketio gives to connect handlers."""
        path, query = self.target
        headers = self.headers()
        client = self.client or ("127.0.0.1", 0)
        environ: dict[str, Any] = {
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.async": True,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "SERVER_SOFTWARE": "asgi",
            "REQUEST_METHOD": self.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "RAW_URI": f"{path}?{query}" if query else path,
            "SCRIPT_NAME": "",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": client[0],
            "REMOTE_PORT": str(client[1]),
            "SERVER_NAME": "asgi",
            "SERVER_PORT": str(self.server[1]) if self.server else "0",
            "asgi.scope": self.scope(headers=headers),
        }
        for name, value in headers:
            text = value.decode("latin-1")
            key = _environ_key(name)
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO", self.scheme)
        return environ


@lru_cache(maxsize=512)
def _environ_key(name: bytes) -> str:
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


def accept_key(key: str) -> bytes:
    """Return the Sec-WebSocket-Accept of a key."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def websocket_fault(request: Request) -> str | None:
    """Say what is wrong with a websocket opening handshake; None if it is good."""
    headers = dict(request.headers())
    if request.method != "GET":
        return "a websocket opens with GET"
    if headers.get(b"upgrade", b"").lower() != b"websocket":
        return "missing Upgrade header"
    if b"upgrade" not in [
        token.strip() for token in headers.get(b"connection", b"").lower().split(b",")
    ]:
        return "missing Connection header"
    if headers.get(b"sec-websocket-version") != b"13":
        return "unsupported websocket version"
    try:
        if len(base64.b64decode(headers.get(b"sec-websocket-key", b""), validate=True)) != 16:
            return "bad Sec-WebSocket-Key"
    except ValueError:
        return "bad Sec-WebSocket-Key"
    return None


def switching_response(request: Request, *, allow_compression: bool) -> tuple[bytes, bool]:
    """Return the 101 response and whether compression was agreed upon."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"upgrade: websocket",
        b"connection: Upgrade",
        b"sec-websocket-accept: " + accept_key(request.header(b"sec-websocket-key") or ""),
    ]
    offer = request.header(b"sec-websocket-extensions") if allow_compression else None
    agreed = offer is not None and compression.accepts_offer(offer)
    if agreed:
        lines.append(b"sec-websocket-extensions: " + compression.RESPONSE)
    return b"\r\n".join(lines) + b"\r\n\r\n", agreed


def plain_response(status: int, headers: Headers, body: bytes) -> bytes:
    """Return a whole HTTP response that ends the connection."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, '')}".encode()]
    lines += [name + b": " + value for name, value in headers]
    lines += [b"content-length: " + str(len(body)).encode(), b"connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
