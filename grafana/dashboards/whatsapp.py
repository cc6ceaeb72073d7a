"""Do messages get in from customers and out to them?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds as at
from grafana.panels import board, graph, heat, quantile, rate, row


def whatsapp() -> Dashboard:
    found = board("pytake-whatsapp", "The channel: deliveries in, messages out.")
    found.with_row(row("Do customers' messages get in?"))
    found.with_panel(
        graph(
            "What does WhatsApp deliver?",
            (rate("pytake_webhook_requests_total", by="outcome"), "{{outcome}}"),
            unit="reqps",
            description="The line is the alert for bad signatures.",
            limit=at.BAD_SIGNATURES_PER_SECOND,
        )
    )
    found.with_panel(
        graph(
            "How long do deliveries wait?",
            ("max(pytake_webhook_oldest_age_seconds{scope})", "oldest"),
            unit="s",
            description="Stored and answered, not worked off.",
            limit=at.WEBHOOK_AGE_SECONDS,
        )
    )
    found.with_panel(
        graph(
            "How many wait?",
            ("max(pytake_webhook_backlog{scope})", "deliveries"),
            unit="short",
            description="Falls after a burst; grows when no relay works.",
        )
    )
    found.with_panel(
        graph(
            "What was in them?",
            (
                rate("pytake_webhook_items_total", by="kind,outcome"),
                "{{kind}} {{outcome}}",
            ),
            ("sum(rate(pytake_webhook_items_total{scope}[range]))", "all"),
            unit="cps",
            description="Items in are items out: stored, repeated, ignored or put aside.",
        )
    )
    found.with_panel(
        heat(
            "How long until agents could see it?",
            "sum by (le) (increase(pytake_webhook_processing_seconds_bucket{scope}[range]))",
            unit="s",
            description="Delivery stored to its items committed.",
        )
    )
    found.with_row(row("Do agents' messages get out?"))
    found.with_panel(
        graph(
            "What does WhatsApp answer?",
            (rate("pytake_sender_requests_total", by="outcome"), "{{outcome}}"),
            unit="cps",
            description="throttled: WhatsApp limits us; unconfirmed: no answer, never sent twice.",
        )
    )
    found.with_panel(
        graph(
            "Which share fails?",
            (
                'sum(rate(pytake_sender_requests_total{scope,outcome=~"refused|error"}[range])) '
                "/ sum(rate(pytake_sender_requests_total{scope}[range]))",
                "failed",
            ),
            unit="percentunit",
            description="Refused by WhatsApp, or not reached.",
            limit=at.SEND_FAILURE_RATIO,
        )
    )
    found.with_panel(
        graph(
            "How long do messages wait to be sent?",
            ("max(pytake_sender_oldest_age_seconds{scope})", "oldest"),
            unit="s",
            description="Agents see a grey tick meanwhile.",
            limit=at.SENDER_AGE_SECONDS,
        )
    )
    found.with_panel(
        graph(
            "How many wait, and does the sender run?",
            ("max(pytake_sender_pending{scope})", "waiting"),
            ("max(pytake_sender_running{scope})", "running"),
            unit="short",
            description="Without a configured channel messages stay pending by design.",
        )
    )
    found.with_panel(
        graph(
            "How fast is the Graph API?",
            (quantile(0.5, "pytake_sender_request_duration_seconds"), "p50"),
            (quantile(0.99, "pytake_sender_request_duration_seconds"), "p99"),
            unit="s",
            description="Request to answer.",
        )
    )
    found.with_panel(
        graph(
            "How far do messages get?",
            (rate("pytake_message_statuses_total", by="status"), "{{status}}"),
            unit="cps",
            description="Status changes stored.",
        )
    )
    return found
