"""The smallest honest chat server on `pytake.transport`, for comparisons with its peers.

    python tests/load/peers/transport_peer.py PORT

It does what the peers of the yardstick do: verifies an HS256 token, joins a room, acknowledges
a ping, and broadcasts a message of 372 bytes. Environment: SECRET, MANAGER=mem|redis,
REDIS_URL, DIRECT=0 for stock sockets, THRESHOLD (bytes from which frames are compressed).
"""

import asyncio
import gc
import os
import sys
import time
import uuid
from typing import Any

import jwt

from pytake.transport import (
    AsyncRedisManager,
    AsyncServer,
    Server,
    keep_garbage_frozen,
    uvicorn_config,
)

SECRET = os.environ.get("SECRET", "bench-secret-bench-secret-bench-secret")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6390/0")


def make_server() -> AsyncServer:
    redis = os.environ.get("MANAGER") == "redis"
    return AsyncServer(
        client_manager=AsyncRedisManager(REDIS_URL) if redis else None,
        direct=os.environ.get("DIRECT") != "0",
        compression_threshold=int(os.environ.get("THRESHOLD", "1024")),
        cors_allowed_origins="*",
    )


def register(sio: AsyncServer) -> None:
    @sio.on("connect")
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> bool:
        try:
            claims = jwt.decode((auth or {}).get("token", ""), SECRET, algorithms=["HS256"])
        except jwt.PyJWTError:
            return False
        session = {key: claims.get(name) for key, name in (("user_id", "sub"), ("role", "role"))}
        await sio.save_session(sid, session)
        await sio.emit("connected", {"user_id": claims["sub"]}, to=sid)
        return True

    @sio.on("join_conversation")
    async def join_conversation(sid: str, data: dict[str, str]) -> None:
        await sio.enter_room(sid, room_of(data))
        await sio.emit("joined_conversation", data, to=sid)

    @sio.on("ping")
    async def ping(sid: str, data: Any = None) -> dict[str, float]:
        return {"timestamp": time.time()}

    @sio.on("bench:send")
    async def send(sid: str, data: dict[str, str]) -> None:
        await sio.emit("message:new", message_of(data), room=room_of(data))

    @sio.on("bench:gc")
    async def garbage(sid: str, data: Any = None) -> dict[str, Any]:
        """Objects that the collector tracks, and how long a full collection stops us."""
        objects, start = len(gc.get_objects()), time.perf_counter()
        gc.collect()
        pause = (time.perf_counter() - start) * 1000
        return {"objects": objects, "full_ms": pause, "stats": gc.get_stats()[2]}


def room_of(data: dict[str, str]) -> str:
    return "conversation:" + data["conversation_id"]


def message_of(data: dict[str, str]) -> dict[str, str]:
    return {
        "id": str(uuid.uuid4()),
        "conversation_id": data["conversation_id"],
        "direction": "inbound",
        "type": "text",
        "content": data["content"],
        "sender_id": "6ae9ebac-0000-4000-8000-000000000001",
        "status": "received",
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
    }


async def main(port: int) -> None:
    sio = make_server()
    register(sio)
    freezing = asyncio.create_task(keep_garbage_frozen())
    try:
        await Server(uvicorn_config(sio, port=port), sio).serve()
    finally:
        freezing.cancel()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
