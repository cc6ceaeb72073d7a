"""All rules: records first, then what alerts, by who would look at it."""

from typing import Any

from grafana.alerts import channel, connections, delivery, platform
from grafana.alerts.rule import Alert, Durations, Record, as_written

RECORDS: tuple[Record, ...] = delivery.RECORDS
ALERTS: tuple[Alert, ...] = (
    *delivery.ALERTS,
    *connections.ALERTS,
    *platform.ALERTS,
    *channel.ALERTS,
)


def rule_file(durations: Durations = as_written) -> dict[str, Any]:
    """Return the rule file of Prometheus; a test passes shorter durations."""
    return {
        "groups": [
            {"name": "pytake-records", "rules": [one.as_rule(durations) for one in RECORDS]},
            {"name": "pytake-alerts", "rules": [one.as_rule(durations) for one in ALERTS]},
        ]
    }
