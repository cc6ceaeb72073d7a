"""For each alert what makes it fire, and what looks alike and must not wake anybody.

Values are in promtool's notation, a sample a minute: `0+60x30` begins at 0 and grows by 60
a minute, `7x30` stays at 7, `_x5` is absent.
"""

from dataclasses import dataclass

Series = dict[str, str]
"""Metric with labels → values."""

HOUR = 60
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Case:
    """`at` is the minute at which the alert fires or stays silent."""

    alert: str
    fires: Series
    silent: Series
    at: int = 30


def of(metric: str, **labels: str) -> str:
    """Return a series of one pod of the job; labels override."""
    every = {"namespace": "chat", "job": "pytake", "pod": "a", **labels}
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in every.items()) + "}"


def counted(per_minute: float, minutes: int = 60) -> str:
    return f"0+{per_minute:g}x{minutes}"


def steady(value: float, minutes: int = 60) -> str:
    return f"{value:g}x{minutes}"


def delivered(slow_per_minute: float, all_per_minute: float, minutes: int = 60) -> Series:
    """message:new deliveries, some of them above 100 ms."""
    labels = {"event": "message:new", "path": "remote"}
    name = "pytake_message_delivery_seconds"
    fast = all_per_minute - slow_per_minute
    return {
        of(f"{name}_bucket", le="0.1", **labels): counted(fast, minutes),
        of(f"{name}_bucket", le="+Inf", **labels): counted(all_per_minute, minutes),
        of(f"{name}_count", **labels): counted(all_per_minute, minutes),
    }


def spread(metric: str, fast_per_minute: float, slow_per_minute: float) -> Series:
    """A histogram with observations below 50 ms and at about 700 ms."""
    every = fast_per_minute + slow_per_minute
    return {
        of(f"{metric}_bucket", le="0.05"): counted(fast_per_minute),
        of(f"{metric}_bucket", le="0.5"): counted(fast_per_minute),
        of(f"{metric}_bucket", le="1"): counted(every),
        of(f"{metric}_bucket", le="+Inf"): counted(every),
    }


CONNECTIONS = of("pytake_connections", transport="websocket", role="agent")
POLLING = of("pytake_connections", transport="polling", role="agent")
NETWORK = of("pytake_reconnects_total", cause="network")
DRAIN = of("pytake_reconnects_total", cause="server_drain")
OPENED = of("pytake_connections_opened_total", transport="websocket", resumed="no")
BAD_TOKEN = of("pytake_connections_rejected_total", reason="invalid_token")
FULL = of("pytake_connections_rejected_total", reason="overloaded")
NEW_SENT = of("pytake_events_sent_total", event="message:new")
HEALED = of("pytake_holes_healed_total", found_by="gap")
PUBLISH = of("pytake_broker_up", link="publish")
SUBSCRIBE = of("pytake_broker_up", link="subscribe")
FAR_SUBSCRIBE = of("pytake_broker_up", link="subscribe", pod="b")
HEARTBEAT = of("pytake_broker_heartbeat_age_seconds")
LIMIT, DRAINING = of("pytake_connections_limit"), of("pytake_draining")
SLOW = of("pytake_connections_closed_total", reason="slow_consumer")
LEFT = of("pytake_connections_closed_total", reason="client")
EVICTED = of("pytake_user_cap_evictions_total", role="agent")
UNKNOWN = of("pytake_unknown_session_requests_total")
POLLED = of("pytake_polling_requests_total", method="GET", code_class="2xx")
FAILED = of("pytake_http_requests_total", method="GET", route="/conversations", code_class="5xx")
SERVED = of("pytake_http_requests_total", method="GET", route="/conversations", code_class="2xx")
FORGED = of("pytake_webhook_requests_total", outcome="bad_signature")
ACCEPTED = of("pytake_webhook_requests_total", outcome="accepted")
REFUSED_SEND = of("pytake_sender_requests_total", outcome="refused")
SENT = of("pytake_sender_requests_total", outcome="accepted")


def up(**components: int) -> Series:
    return {of("up", pod=name, component=name): steady(value) for name, value in components.items()}


def pods(*connections: int) -> Series:
    """One gateway per figure, each with room for 5,000."""
    series: Series = {}
    for number, count in enumerate(connections):
        pod = f"gateway-{number}"
        labels = {"transport": "websocket", "role": "agent", "pod": pod}
        series[of("pytake_connections", **labels)] = steady(count)
        series[of("pytake_connections_limit", pod=pod)] = steady(5000)
    return series


