"""Figures that are read from the things themselves when somebody asks, so they cannot drift."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytake.gateway.connection import Connection
from pytake.observability.metrics import Metrics
from pytake.transport.stats import RTT_BOUNDS_SECONDS, TransportStats

if TYPE_CHECKING:
    from pytake.gateway.pod import Gateway


def show_pod(pod: "Gateway", metrics: Metrics) -> None:
    """Let the catalogue read this pod: connections, rooms, holes, buffers, drain."""
    metrics.connections.read_from(lambda: _connections(pod))
    metrics.users.read_from(lambda: _users(pod))
    metrics.connections_limit.set(pod.options.max_connections)
    metrics.rooms.read_from(lambda: _rooms(pod))
    metrics.holes_healed.read_from(
        lambda: {("gap",): pod.rooms.holes_mended, ("heads",): pod.rooms.heads_healed}
    )
    metrics.sequencer_duplicates.read_from(lambda: pod.rooms.duplicates)
    metrics.sequencer_held.read_from(lambda: sum(room.sequencer.held for room in pod.rooms))
    metrics.send_buffer_limit_bytes.set(pod.options.send_buffer_total_bytes)
    metrics.draining.read_from(lambda: float(pod.drain_plan.is_draining))
    metrics.drain_moved.read_from(lambda: pod.drain_plan.moved)
    metrics.drain_forced_closes.read_from(lambda: pod.drain_plan.forced)
    show_transport(pod.server.stats, metrics)


def show_transport(stats: TransportStats, metrics: Metrics) -> None:
    """Let the catalogue read what the transport counts anyway."""
    metrics.send_buffer_bytes.read_from(lambda: stats.buffered_bytes)
    metrics.slow_connections.read_from(lambda: stats.slow_connections)
    metrics.dropped_frames.read_from(lambda: stats.shed_frames)
    metrics.compression_saved_bytes.read_from(lambda: stats.compressed_bytes_saved)
    metrics.unknown_session_requests.read_from(lambda: stats.unknown_sessions)
    metrics.received_bytes.read_from(
        lambda: {(transport,): size for transport, size in stats.bytes_in.items()}
    )
    metrics.sent_bytes.read_from(
        lambda: {("websocket",): stats.bytes_out, ("polling",): stats.polling_bytes_out}
    )
    metrics.transport_upgrades.read_from(
        lambda: {("ok",): stats.upgrades, ("failed",): stats.failed_upgrades}
    )
    metrics.polling_requests.read_from(lambda: _by_class(stats))
    assert metrics.ping_rtt_seconds.description.buckets == RTT_BOUNDS_SECONDS  # noqa: S101
    metrics.ping_rtt_seconds.read_from(lambda: (stats.ping_rtt_buckets, stats.ping_rtt_sum_seconds))


def seen_from_inside(connection: Connection, now: float) -> Mapping[str, Any]:
    """Return one connection as an engineer wants to see it: how far it is in each of its
    conversations, and whether it takes what is written to it.

    Args:
        connection: An open one.
        now: The time of the loop.
    """
    return {
        "sid": connection.sid,
        "user_id": connection.principal.user_id,
        "role": connection.principal.role.value,
        "transport": _carrier(connection),
        "open_seconds": round(now - connection.opened_at, 1),
        "bytes_waiting": getattr(connection.outlet, "pending_bytes", 0),
        "features": sorted(connection.features),
        "conversations": sorted(connection.joined),
        "sent": {
            conversation_id: {
                "up_to": place.room.head if connection.sid in place.room.members else place.cursor,
                "of": place.room.head,
            }
            for conversation_id, place in sorted(connection.joined.items())
        },
    }


def _carrier(connection: Connection) -> str:
    return getattr(connection.outlet, "transport_name", "websocket")


def _connections(pod: "Gateway") -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for connection in pod.registry:
        found[_carrier(connection), connection.principal.role.value] += 1
    return found


def _users(pod: "Gateway") -> Counter[tuple[str, ...]]:
    roles = {each.principal.user_id: each.principal.role.value for each in pod.registry}
    return Counter((role,) for role in roles.values())


def _rooms(pod: "Gateway") -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for room in pod.rooms:
        found["conversation",] += bool(room.members)
    for name in pod.server.manager.room_names():
        parts = str(name).split(":")
        if parts[0] != "conversation":
            kind = parts[2] if len(parts) == 3 else parts[0]
            found[kind,] += 1
    return found


def _by_class(stats: TransportStats) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for (method, status), count in stats.polling_requests.items():
        found[method, f"{status // 100}xx"] += count
    return found
