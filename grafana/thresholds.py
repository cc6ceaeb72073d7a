"""The numbers above which something is wrong: alerts fire on them, panels draw them."""

from pytake.observability.metrics import SLO_SECONDS, SLO_TARGET

ERROR_BUDGET = round(1 - SLO_TARGET, 6)
DELIVERY_SECONDS = SLO_SECONDS

# Multi-window burn rates of the SRE workbook, as kubernetes-mixin has them.
BURN_RATES = (
    # long, short, factor, for, severity
    ("1h", "5m", 14.4, "2m", "critical"),
    ("6h", "30m", 6.0, "15m", "warning"),
    ("1d", "2h", 3.0, "1h", "warning"),
    ("3d", "6h", 1.0, "3h", "warning"),
)
RECORDED_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

RECONNECT_STORM = 0.02
"""Reconnects per second and connection: everybody within 50 s."""

RECONNECT_ELEVATED = 0.002
AUTH_ERROR_RATIO = 0.1
REJECTIONS_PER_SECOND = 0.2
UNCONFIRMED_RATIO = 0.01
BROKER_DOWN_SHARE = 0.5
DEAF_SECONDS = 10
BROKER_LAG_SECONDS = 0.5
HEARTBEAT_SECONDS = 15
OUTBOX_AGE_SECONDS = 30
HEALED_RATIO = 0.01
SATURATION = 0.8
SKEW = 2
LOOP_LAG_SECONDS = 0.1
SLOW_CONSUMER_RATE = 0.0005
CAP_EVICTIONS_PER_SECOND = 0.5
CAP_EVICTIONS_GROWTH = 3
UNKNOWN_SESSIONS_PER_SECOND = 1
UNKNOWN_SESSIONS_RATIO = 0.05
POLLING_SHARE = 0.3
CERTIFICATE_DAYS = 7
BAD_SIGNATURES_PER_SECOND = 0.05
WEBHOOK_AGE_SECONDS = 60
SENDER_AGE_SECONDS = 120
SEND_FAILURE_RATIO = 0.1
HTTP_ERROR_RATIO = 0.05
BUFFER_SHARE = 0.8
SKEWED_CLOCK_RATIO = 0.01
LEAST_CONNECTIONS = 50
"""Below so many connections a ratio says nothing."""
