"""Whether the processes run, answer, and reach what they need."""

from grafana import thresholds as at
from grafana.alerts.rule import Alert

_BY = "by (namespace, job)"


def _missing(component: str) -> str:
    # `dev` is all of them in one process.
    return (
        f'label_replace(absent(up{{job="pytake",component=~"{component}|dev"}} == 1), '
        f'"component", "{component}", "", "")'
    )


ALERTS = (
    Alert(
        "PytakeTargetsMissing",
        " or ".join(_missing(component) for component in ("gateway", "api", "relay")),
        "5m",
        "critical",
        "Prometheus sees no {{ $labels.component }}: it is down, or nobody watches it.",
        "No target with job=pytake and component={{ $labels.component }} answers.",
        "pytake-rollout",
    ),
    Alert(
        "PytakeNotReady",
        "pytake_ready == 0 and on (namespace, job, pod) (pytake_draining == 0)",
        "5m",
        "warning",
        "A process runs but does not take part.",
        "{{ $labels.pod }} has not been ready for five minutes; GET /readyz says why.",
        "pytake-pod",
    ),
    Alert(
        "PytakeEventLoopLag",
        f"""histogram_quantile(0.99,
        sum by (namespace, job, pod, le) (rate(pytake_event_loop_lag_seconds_bucket[5m])))
        > {at.LOOP_LAG_SECONDS}""",
        "5m",
        "warning",
        "A process is too busy to be on time.",
        "Timers of {{ $labels.pod }} are late by up to {{ $value | humanizeDuration }}.",
        "pytake-pod",
    ),
    Alert(
        "PytakeDatabaseDown",
        f"count {_BY} (pytake_store_up == 0) / count {_BY} (pytake_store_up) >= 0.5",
        "1m",
        "critical",
        "The database does not answer: nothing can be sent or joined.",
        "{{ $value | humanizePercentage }} of the processes cannot reach the database.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeHttpErrors",
        f"""sum {_BY} (rate(pytake_http_requests_total{{code_class="5xx"}}[5m]))
        / sum {_BY} (rate(pytake_http_requests_total[5m])) > {at.HTTP_ERROR_RATIO}
        and sum {_BY} (rate(pytake_http_requests_total{{code_class="5xx"}}[5m])) > 0.1""",
        "5m",
        "critical",
        "Requests to the API fail.",
        "{{ $value | humanizePercentage }} of the requests answer 5xx.",
        "pytake-backplane",
    ),
    Alert(
        "PytakeUnhandledErrors",
        "sum by (namespace, job, where) (increase(pytake_unhandled_errors_total[10m])) > 0",
        "0s",
        "warning",
        "Something happened that the code does not expect: a bug.",
        "{{ $value }} unexpected exceptions in {{ $labels.where }} within ten minutes.",
        "pytake-pod",
    ),
)
