"""Rooms and delivery over several processes, through Redis."""

import socketio

from pytake.transport.manager import AsyncManager


class AsyncRedisManager(socketio.AsyncRedisManager, AsyncManager):  # type: ignore[misc]
    """python-socketio's Redis manager with local delivery on the room index."""
