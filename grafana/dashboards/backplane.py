"""Redis, the outbox, the database, the API and the edge: what the gateways stand on."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds as at
from grafana.panels import board, graph, heat, number, quantile, rate, row


def backplane() -> Dashboard:
    found = board("pytake-backplane", "What the gateways stand on, and the way in.")
    _broker(found)
    _outbox(found)
    _database(found)
    _edge(found)
    return found


def _broker(found: Dashboard) -> None:
    found.with_row(row("Does Redis carry events?"))
    found.with_panel(
        number(
            "Which share of the links is down?",
            "count(pytake_broker_up{scope} == 0) / count(pytake_broker_up{scope}) or vector(0)",
            unit="percentunit",
            description="From half of them on somebody is woken.",
            limits=(at.BROKER_DOWN_SHARE,),
        )
    )
    found.with_panel(
        graph(
            "Which links are up?",
            ("pytake_broker_up{scope}", "{{pod}} {{link}}"),
            unit="short",
            description="publish: commands; subscribe: events of other pods.",
            span=10,
        )
    )
    found.with_panel(
        graph(
            "Does a pod go deaf?",
            ("pytake_broker_deaf_seconds{scope}", "{{pod}}"),
            (rate("pytake_broker_canaries_total", by="outcome"), "canaries {{outcome}}"),
            unit="s",
            description="Time since its own canary came back.",
            limit=at.DEAF_SECONDS,
            span=10,
        )
    )
    found.with_panel(
        heat(
            "How long are events on the way?",
            "sum by (le) (increase(pytake_broker_lag_seconds_bucket{scope}[range]))",
            unit="s",
            description="Published to received, from canaries.",
        )
    )
    found.with_panel(
        graph(
            "Is Redis slow?",
            (quantile(0.99, "pytake_broker_lag_seconds"), "lag p99"),
            (
                quantile(0.99, "pytake_broker_publish_duration_seconds", by="outcome"),
                "publish p99 {{outcome}}",
            ),
            unit="s",
            description="Lag between pods and time of publishing.",
            limit=at.BROKER_LAG_SECONDS,
        )
    )
    found.with_panel(
        graph(
            "How often do links break, and for how long?",
            (rate("pytake_broker_reconnects_total", by="link"), "reconnects {{link}}"),
            ("sum(rate(pytake_broker_outage_seconds_sum{scope}[range]))", "away, s/s"),
            unit="short",
            description="Links made anew per second, and seconds away per second.",
        )
    )


def _outbox(found: Dashboard) -> None:
    found.with_row(row("Is everything published?"))
    found.with_panel(
        graph(
            "How old is the oldest event not published?",
            ("max(pytake_outbox_oldest_age_seconds{scope})", "age"),
            unit="s",
            description="Direct publishing takes milliseconds; the relay takes over after 1 s.",
            limit=at.OUTBOX_AGE_SECONDS,
        )
    )
    found.with_panel(
        graph(
            "How many conversations wait?",
            ("max(pytake_outbox_pending{scope})", "waiting"),
            (rate("pytake_outbox_published_total", by="outcome"), "by the relay, {{outcome}}"),
            unit="short",
            description="What the relay publishes was missed by direct publishing.",
        )
    )
    found.with_panel(
        graph(
            "When was a relay last heard?",
            ("pytake_broker_heartbeat_age_seconds{scope}", "{{pod}}"),
            unit="s",
            description="Heartbeat of relays, as gateways hear it.",
            limit=at.HEARTBEAT_SECONDS,
        )
    )


def _database(found: Dashboard) -> None:
    found.with_row(row("Do API and database answer?"))
    found.with_panel(
        graph(
            "How many requests, by route?",
            (
                rate("pytake_http_requests_total", by="method,route") + " > 0",
                "{{method}} {{route}}",
            ),
            ("sum(rate(pytake_http_requests_total{scope}[range]))", "all"),
            unit="reqps",
            description="REST interface.",
        )
    )
    found.with_panel(
        graph(
            "Which share fails?",
            (
                'sum(rate(pytake_http_requests_total{scope,code_class="5xx"}[range])) '
                "/ sum(rate(pytake_http_requests_total{scope}[range]))",
                "5xx",
            ),
            unit="percentunit",
            description="Answers 5xx of all.",
            limit=at.HTTP_ERROR_RATIO,
        )
    )
    found.with_panel(
        graph(
            "How long do requests take?",
            (
                quantile(0.99, "pytake_http_request_duration_seconds", by="method,route"),
                "p99 {{method}} {{route}}",
            ),
            unit="s",
            description="By route.",
        )
    )
    found.with_panel(
        graph(
            "Which refusals do callers get?",
            (rate("pytake_http_errors_total", by="code") + " > 0", "{{code}}"),
            ("sum(rate(pytake_http_errors_total{scope}[range]))", "all"),
            (rate("pytake_logins_total", by="outcome"), "logins {{outcome}}"),
            unit="reqps",
            description="By code.",
        )
    )
    found.with_panel(
        graph(
            "Is the database slow?",
            (quantile(0.99, "pytake_store_duration_seconds", by="operation"), "p99 {{operation}}"),
            ("sum(rate(pytake_store_errors_total{scope}[range]))", "errors"),
            unit="s",
            description="With the wait for a connection.",
        )
    )
    found.with_panel(
        graph(
            "Are there database connections left?",
            ("sum by (pod, state) (pytake_store_pool_connections{scope})", "{{pod}} {{state}}"),
            ("min by (pod) (pytake_store_up{scope})", "up {{pod}}"),
            unit="short",
            description="Used and idle connections of the pools.",
        )
    )


def _edge(found: Dashboard) -> None:
    found.with_row(row("Does the way in work?"))
    found.with_panel(
        graph(
            "Are Engine.IO requests answered?",
            (rate("pytake_polling_requests_total", by="code_class"), "{{code_class}}"),
            unit="reqps",
            description="4xx in bulk: sessions that the pod does not know, or a limit.",
        )
    )
    found.with_panel(
        graph(
            "How many days are the certificates good?",
            ("min by (instance) (probe_ssl_earliest_cert_expiry - time()) / 86400", "{{instance}}"),
            (
                "min by (name) (certmanager_certificate_expiration_timestamp_seconds - time()) "
                "/ 86400",
                "{{name}}",
            ),
            unit="d",
            description="Needs cert-manager's or the blackbox exporter's figures.",
            limit=at.CERTIFICATE_DAYS,
        )
    )
