"""What things cost, as measured on one machine: tests/load/measure_costs.py writes costs.json.

All of it is processor time and memory of single processes, so it can be measured on a laptop. What
a laptop cannot show (a network between machines, a disk that others write to) is not in it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

_MEASURED = Path(__file__).with_name("costs.json")


@dataclass(frozen=True)
class Costs:
    """Microseconds of one core, kilobytes of resident memory, bytes on the wire."""

    measured_on: str
    gateway_connect_us: float
    """A handshake with token, cap and join."""
    gateway_idle_us_per_connection_second: float
    """Pings, and the share of everything that a connection makes grow."""
    gateway_message_us: float
    """A message in a pod that has members of its room, recipients apart."""
    gateway_delivery_us: float
    """One frame to one recipient."""
    gateway_event_us: float
    """An event of a client, with its acknowledgement."""
    gateway_base_mb: float
    gateway_kb_per_connection: float
    api_message_us: float
    """A POST, whole."""
    relay_message_us: float
    redis_message_us: float
    redis_connect_us: float
    postgres_message_us: float
    postgres_wal_bytes_per_message: float
    nginx_connect_us: float
    """With the TLS handshake."""
    nginx_frame_us: float
    nginx_kb_per_connection: float
    message_bytes: float
    """One `message:new` to one recipient, on the wire of the pod."""
    list_bytes: float
    """One `inbox:updated`."""


def measured() -> Costs:
    """Return what was measured last for this version."""
    return read(_MEASURED)


def read(path: Path) -> Costs:
    """Return costs from a file.

    Raises:
        ValueError: It is not one of ours; the text says what is wrong.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        return Costs(**found)
    except (OSError, json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def write(costs: Costs, path: Path = _MEASURED) -> None:
    """Keep what was measured."""
    path.write_text(json.dumps(asdict(costs), indent=2) + "\n", "utf-8")
