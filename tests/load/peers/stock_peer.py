"""Stock python-socketio as the peer of the comparison: the same events as transport_peer.py.

uvicorn stock_peer:app. Environment: SECRET, MANAGER=redis (else in memory), REDIS_URL.
"""

import os
import time
import uuid
from typing import Any

import jwt
import socketio

SECRET = os.environ["SECRET"]

manager = None
if os.environ.get("MANAGER") == "redis":
    manager = socketio.AsyncRedisManager(os.environ["REDIS_URL"])
sio = socketio.AsyncServer(async_mode="asgi", client_manager=manager, cors_allowed_origins="*")
app = socketio.ASGIApp(sio)


@sio.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: dict[str, Any], auth: Any) -> bool:
    try:
        claims = jwt.decode((auth or {}).get("token", ""), SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        return False
    await sio.save_session(sid, {"user_id": claims["sub"], "role": claims["role"]})
    await sio.emit("connected", {"user_id": claims["sub"]}, to=sid)
    return True


@sio.event  # type: ignore[untyped-decorator]
async def join_conversation(sid: str, data: dict[str, str]) -> None:
    await sio.enter_room(sid, room_of(data))
    await sio.emit("joined_conversation", data, to=sid)


@sio.event  # type: ignore[untyped-decorator]
async def ping(sid: str, data: Any = None) -> dict[str, float]:
    return {"timestamp": time.time()}


@sio.on("bench:send")  # type: ignore[untyped-decorator]
async def send(sid: str, data: dict[str, str]) -> None:
    message = {
        "id": str(uuid.uuid4()),
        "conversation_id": data["conversation_id"],
        "direction": "inbound",
        "type": "text",
        "content": data["content"],
        "sender_id": "6ae9ebac-0000-4000-8000-000000000001",
        "status": "received",
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
    }
    await sio.emit("message:new", message, room=room_of(data))


def room_of(data: dict[str, str]) -> str:
    return "conversation:" + data["conversation_id"]
