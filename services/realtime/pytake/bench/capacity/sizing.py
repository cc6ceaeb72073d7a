"""From what things cost to how many of them are needed. Plain arithmetic, one resource a line."""

import math
from dataclasses import dataclass

from pytake.bench.capacity.costs import Costs

_US = 1e-6
_TCP_AND_TLS_BYTES = 40 + 20 + 29
"""Headers of IP and TCP, and a record of TLS, for a frame of its own."""
_PING_BYTES = 2 * (_TCP_AND_TLS_BYTES + 3)


@dataclass(frozen=True)
class Demand:
    """What is asked of the platform."""

    connections: int
    messages_per_second: float
    viewers: float = 2.0
    """Connections that have the conversation of a message open."""
    list_watchers: float = 5.0
    """Connections whose inbox shows a conversation that changes: admins, the assignee, or all
    agents of the organization while nobody is assigned."""
    events_per_connection_minute: float = 2.0
    joins_per_connection_minute: float = 0.5


@dataclass(frozen=True)
class Limits:
    """What a part may be loaded with."""

    core_share: float = 0.6
    """Of a core in ordinary times; the rest is for deploys, losses and peaks."""
    pod_memory_mb: float = 1024
    pod_memory_share: float = 0.7
    connections_per_pod: int = 10_000
    ping_interval_seconds: float = 25.0


@dataclass(frozen=True)
class Part:
    """One kind of thing: how many, and why so many."""

    name: str
    count: int
    cores: float
    memory_mb_each: float
    bound_by: str


@dataclass(frozen=True)
class Sizing:
    """What a demand needs."""

    demand: Demand
    parts: tuple[Part, ...]
    postgres_commits_per_second: float
    postgres_wal_mb_per_second: float
    deliveries_per_second: float
    list_changes_per_second: float
    megabits_out: float

    def part(self, name: str) -> Part:
        """Return one of them."""
        return next(part for part in self.parts if part.name == name)


def size(demand: Demand, costs: Costs, limits: Limits | None = None) -> Sizing:
    """Return what the demand needs."""
    limits = limits or Limits()
    deliveries = demand.messages_per_second * demand.viewers
    list_changes = demand.messages_per_second * demand.list_watchers
    # A list change leaves for two rooms (admins; agents or the assignee), a message for one.
    gateway = _gateways(demand, costs, limits, deliveries + list_changes)
    frames = deliveries + list_changes + _events(demand)
    parts = (
        gateway,
        _by_cores(
            "api", demand.messages_per_second * costs.api_message_us * _US, limits, memory_mb=150
        ),
        _by_cores(
            "relay",
            demand.messages_per_second * costs.relay_message_us * _US,
            limits,
            memory_mb=150,
            least=2,
        ),
        _by_cores("Redis shard", demand.messages_per_second * costs.redis_message_us * _US, limits),
        _by_cores(
            "PostgreSQL cores",
            demand.messages_per_second * costs.postgres_message_us * _US,
            limits,
        ),
        _by_cores(
            "NGINX worker",
            frames * costs.nginx_frame_us * _US,
            limits,
            memory_mb=demand.connections * costs.nginx_kb_per_connection / 1024,
            is_total=True,
        ),
    )
    pings = demand.connections / limits.ping_interval_seconds * _PING_BYTES
    out = deliveries * (costs.message_bytes + _TCP_AND_TLS_BYTES)
    out += list_changes * (costs.list_bytes + _TCP_AND_TLS_BYTES) + pings
    return Sizing(
        demand,
        parts,
        postgres_commits_per_second=demand.messages_per_second,
        postgres_wal_mb_per_second=(
            demand.messages_per_second * costs.postgres_wal_bytes_per_message / 2**20
        ),
        deliveries_per_second=deliveries,
        list_changes_per_second=list_changes,
        megabits_out=out * 8 / 1e6,
    )


def _events(demand: Demand) -> float:
    return demand.connections * demand.events_per_connection_minute / 60


def gateway_cores(demand: Demand, costs: Costs, pods: int) -> float:
    """Return the processor time a second that all gateways use together, in ordinary times.

    A message costs each pod that has a member of its room, so it rises with the pods until
    every viewer is on a pod of his own.
    """
    touched = pods * (1 - (1 - 1 / pods) ** demand.viewers)
    joins = demand.connections * demand.joins_per_connection_minute / 60
    frames = demand.messages_per_second * (demand.viewers + demand.list_watchers)
    microseconds = (
        demand.connections * costs.gateway_idle_us_per_connection_second
        + demand.messages_per_second * touched * costs.gateway_message_us
        + frames * costs.gateway_delivery_us
        + _events(demand) * costs.gateway_event_us
        + joins * costs.gateway_connect_us / 2
    )
    return float(microseconds * _US)


def _gateways(demand: Demand, costs: Costs, limits: Limits, frames: float) -> Part:
    by_limit = math.ceil(demand.connections / limits.connections_per_pod)
    room = limits.pod_memory_mb * limits.pod_memory_share - costs.gateway_base_mb
    held = max(1, int(room * 1024 / costs.gateway_kb_per_connection))
    by_memory = math.ceil(demand.connections / held)
    pods = max(2, by_limit, by_memory)
    bound = "connections" if by_limit >= by_memory else "memory"
    while gateway_cores(demand, costs, pods) / pods > limits.core_share:
        pods += 1
        bound = "processor"
    # One may be away without the others being above their limit of connections.
    if bound == "connections":
        pods += 1
    memory = (
        costs.gateway_base_mb + demand.connections / pods * costs.gateway_kb_per_connection / 1024
    )
    return Part("gateway", pods, gateway_cores(demand, costs, pods), memory, bound)


def _by_cores(
    name: str,
    cores: float,
    limits: Limits,
    memory_mb: float = 0,
    least: int = 1,
    is_total: bool = False,
) -> Part:
    count = max(least, math.ceil(cores / limits.core_share))
    each = memory_mb / count if is_total else memory_mb
    return Part(name, count, cores, each, "processor" if cores else "–")
