"""The broker over Redis: what a process opens once and hands to its parts."""

from pytake.broker.notifier import RedisRoomNotifier
from pytake.broker.redis_commands import RedisCommands
from pytake.broker.redis_feed import RedisEventFeed
from pytake.broker.redis_notes import RedisPodSignals, RedisViewerBoard
from pytake.broker.redis_publisher import RedisEventPublisher
from pytake.transport.redis_address import RedisAddress, parse_address

__all__ = [
    "RedisAddress",
    "RedisCommands",
    "RedisEventFeed",
    "RedisEventPublisher",
    "RedisPodSignals",
    "RedisRoomNotifier",
    "RedisViewerBoard",
    "parse_address",
]
