"""Engine.IO over HTTP long-polling, as an ASGI application.

GET carries packets to the client and waits while there are none; POST brings packets
from it. One GET may be outstanding; a second one, or a client that hangs up on one,
ends the session, since packets might be lost between them.
"""

import asyncio
import base64
import binascii
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from pytake.transport.codec import DEFAULT_CODEC
from pytake.transport.frames import join_polling
from pytake.transport.handshake import Headers, Request

if TYPE_CHECKING:
    from pytake.transport.engine import DirectEngine, Refusal
    from pytake.transport.session import Session

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Packets in one POST. A client that was offline flushes many at once; half a million
# empty ones in one body are an attack.
MAX_POST_PACKETS = 1000
_METHODS = ("GET", "POST", "OPTIONS")
_TEXT = (b"content-type", b"text/plain; charset=UTF-8")


class BodyTooLarge(Exception):
    """A request body is longer than the limit."""


class ClientGone(Exception):
    """The client hung up before its request was complete."""


async def handle(
    engine: "DirectEngine", scope: dict[str, Any], receive: Receive, send: Send
) -> None:
    """Answer one HTTP request on the Socket.IO path."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    request = Request.from_scope(scope)
    method = scope["method"]
    if method == "OPTIONS":
        response: Refusal | None = (204, [], b"")
    elif query.get("transport") != ["polling"] or "polling" not in engine.transports:
        response = engine.error(0)
    elif "sid" not in query:
        response = await _open(engine, request, query, scope)
    else:
        session = engine.find_session(query)
        if isinstance(session, tuple):
            response = session
        elif session.websocket is not None or method not in ("GET", "POST"):
            response = engine.error(3)
        elif method == "GET":
            response = await _poll(engine, session, receive)
        else:
            response = await _post(engine, session, request, receive)
    if response is None:
        return
    status, headers, body = response
    # Methods are made up by clients; labels must not be.
    engine.stats.polling_requests[method if method in _METHODS else "other", status] += 1
    if status == 200 and method == "GET":
        engine.stats.polling_bytes_out += len(body)
        body = _wrap_jsonp(query, body)
    headers = headers + _cors(engine, request)
    body = _compress(engine, request, headers, body)
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _open(
    engine: "DirectEngine", request: Request, query: dict[str, list[str]], scope: dict[str, Any]
) -> "Refusal":
    refusal = engine.refuse_handshake(request, query, scope)
    if refusal is not None:
        return refusal
    session = engine.open_session(request, "polling")
    may_upgrade = engine.allow_upgrades and "websocket" in engine.transports
    session.send(engine.open_packet(session, ["websocket"] if may_upgrade else []))
    refusal = await engine.ask_connect_handler(session)
    if refusal is not None:
        return refusal
    headers: Headers = [_TEXT, (b"cache-control", b"no-store")]
    if engine.cookie:
        attributes = (
            engine.cookie
            if isinstance(engine.cookie, dict)
            else {"name": engine.cookie, "path": "/", "SameSite": "Lax"}
        )
        cookie = engine._generate_sid_cookie(session.sid, attributes)
        headers.append((b"set-cookie", cookie.encode()))
    return 200, headers, _packets(engine, session)


async def _poll(engine: "DirectEngine", session: "Session", receive: Receive) -> "Refusal | None":
    if session.poll is not None:
        session.poll.set_result(["1"])
        session.end("duplicate poll")
        return engine.error(3)
    if not session.pending:
        if session.probe is not None and session.probe.probed:
            return 200, [_TEXT], b"6"
        answer = await _wait(engine, session, receive)
        if answer is None:
            return None
        if answer:
            return 200, [_TEXT], join_polling(answer)
    return 200, [_TEXT, (b"cache-control", b"no-store")], _packets(engine, session)


async def _wait(engine: "DirectEngine", session: "Session", receive: Receive) -> list[str] | None:
    """Wait for something to send. An empty list means "look at the buffer", None that
    the client hung up (the session has ended then)."""
    loop = asyncio.get_running_loop()
    poll = session.poll = loop.create_future()
    hang_up = loop.create_task(_until_hang_up(receive))
    try:
        await asyncio.wait((poll, hang_up), return_when=asyncio.FIRST_COMPLETED)
    finally:
        session.poll = None
        hang_up.cancel()
    if not poll.done():
        session.end(engine.reason.TRANSPORT_CLOSE)
        return None
    return poll.result() or []


async def _until_hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _packets(engine: "DirectEngine", session: "Session") -> bytes:
    packets = session.take_poll()
    engine.stats.polling_packets_out += len(packets)
    return join_polling(packets)


async def _post(
    engine: "DirectEngine", session: "Session", request: Request, receive: Receive
) -> "Refusal | None":
    try:
        body = await _read_body(request, receive, session.max_message_bytes)
    except BodyTooLarge:
        session.shut("payload too large")
        return 413, [_TEXT], b"Payload too large"
    except ClientGone:
        return None
    if session.closed:
        return engine.error(1)
    try:
        packets = _split(body)
    except ValueError:
        session.end("parse error")
        return engine.error(3)
    for packet in packets:
        if session.closed:
            break
        if packet[:1] == b"b":
            try:
                session.receive_binary(base64.b64decode(packet[1:], validate=True))
            except binascii.Error:
                session.end("parse error")
        else:
            session.receive(packet)
    await engine.until_handled(session)
    if session.closed and packets[-1] != b"1":
        return engine.error(3)
    return 200, [_TEXT], b"ok"


def _split(body: bytes) -> list[bytes]:
    """Return the packets of a POST body.

    Raises:
        ValueError: It is empty, not UTF-8, or holds too many packets.
    """
    body.decode()
    if body.startswith(b"d="):
        body = parse_qs(body.decode())["d"][0].replace("\\n", "\n").encode()
    packets = body.split(b"\x1e")
    if len(packets) > MAX_POST_PACKETS or not all(packets):
        raise ValueError("empty packet or too many packets")
    return packets


async def _read_body(request: Request, receive: Receive, max_bytes: int) -> bytes:
    length = request.header(b"content-length")
    if length is not None and length.isdigit() and int(length) > max_bytes:
        raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > max_bytes:
            raise BodyTooLarge
        if not message.get("more_body"):
            return b"".join(chunks)


def _wrap_jsonp(query: dict[str, list[str]], body: bytes) -> bytes:
    index = query.get("j", [""])[0]
    if not index.isdigit():
        return body
    return f"___eio[{index}](".encode() + DEFAULT_CODEC.encode(body.decode()) + b");"


def _cors(engine: "DirectEngine", request: Request) -> Headers:
    if engine.cors_allowed_origins == [] or request.header(b"origin") is None:
        return []
    headers = engine._cors_headers(request.environ())
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


def _compress(engine: "DirectEngine", request: Request, headers: Headers, body: bytes) -> bytes:
    if not engine.http_compression or len(body) < engine.compression_threshold:
        return body
    if "gzip" not in (request.header(b"accept-encoding") or ""):
        return body
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
    return compressor.compress(body) + compressor.flush()
