"""Is the rollout gentle? What to watch while pods come and go."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds as at
from grafana.panels import board, graph, number, rate, row


def rollout() -> Dashboard:
    found = board("pytake-rollout", "Pods come and go: do users notice?")
    found.with_row(row("What runs?"))
    for component in ("gateway", "api", "relay"):
        found.with_panel(
            number(
                f"How many {component} processes answer?",
                f'count(up{{job,component=~"{component}|dev"}} == 1) or vector(0)',
                unit="short",
                description="Scraped within the last interval.",
                limits=(1,),
                below_is_bad=True,
            )
        )
    found.with_panel(
        number(
            "How many pods drain now?",
            "sum(pytake_draining{scope})",
            unit="short",
            description="One after the other during a rolling update.",
        )
    )
    found.with_panel(
        number(
            "How many connections were cut?",
            "sum(increase(pytake_drain_forced_closes_total{scope}[1h]))",
            unit="short",
            description="Still open at the end of a drain window, within the last hour.",
            limits=(1,),
        )
    )
    found.with_row(row("How do users move?"))
    found.with_panel(
        graph(
            "Which version serves how many?",
            (
                "sum by (version) (sum by (pod) (pytake_connections{scope}) "
                "* on (pod) group_left (version) max by (pod, version) (pytake_build_info{scope}))",
                "{{version}}",
            ),
            unit="short",
            description="Connections by version: they should move within the drain window.",
            stacked=True,
        )
    )
    found.with_panel(
        graph(
            "How evenly are they moved?",
            ("sum by (pod) (rate(pytake_drain_moved_total{scope}[range]))", "moved from {{pod}}"),
            (
                "sum by (pod) (rate(pytake_drain_forced_closes_total{scope}[range]))",
                "cut at {{pod}}",
            ),
            unit="cps",
            description="A flat line is a gentle drain; a spike is a storm for the others.",
        )
    )
    found.with_panel(
        graph(
            "Do they come back because of the drain?",
            (rate("pytake_reconnects_total", by="cause"), "{{cause}}"),
            (rate("pytake_connections_opened_total", by="resumed"), "opened, resumed={{resumed}}"),
            unit="cps",
            description="Reconnects by cause; network during a rollout means a rough one.",
        )
    )
    found.with_panel(
        graph(
            "Who is ready?",
            ("pytake_ready{scope}", "{{pod}} ready"),
            ("pytake_draining{scope}", "{{pod}} draining"),
            unit="short",
            description="Not ready from the first moment of the drain on.",
        )
    )
    found.with_panel(
        graph(
            "Do messages stay in time meanwhile?",
            (
                "pytake:delivery_slow:ratio_rate5m{job}",
                "late, 5 minutes",
            ),
            unit="percentunit",
            description="Share of message:new above 100 ms.",
            limit=at.ERROR_BUDGET,
        )
    )
    return found
