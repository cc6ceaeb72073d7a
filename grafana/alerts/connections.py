"""Whether people can connect and stay connected."""

from grafana import thresholds as at
from grafana.alerts.rule import Alert

_BY = "by (namespace, job)"
_CONNECTIONS = f"sum {_BY} (pytake_connections)"
_REJECTED = f"sum {_BY} (rate(pytake_connections_rejected_total[5m]))"
_UNKNOWN = f"sum {_BY} (rate(pytake_unknown_session_requests_total[3m]))"
_EVICTED = "pytake_user_cap_evictions_total"
_PER_POD = "sum by (namespace, job, pod) (pytake_connections)"

ALERTS = (
    Alert(
        "PytakeReconnectStorm",
        f"""sum {_BY} (rate(pytake_reconnects_total[2m]))
        / clamp_min({_CONNECTIONS}, {at.LEAST_CONNECTIONS}) > {at.RECONNECT_STORM}""",
        "2m",
        "critical",
        "Connections break all over and come back at once.",
        "{{ $value | humanizePercentage }} of the connections reconnect every second.",
    ),
    Alert(
        "PytakeReconnectElevated",
        f"""sum {_BY} (rate(pytake_reconnects_total{{cause!="server_drain"}}[10m]))
        / clamp_min({_CONNECTIONS}, {at.LEAST_CONNECTIONS}) > {at.RECONNECT_ELEVATED}""",
        "15m",
        "warning",
        "Connections break more often than they should.",
        "{{ $value | humanizePercentage }} of the connections reconnect every second.",
    ),
    Alert(
        "PytakeAuthErrorRatio",
        f"""sum {_BY} (rate(pytake_connections_rejected_total{{
        reason=~"invalid_token|token_expired|token_revoked"}}[5m]))
        / (sum {_BY} (rate(pytake_connections_opened_total[5m])) + {_REJECTED})
        > {at.AUTH_ERROR_RATIO} and {_REJECTED} > {at.REJECTIONS_PER_SECOND}""",
        "5m",
        "warning",
        "Handshakes are refused because of their tokens.",
        "{{ $value | humanizePercentage }} of the handshakes have a bad or expired token.",
    ),
    Alert(
        "PytakeConnectionSaturation",
        f"""{_CONNECTIONS} / sum {_BY} (pytake_connections_limit
        and on (namespace, pod) (pytake_draining == 0)) > {at.SATURATION}""",
        "5m",
        "warning",
        "The gateways are nearly full.",
        "{{ $value | humanizePercentage }} of the places are taken.",
        "pytake-pod",
    ),
    Alert(
        "PytakeConnectionSkew",
        f"""max {_BY} ({_PER_POD}) > {at.SKEW} * avg {_BY} ({_PER_POD} and on (namespace, pod)
        pytake_connections_limit > 0) and {_CONNECTIONS} > 500""",
        "30m",
        "info",
        "One pod carries far more connections than the others.",
        "The fullest pod has {{ $value }} connections, more than twice the average.",
        "pytake-pod",
    ),
    Alert(
        "PytakeSlowConsumersDropped",
        f"""sum {_BY} (rate(pytake_connections_closed_total{{reason="slow_consumer"}}[5m]))
        / clamp_min({_CONNECTIONS}, {at.LEAST_CONNECTIONS}) > {at.SLOW_CONSUMER_RATE}""",
        "5m",
        "warning",
        "Connections are closed because they do not read fast enough.",
        "{{ $value | humanizePercentage }} of the connections are dropped every second.",
    ),
    Alert(
        "PytakeSendBuffersFull",
        f"""pytake_send_buffer_bytes / (pytake_send_buffer_limit_bytes > 0)
        > {at.BUFFER_SHARE}""",
        "1m",
        "warning",
        "A pod is about to close connections to keep its memory.",
        "{{ $labels.pod }} holds {{ $value | humanizePercentage }} of what may wait.",
        "pytake-pod",
    ),
    Alert(
        "PytakeCapEvictionsSpike",
        f"""sum {_BY} (rate({_EVICTED}[10m]))
        > {at.CAP_EVICTIONS_GROWTH} * sum {_BY} (rate({_EVICTED}[1h] offset 1d))
        and sum {_BY} (rate({_EVICTED}[10m])) > {at.CAP_EVICTIONS_PER_SECOND}""",
        "10m",
        "info",
        "Many connections give way to newer ones of the same user.",
        "{{ $value }} evictions a second, three times as many as yesterday.",
    ),
    Alert(
        "PytakeStickinessBroken",
        f"""{_UNKNOWN} > {at.UNKNOWN_SESSIONS_PER_SECOND}
        and {_UNKNOWN} > {at.UNKNOWN_SESSIONS_RATIO}
        * sum {_BY} (rate(pytake_polling_requests_total[3m]))""",
        "3m",
        "critical",
        "Polling clients cannot connect: their requests reach different pods.",
        "{{ $value }} requests a second name a session that the pod does not have.",
    ),
    Alert(
        "PytakeWebsocketUpgradeFailing",
        f"""sum {_BY} (pytake_connections{{transport="polling"}}) / {_CONNECTIONS}
        > {at.POLLING_SHARE} and {_CONNECTIONS} > 100""",
        "10m",
        "warning",
        "Many clients stay on polling: WebSocket does not get through.",
        "{{ $value | humanizePercentage }} of the connections use polling.",
    ),
    Alert(
        "PytakeDrainTimedOut",
        f"sum {_BY} (increase(pytake_drain_forced_closes_total[10m])) > 0",
        "0s",
        "warning",
        "A pod ended before its connections had moved.",
        "{{ $value }} connections were cut at the end of a drain.",
        "pytake-rollout",
    ),
    Alert(
        "PytakeCertificateExpiry",
        f"""min by (exported_namespace, name) (certmanager_certificate_expiration_timestamp_seconds)
        - time() < {at.CERTIFICATE_DAYS} * 86400
        or min by (instance) (probe_ssl_earliest_cert_expiry) - time()
        < {at.CERTIFICATE_DAYS} * 86400""",
        "1h",
        "critical",
        "A certificate is about to end; then nobody can connect.",
        "It ends in {{ $value | humanizeDuration }}.",
        "pytake-backplane",
    ),
)
