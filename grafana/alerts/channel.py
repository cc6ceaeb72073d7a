"""Whether messages get in from WhatsApp and out to it."""

from grafana import thresholds as at
from grafana.alerts.rule import Alert

_BY = "by (namespace, job)"
_SENT = f"sum {_BY} (rate(pytake_sender_requests_total[10m]))"

ALERTS = (
    Alert(
        "PytakeWebhookSignatureFailures",
        f"""sum {_BY} (rate(pytake_webhook_requests_total{{outcome="bad_signature"}}[5m]))
        > {at.BAD_SIGNATURES_PER_SECOND}""",
        "5m",
        "warning",
        "Deliveries with a wrong signature: the app secret has changed, or somebody tries.",
        "{{ $value }} deliveries a second were refused.",
        "pytake-whatsapp",
    ),
    Alert(
        "PytakeWebhookBacklog",
        f"max {_BY} (pytake_webhook_oldest_age_seconds) > {at.WEBHOOK_AGE_SECONDS}",
        "2m",
        "critical",
        "What customers write waits before agents see it.",
        "The oldest delivery waits for {{ $value | humanizeDuration }}.",
        "pytake-whatsapp",
    ),
    Alert(
        "PytakeWebhookQuarantine",
        f"""sum {_BY} (increase(pytake_webhook_items_total{{outcome="quarantined"}}[30m])) > 0""",
        "0s",
        "warning",
        "WhatsApp sent something that we do not understand.",
        "{{ $value }} items were put aside within 30 minutes; GET /api/v1/quarantine shows them.",
        "pytake-whatsapp",
    ),
    Alert(
        "PytakeSenderStopped",
        f"""max {_BY} (pytake_sender_oldest_age_seconds) > {at.SENDER_AGE_SECONDS}
        or (max {_BY} (pytake_sender_running) == 0 and sum {_BY} (pytake_sender_pending) > 0)""",
        "2m",
        "critical",
        "Agents' messages do not leave for WhatsApp.",
        "Messages wait, and nothing has been sent.",
        "pytake-whatsapp",
    ),
    Alert(
        "PytakeSendFailures",
        f"""sum {_BY} (rate(pytake_sender_requests_total{{outcome=~"refused|error"}}[10m]))
        / {_SENT} > {at.SEND_FAILURE_RATIO} and {_SENT} > 0.05""",
        "10m",
        "warning",
        "WhatsApp refuses many messages.",
        "{{ $value | humanizePercentage }} of the messages were refused or failed.",
        "pytake-whatsapp",
    ),
)
