"""Socket.IO for Python, made fast: python-socketio's API on sockets of its own.

    from pytake.transport import AsyncServer, AsyncRedisManager, serve

    sio = AsyncServer(client_manager=AsyncRedisManager("redis://127.0.0.1"))

    @sio.event
    async def connect(sid, environ, auth): ...

    serve(sio, host="127.0.0.1", port=3000)

It promises what python-socketio promises, to handlers and to clients of any language,
and that nothing it does per recipient grows with the number of connections: a packet is
encoded and framed once, an idle client has no task and no timer of its own, and over
Redis a process receives only what its rooms need. What waits for slow clients is
bounded. It leaves to others what the events mean: it knows nothing of users,
conversations or rights, and imports nothing of ours.

A message travels: `connection` (bytes of a websocket) or `polling` (requests) →
`parser` → `session` (one Engine.IO client) → `dispatch` (in order) → handlers; and back
through `manager` → `rooms` → `frames` → `session`, where `backpressure` holds what the
client cannot take yet. `engine` and `server` are the two classes of python-engineio and
python-socketio that tie this together; `stock` runs the same on their own sockets.
"""

from pytake.transport.frames import PreparedPacket, encode_event
from pytake.transport.garbage import freeze_garbage, keep_garbage_frozen
from pytake.transport.manager import AsyncManager
from pytake.transport.redis_manager import AsyncRedisManager
from pytake.transport.serve import Server, serve, uvicorn_config
from pytake.transport.server import AsyncServer
from pytake.transport.stats import TransportStats

__all__ = [
    "AsyncManager",
    "AsyncRedisManager",
    "AsyncServer",
    "PreparedPacket",
    "Server",
    "TransportStats",
    "encode_event",
    "freeze_garbage",
    "keep_garbage_frozen",
    "serve",
    "uvicorn_config",
]