CASES = (
    # --- delivery ------------------------------------------------------------------------
    Case("PytakeDeliverySloBurnFast", delivered(20, 100, 90), delivered(5, 100, 90), at=75),
    Case("PytakeDeliverySloBurnSlow", delivered(8, 100, 500), delivered(3, 100, 500), at=480),
    Case(
        "PytakeDeliverySloBudgetAtRisk",
        delivered(4, 100, 2 * DAY),
        delivered(0.5, 100, 2 * DAY),
        at=2 * DAY - 10,
    ),
    Case(
        "PytakeDeliveriesUnconfirmed",
        {
            of("pytake_unconfirmed_events_total", stopped_at="written"): counted(6),
            of("pytake_sampled_events_total"): counted(60),
        },
        {
            of("pytake_unconfirmed_events_total", stopped_at="written"): counted(0.1),
            of("pytake_sampled_events_total"): counted(60),
        },
    ),
    Case(
        "PytakeHolesHealed",
        {HEALED: counted(30), NEW_SENT: counted(1000)},
        {HEALED: counted(2), NEW_SENT: counted(1000)},
    ),
    Case(
        "PytakeBrokerDown",
        {PUBLISH: steady(0), SUBSCRIBE: steady(0)},
        {
            PUBLISH: steady(1),
            SUBSCRIBE: steady(1),
            FAR_SUBSCRIBE: steady(0),
        },
    ),
    Case(
        "PytakeBrokerDeaf",
        {of("pytake_broker_deaf_seconds"): "0+60x30"},
        {of("pytake_broker_deaf_seconds"): steady(3)},
    ),
    Case(
        "PytakeBrokerLag",
        spread("pytake_broker_lag_seconds", 90, 10),
        spread("pytake_broker_lag_seconds", 10_000, 10),
    ),
    Case(
        "PytakeRelayUnheard",
        # One link of one pod is down: that does not explain why nobody hears a relay.
        {HEARTBEAT: "0+60x30", PUBLISH: steady(1), SUBSCRIBE: steady(1), FAR_SUBSCRIBE: steady(0)},
        # Redis is away for half: PytakeBrokerDown says so.
        {HEARTBEAT: "0+60x30", PUBLISH: steady(1), SUBSCRIBE: steady(0)},
    ),
    Case(
        "PytakeOutboxStuck",
        {of("pytake_outbox_oldest_age_seconds"): "0+60x30"},
        {of("pytake_outbox_oldest_age_seconds"): steady(2)},
    ),
    Case(
        "PytakeClockSkew",
        {of("pytake_clock_skew_total"): counted(20), **delivered(0, 1000)},
        {of("pytake_clock_skew_total"): counted(1), **delivered(0, 1000)},
    ),
    # --- connections ---------------------------------------------------------------------
    Case(
        "PytakeReconnectStorm",
        {NETWORK: counted(3000), CONNECTIONS: steady(1000)},
        # A few clients on a quiet night are no storm, whatever the ratio.
        {NETWORK: counted(20), CONNECTIONS: steady(4)},
    ),
    Case(
        "PytakeReconnectElevated",
        {NETWORK: counted(300), CONNECTIONS: steady(1000)},
        # A rollout moves everybody: meant, and not the network's fault.
        {DRAIN: counted(300), CONNECTIONS: steady(1000)},
    ),
    Case(
        "PytakeAuthErrorRatio",
        {BAD_TOKEN: counted(60), OPENED: counted(200)},
        {FULL: counted(60), BAD_TOKEN: counted(1), OPENED: counted(200)},
    ),
    Case(
        "PytakeConnectionSaturation",
        {CONNECTIONS: steady(4500), LIMIT: steady(5000), DRAINING: steady(0)},
        {CONNECTIONS: steady(3500), LIMIT: steady(5000), DRAINING: steady(0)},
    ),
    Case("PytakeConnectionSkew", pods(3000, 100, 100), pods(1100, 900, 1000), at=45),
    Case(
        "PytakeSlowConsumersDropped",
        {SLOW: counted(60), CONNECTIONS: steady(1000)},
        {SLOW: counted(1), LEFT: counted(500), CONNECTIONS: steady(1000)},
    ),
    Case(
        "PytakeSendBuffersFull",
        {
            of("pytake_send_buffer_bytes"): steady(9e7),
            of("pytake_send_buffer_limit_bytes"): steady(1e8),
        },
        {
            of("pytake_send_buffer_bytes"): steady(1e7),
            of("pytake_send_buffer_limit_bytes"): steady(1e8),
        },
    ),
    Case(
        "PytakeCapEvictionsSpike",
        {EVICTED: f"0x{DAY} 0+120x120"},
        {EVICTED: counted(120, 2 * DAY)},
        at=DAY + 60,
    ),
    Case(
        "PytakeStickinessBroken",
        {UNKNOWN: counted(600), POLLED: counted(1200)},
        # Clients of a pod that was killed: a few, among many good requests.
        {UNKNOWN: counted(80), POLLED: counted(60_000)},
    ),
    Case(
        "PytakeWebsocketUpgradeFailing",
        {POLLING: steady(400), CONNECTIONS: steady(600)},
        {POLLING: steady(10), CONNECTIONS: steady(20)},
    ),
    Case(
        "PytakeDrainTimedOut",
        {of("pytake_drain_forced_closes_total"): "0x25 12x30"},
        {of("pytake_drain_forced_closes_total"): steady(0)},
    ),
    Case(
        "PytakeCertificateExpiry",
        {of("probe_ssl_earliest_cert_expiry", instance="chat.example"): steady(5 * 86_400, 200)},
        {of("probe_ssl_earliest_cert_expiry", instance="chat.example"): steady(30 * 86_400, 200)},
        at=120,
    ),
    # --- platform ------------------------------------------------------------------------
    Case("PytakeTargetsMissing", up(gateway=1, api=0, relay=1), up(gateway=1, api=1, relay=1)),
    Case(
        "PytakeNotReady",
        {of("pytake_ready"): steady(0), DRAINING: steady(0)},
        {of("pytake_ready"): steady(0), DRAINING: steady(1)},
    ),
    Case(
        "PytakeEventLoopLag",
        spread("pytake_event_loop_lag_seconds", 500, 100),
        spread("pytake_event_loop_lag_seconds", 600, 1),
    ),
    Case(
        "PytakeDatabaseDown",
        {of("pytake_store_up"): steady(0), of("pytake_store_up", pod="b"): steady(1)},
        {
            of("pytake_store_up"): steady(0),
            of("pytake_store_up", pod="b"): steady(1),
            of("pytake_store_up", pod="c"): steady(1),
        },
    ),
    Case(
        "PytakeHttpErrors",
        {FAILED: counted(60), SERVED: counted(600)},
        # One failure a quarter of an hour in a quiet night is no outage.
        {FAILED: "0x10 1x50", SERVED: counted(0.2)},
    ),
    Case(
        "PytakeUnhandledErrors",
        {of("pytake_unhandled_errors_total", where="event"): "0x25 1x30"},
        {of("pytake_unhandled_errors_total", where="event"): steady(0)},
    ),
    # --- WhatsApp ------------------------------------------------------------------------
    Case(
        "PytakeWebhookSignatureFailures",
        {FORGED: counted(10), ACCEPTED: counted(100)},
        {FORGED: "0x10 1x50", ACCEPTED: counted(100)},
    ),
    Case(
        "PytakeWebhookBacklog",
        {of("pytake_webhook_oldest_age_seconds"): "0+60x30"},
        {of("pytake_webhook_oldest_age_seconds"): steady(5)},
    ),
    Case(
        "PytakeWebhookQuarantine",
        {of("pytake_webhook_items_total", kind="other", outcome="quarantined"): "0x20 1x40"},
        {of("pytake_webhook_items_total", kind="message", outcome="stored"): counted(60)},
    ),
    Case(
        "PytakeSenderStopped",
        {of("pytake_sender_running"): steady(0), of("pytake_sender_pending"): steady(3)},
        # Nothing to send: that it does not run hurts nobody.
        {of("pytake_sender_running"): steady(0), of("pytake_sender_pending"): steady(0)},
    ),
    Case(
        "PytakeSendFailures",
        {REFUSED_SEND: counted(10), SENT: counted(30)},
        {REFUSED_SEND: counted(1), SENT: counted(100)},
    ),
)
