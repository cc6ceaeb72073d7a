"""What the head of a request says, read from its bytes."""

from pytake.transport.handshake import Request

HEAD = b"\r\n".join(
    [
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1",
        b"host: chat.example",
        b"x-forwarded-for: 10.0.0.1",
        b"cookie: host: not-a-header",
        b"x-forwarded-for:  10.0.0.2 ",
        b"content-type: text/plain",
        b"origin: https://chat.example",
    ]
)


def request() -> Request:
    return Request(HEAD, ("127.0.0.1", 50_000), ("127.0.0.1", 8000), "http")


def test_a_header_is_found_and_several_of_one_name_are_joined() -> None:
    assert request().header(b"host") == "chat.example"
    assert request().header(b"x-forwarded-for") == "10.0.0.1,10.0.0.2"
    assert request().header(b"origin") == "https://chat.example"
    assert request().header(b"forwarded-for") is None
    assert request().header(b"get /socket.io/?eio=4&transport=websocket http/1.1") is None


def test_the_environ_and_the_scope_say_the_same() -> None:
    environ = request().environ()

    assert environ["HTTP_X_FORWARDED_FOR"] == "10.0.0.1,10.0.0.2"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert environ["HTTP_COOKIE"] == "host: not-a-header"
    assert environ["asgi.scope"]["headers"] == request().headers()
    assert environ["QUERY_STRING"] == "EIO=4&transport=websocket"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
