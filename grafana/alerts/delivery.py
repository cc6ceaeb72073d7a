"""Whether messages reach people in time, and what stands in their way."""

from grafana import thresholds as at
from grafana.alerts.rule import Alert, Record

_BY = "by (namespace, job)"


def _slow_ratio(window: str) -> Record:
    slow = f'pytake_message_delivery_seconds_bucket{{event="message:new",le="0.1"}}[{window}]'
    every = f'pytake_message_delivery_seconds_count{{event="message:new"}}[{window}]'
    return Record(
        f"pytake:delivery_slow:ratio_rate{window}",
        f"1 - sum {_BY} (rate({slow})) / sum {_BY} (rate({every}))",
    )


def _burns(rates: tuple[tuple[str, str, float, str, str], ...]) -> str:
    return " or ".join(
        f"(pytake:delivery_slow:ratio_rate{long} > {factor:g} * {at.ERROR_BUDGET:g} and "
        f"pytake:delivery_slow:ratio_rate{short} > {factor:g} * {at.ERROR_BUDGET:g})"
        for long, short, factor, _, _ in rates
    )


_BROKER_DOWN = f"""count {_BY} (pytake_broker_up == 0) / count {_BY} (pytake_broker_up)
        >= {at.BROKER_DOWN_SHARE}"""

RECORDS = tuple(_slow_ratio(window) for window in at.RECORDED_WINDOWS)

ALERTS = (
    Alert(
        "PytakeDeliverySloBurnFast",
        _burns(at.BURN_RATES[:1]),
        at.BURN_RATES[0][3],
        "critical",
        "Messages arrive late: the month's error budget would be gone in two days.",
        "{{ $value | humanizePercentage }} of message:new took longer than 100 ms.",
    ),
    Alert(
        "PytakeDeliverySloBurnSlow",
        _burns(at.BURN_RATES[1:2]),
        at.BURN_RATES[1][3],
        "warning",
        "Messages have been arriving late for hours.",
        "{{ $value | humanizePercentage }} of message:new took longer than 100 ms.",
    ),
    Alert(
        "PytakeDeliverySloBudgetAtRisk",
        _burns(at.BURN_RATES[2:]),
        at.BURN_RATES[2][3],
        "warning",
        "At this pace the month ends without error budget.",
        "{{ $value | humanizePercentage }} of message:new took longer than 100 ms.",
    ),
    Alert(
        "PytakeDeliveriesUnconfirmed",
        f"""sum {_BY} (rate(pytake_unconfirmed_events_total[5m]))
        / sum {_BY} (rate(pytake_sampled_events_total[5m])) > {at.UNCONFIRMED_RATIO}""",
        "5m",
        "warning",
        "Clients do not confirm what was sent to them.",
        "{{ $value | humanizePercentage }} of the sampled events had no receipt within 5 s.",
    ),
    Alert(
        "PytakeHolesHealed",
        f"""sum {_BY} (rate(pytake_holes_healed_total[10m]))
        / sum {_BY} (rate(pytake_events_sent_total{{event="message:new"}}[10m]))
        > {at.HEALED_RATIO} and sum {_BY} (rate(pytake_holes_healed_total[10m])) > 0.1""",
        "10m",
        "warning",
        "The broker loses events; pods read them from the store, which costs time.",
        "{{ $value | humanizePercentage }} of the events had to be read from the store.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeBrokerDown",
        _BROKER_DOWN,
        "1m",
        "critical",
        "Redis is away: messages take the slow way through the database.",
        "{{ $value | humanizePercentage }} of the links to Redis are down.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeBrokerDeaf",
        f"max by (namespace, job, pod) (pytake_broker_deaf_seconds) > {at.DEAF_SECONDS}",
        "1m",
        "critical",
        "A pod no longer hears the others although Redis answers it.",
        "{{ $labels.pod }} has not heard its own canary for {{ $value | humanizeDuration }}.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeBrokerLag",
        f"""histogram_quantile(0.99,
        sum by (namespace, job, le) (rate(pytake_broker_lag_seconds_bucket[5m])))
        > {at.BROKER_LAG_SECONDS}""",
        "5m",
        "warning",
        "Events take long through Redis.",
        "99 % take up to {{ $value | humanizeDuration }} from one pod to another.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeRelayUnheard",
        f"""min {_BY} (pytake_broker_heartbeat_age_seconds) > {at.HEARTBEAT_SECONDS}
        unless {_BY.replace("by", "on")} ({_BROKER_DOWN})""",
        "1m",
        "critical",
        "No relay is heard: none runs, or all are cut off from Redis; WhatsApp may stand still.",
        "No pod has heard a relay for {{ $value | humanizeDuration }}.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeOutboxStuck",
        f"max {_BY} (pytake_outbox_oldest_age_seconds) > {at.OUTBOX_AGE_SECONDS}",
        "2m",
        "critical",
        "Stored events are not published.",
        "The oldest one waits for {{ $value | humanizeDuration }}.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeClockSkew",
        f"""sum {_BY} (rate(pytake_clock_skew_total[10m]))
        / sum {_BY} (rate(pytake_message_delivery_seconds_count[10m]))
        > {at.SKEWED_CLOCK_RATIO}""",
        "15m",
        "info",
        "Clocks of pods differ: latencies shown here are too small.",
        "{{ $value | humanizePercentage }} of the deliveries ended before they began.",
        "pytake-pod",
    ),
)
