"""Do people get their messages in time? The first board to open, and the one to hang up."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds as at
from grafana.panels import board, graph, heat, number, quantile, rate, row

_DELIVERY = "pytake_message_delivery_seconds"
_NEW = ',event="message:new"'
_FAST = f'sum(increase({_DELIVERY}_bucket{{scope{_NEW},le="0.1"}}[30d]))'
_ALL = f"sum(increase({_DELIVERY}_count{{scope{_NEW}}}[30d]))"
_CONNECTED = "sum(pytake_connections{scope})"


def overview() -> Dashboard:
    found = board("pytake-overview", "What users feel, and whether the objective is kept.")
    _health(found)
    _objective(found)
    _connections(found)
    _traffic(found)
    _guards(found)
    return found


def _health(found: Dashboard) -> None:
    found.with_row(row("Is it healthy?"))
    found.with_panel(
        number(
            "How many are connected?",
            _CONNECTED,
            unit="short",
            description="Open connections of all pods in view.",
        )
    )
    found.with_panel(
        number(
            "How many different users?",
            "sum(pytake_users{scope})",
            unit="short",
            description="Users per pod, summed: one on two pods counts twice.",
        )
    )
    found.with_panel(
        number(
            "How much arrived within 100 ms in 30 days?",
            f"{_FAST} / {_ALL}",
            unit="percentunit",
            description="The objective is 99 % of message:new.",
            limits=(1 - at.ERROR_BUDGET,),
            below_is_bad=True,
        )
    )
    found.with_panel(
        number(
            "How much error budget is left?",
            f"1 - (1 - {_FAST} / {_ALL}) / {at.ERROR_BUDGET:g}",
            unit="percentunit",
            description="1 % of the month may be late; below zero the objective is missed.",
            limits=(0,),
            below_is_bad=True,
        )
    )
    found.with_panel(
        number(
            "How many alerts fire?",
            'count(ALERTS{alertname=~"Pytake.+",alertstate="firing"}) or vector(0)',
            unit="short",
            description="Each has a runbook in docs/runbooks.",
            limits=(1,),
        )
    )
    found.with_panel(
        number(
            "Which version runs?",
            "count by (version) (pytake_build_info{scope})",
            unit="short",
            description="Processes by version; two during a rollout.",
            legend="{{version}}",
        )
    )


def _objective(found: Dashboard) -> None:
    found.with_row(row("Do messages arrive in time?"))
    found.with_panel(
        graph(
            "How fast is the error budget burnt?",
            *(
                (
                    f"pytake:delivery_slow:ratio_rate{window}{{job}} / {at.ERROR_BUDGET:g}",
                    window,
                )
                for window in at.RECORDED_WINDOWS
            ),
            unit="short",
            description="1 burns the month's budget in a month; the lines are those of the alerts.",
            limits=tuple(factor for _, _, factor, _, _ in at.BURN_RATES),
        )
    )
    found.with_panel(
        heat(
            "How long does a delivery take?",
            f"sum by (le) (increase({_DELIVERY}_bucket{{scope{_NEW}}}[range]))",
            unit="s",
            description="Commit to written to the socket; a dot leads to a trace.",
        )
    )
    found.with_panel(
        graph(
            "Is it slower between pods?",
            (quantile(0.5, _DELIVERY, by="path", selector=_NEW), "p50 {{path}}"),
            (quantile(0.95, _DELIVERY, by="path", selector=_NEW), "p95 {{path}}"),
            (quantile(0.99, _DELIVERY, by="path", selector=_NEW), "p99 {{path}}"),
            unit="s",
            description="local: stored by the same process; remote: came through the broker.",
            limit=at.DELIVERY_SECONDS,
        )
    )
    found.with_panel(
        graph(
            "In which stage does the time go?",
            (quantile(0.95, "pytake_delivery_stage_seconds", by="stage"), "p95 {{stage}}"),
            unit="s",
            description="Parts of the way of sampled events; they add up to the receipt.",
        )
    )
    found.with_panel(
        graph(
            "How long until the client confirms?",
            (quantile(0.5, "pytake_message_receipt_seconds", by="event"), "p50 {{event}}"),
            (quantile(0.99, "pytake_message_receipt_seconds", by="event"), "p99 {{event}}"),
            unit="s",
            description="Commit to the client's receipt, from sampled acknowledgements.",
        )
    )
    found.with_panel(
        graph(
            "Which share is never confirmed?",
            (
                "sum by (stopped_at) (rate(pytake_unconfirmed_events_total{scope}[range])) "
                "/ scalar(sum(rate(pytake_sampled_events_total{scope}[range])))",
                "stopped after {{stopped_at}}",
            ),
            unit="percentunit",
            description="Sampled events without a receipt within 5 s.",
            limit=at.UNCONFIRMED_RATIO,
        )
    )


def _connections(found: Dashboard) -> None:
    found.with_row(row("Do connections hold?"))
    found.with_panel(
        graph(
            "Which transport do they use?",
            ("sum by (transport) (pytake_connections{scope})", "{{transport}}"),
            unit="short",
            description="A large share of polling means that WebSocket does not get through.",
            stacked=True,
        )
    )
    found.with_panel(
        graph(
            "Why do connections end?",
            (rate("pytake_connections_closed_total", by="reason") + " > 0", "{{reason}}"),
            (f"sum(rate(pytake_connections_opened_total{'{scope}'}[range]))", "opened"),
            unit="cps",
            description="Ended per second by reason, and opened for comparison.",
        )
    )
    found.with_panel(
        graph(
            "How many come back, of those connected?",
            (
                "sum by (cause) (rate(pytake_reconnects_total{scope}[range])) "
                f"/ scalar(clamp_min({_CONNECTED}, {at.LEAST_CONNECTIONS}))",
                "{{cause}}",
            ),
            unit="percentunit",
            description="Reconnects per second and connection: the lines are the two alerts.",
            limits=(at.RECONNECT_ELEVATED, at.RECONNECT_STORM),
        )
    )
    found.with_panel(
        graph(
            "Why are handshakes refused?",
            (rate("pytake_connections_rejected_total", by="reason") + " > 0", "{{reason}}"),
            ("sum(rate(pytake_connections_rejected_total{scope}[range]))", "all"),
            unit="cps",
            description="Codes of the contract; `pytake explain CODE` says what each means.",
        )
    )
    found.with_panel(
        graph(
            "How long does a handshake take?",
            (quantile(0.5, "pytake_handshake_duration_seconds", by="outcome"), "p50 {{outcome}}"),
            (quantile(0.99, "pytake_handshake_duration_seconds", by="outcome"), "p99 {{outcome}}"),
            unit="s",
            description="CONNECT received to `connected` written.",
        )
    )
    found.with_panel(
        graph(
            "What could be replayed after a reconnect?",
            (rate("pytake_recovery_total", by="outcome"), "{{outcome}}"),
            ("sum(rate(pytake_recovered_messages_total{scope}[range]))", "events replayed"),
            unit="cps",
            description="Joins with a cursor. too_old and other_epoch make the client reload.",
        )
    )


def _traffic(found: Dashboard) -> None:
    found.with_row(row("What goes through?"))
    found.with_panel(
        graph(
            "What do clients send?",
            (rate("websocket_events_total", by="event_type"), "{{event_type}}"),
            unit="cps",
            description="Events per second; names that we do not know are `other`.",
            stacked=True,
        )
    )
    found.with_panel(
        graph(
            "What do clients get?",
            (rate("pytake_events_sent_total", by="event"), "{{event}}"),
            unit="cps",
            description="Copies per second: one event in a room of 100 counts 100.",
            stacked=True,
        )
    )
    found.with_panel(
        graph(
            "How many messages are stored?",
            (rate("pytake_messages_stored_total", by="direction"), "{{direction}}"),
            unit="cps",
            description="Committed, inbound from customers and outbound from agents and bots.",
        )
    )
    found.with_panel(
        graph(
            "How much crosses the network?",
            ("sum(rate(pytake_sent_bytes_total{scope}[range]))", "out"),
            ("sum(rate(pytake_received_bytes_total{scope}[range]))", "in"),
            ("sum(rate(pytake_compression_saved_bytes_total{scope}[range]))", "saved"),
            unit="Bps",
            description="Payload of Socket.IO, without TLS and headers.",
        )
    )


def _guards(found: Dashboard) -> None:
    found.with_row(row("Who is held back?"))
    found.with_panel(
        graph(
            "Who meets a rate limit?",
            (rate("pytake_rate_limited_total", by="scope"), "{{scope}}"),
            unit="cps",
            description="Refusals per second, by whose budget was used up.",
        )
    )
    found.with_panel(
        graph(
            "Which limits hold for the whole cluster?",
            ("pytake_limits_shared{scope}", "{{pod}} {{limit}}"),
            unit="short",
            description="0: Redis is away, and each pod limits by what it knows itself.",
        )
    )
    found.with_panel(
        graph(
            "Who gives way to a newer connection?",
            (rate("pytake_user_cap_evictions_total", by="role"), "{{role}}"),
            unit="cps",
            description="The cap of connections per user.",
            limit=at.CAP_EVICTIONS_PER_SECOND,
        )
    )
    found.with_panel(
        graph(
            "What is shed for slow clients?",
            ("sum(rate(pytake_dropped_frames_total{scope}[range]))", "typing and presence shed"),
            (
                'sum(rate(pytake_connections_closed_total{scope,reason="slow_consumer"}[range]))',
                "connections closed",
            ),
            unit="cps",
            description="Typing and presence go first, then the connection.",
        )
    )
    found.with_panel(
        graph(
            "Which errors do clients get?",
            (rate("pytake_event_errors_total", by="code") + " > 0", "{{code}}"),
            ("sum(rate(pytake_event_errors_total{scope}[range]))", "all"),
            unit="cps",
            description="Refused events by code.",
        )
    )
