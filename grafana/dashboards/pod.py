"""Which pod is it, and what is it doing? The second board to open."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds as at
from grafana.panels import board, graph, heat, number, quantile, rate, row


def pod() -> Dashboard:
    found = board("pytake-pod", "One pod against the others: load, runtime, handlers, sockets.")
    _placement(found)
    _runtime(found)
    _handlers(found)
    _sockets(found)
    return found


def _placement(found: Dashboard) -> None:
    found.with_row(row("Is the load spread?"))
    found.with_panel(
        graph(
            "How many connections has each pod?",
            ("sum by (pod) (pytake_connections{scope})", "{{pod}}"),
            ("min(pytake_connections_limit{scope} > 0)", "limit"),
            unit="short",
            description="Connections do not move by themselves after scaling out.",
        )
    )
    found.with_panel(
        graph(
            "How full is each pod?",
            (
                "sum by (pod) (pytake_connections{scope}) "
                "/ sum by (pod) (pytake_connections_limit{scope} > 0)",
                "{{pod}}",
            ),
            unit="percentunit",
            description="Of what it takes at most.",
            limit=at.SATURATION,
        )
    )
    found.with_panel(
        heat(
            "How old are connections at their end?",
            "sum by (le) (increase(pytake_connection_duration_seconds_bucket{scope}[range]))",
            unit="s",
            description="Many short ones are a reconnect loop.",
        )
    )
    found.with_panel(
        number(
            "Who is not ready?",
            "count(pytake_ready{scope} == 0) or vector(0)",
            unit="short",
            description="GET /readyz of the pod says why.",
            limits=(1,),
        )
    )
    found.with_panel(
        graph(
            "How many rooms has each pod?",
            ("sum by (pod, kind) (pytake_rooms{scope}) > 0", "{{pod}} {{kind}}"),
            ("sum by (pod) (pytake_broker_subscriptions{scope})", "{{pod}} subscriptions"),
            unit="short",
            description="A pod listens only to conversations that its connections have open.",
            span=12,
        )
    )


def _runtime(found: Dashboard) -> None:
    found.with_row(row("Has it enough of everything?"))
    found.with_panel(
        heat(
            "How late are timers?",
            "sum by (le) (increase(pytake_event_loop_lag_seconds_bucket{scope}[range]))",
            unit="s",
            description="Event-loop lag; everybody on the pod waits that long.",
        )
    )
    found.with_panel(
        graph(
            "Which loop is busy?",
            (quantile(0.99, "pytake_event_loop_lag_seconds", by="pod"), "p99 {{pod}}"),
            unit="s",
            description="Blocking call, garbage collection, or too little CPU.",
            limit=at.LOOP_LAG_SECONDS,
        )
    )
    found.with_panel(
        graph(
            "Do tasks pile up?",
            ("sum by (pod) (pytake_event_loop_tasks{scope})", "{{pod}}"),
            unit="short",
            description="Tasks not done. They follow the connections; what only rises, leaks.",
        )
    )
    found.with_panel(
        graph(
            "How long does garbage collection stop it?",
            (quantile(0.99, "pytake_gc_pause_seconds", by="pod"), "p99 {{pod}}"),
            ("sum by (pod) (rate(pytake_gc_pause_seconds_sum{scope}[range]))", "share {{pod}}"),
            unit="s",
            description="Length of pauses, and seconds of pause per second.",
        )
    )
    found.with_panel(
        graph(
            "How much CPU does it use?",
            ("rate(process_cpu_seconds_total{scope}[range])", "{{pod}}"),
            unit="short",
            description="1 is a whole core; a process uses one at most.",
        )
    )
    found.with_panel(
        graph(
            "How much memory does it use?",
            ("process_resident_memory_bytes{scope}", "{{pod}}"),
            unit="bytes",
            description="Resident memory.",
        )
    )
    found.with_panel(
        graph(
            "How many descriptors are open?",
            ("process_open_fds{scope}", "{{pod}}"),
            ("process_max_fds{scope}", "limit {{pod}}"),
            unit="short",
            description="Each connection takes one.",
        )
    )


def _handlers(found: Dashboard) -> None:
    found.with_row(row("Which work takes long?"))
    found.with_panel(
        graph(
            "How long does each event take?",
            (quantile(0.99, "pytake_event_handler_duration_seconds", by="event"), "p99 {{event}}"),
            unit="s",
            description="Event received to its acknowledgement written.",
        )
    )
    found.with_panel(
        graph(
            "How long do permission checks take?",
            (
                quantile(0.99, "pytake_permission_check_duration_seconds", by="outcome"),
                "p99 {{outcome}}",
            ),
            (rate("pytake_room_joins_total", by="outcome"), "joins {{outcome}}"),
            unit="s",
            description="With the wait for the batch; joins per second for comparison.",
        )
    )
    found.with_panel(
        graph(
            "How does the sequencer fare?",
            (rate("pytake_holes_healed_total", by="found_by"), "healed: {{found_by}}"),
            ("sum(rate(pytake_sequencer_duplicates_total{scope}[range]))", "duplicates dropped"),
            ("sum(pytake_sequencer_held_events{scope})", "held"),
            unit="short",
            description="Holes read from the store, repeats dropped, events that wait.",
        )
    )
    found.with_panel(
        graph(
            "How large are status batches?",
            (quantile(0.5, "pytake_status_batch_size"), "p50"),
            (quantile(0.99, "pytake_status_batch_size"), "p99"),
            unit="short",
            description="Updates in a message:status_batch.",
        )
    )
    found.with_panel(
        graph(
            "What went wrong unexpectedly?",
            (rate("pytake_unhandled_errors_total", by="where"), "{{where}}"),
            ("sum(rate(pytake_undeclared_labels_total{scope}[range]))", "undeclared labels"),
            ("sum(rate(pytake_clock_skew_total{scope}[range]))", "clock skew"),
            unit="cps",
            description="Each of them is a bug, of ours or of a clock.",
        )
    )
    found.with_panel(
        graph(
            "How much is logged?",
            (rate("pytake_log_lines_total", by="level"), "{{level}}"),
            ("sum(rate(pytake_log_lines_suppressed_total{scope}[range]))", "left out"),
            unit="cps",
            description="Lines per second; above 20 alike in 10 s they are counted only.",
        )
    )


def _sockets(found: Dashboard) -> None:
    found.with_row(row("How do the sockets fare?"))
    found.with_panel(
        graph(
            "How much waits for clients?",
            ("sum by (pod) (pytake_send_buffer_bytes{scope})", "{{pod}}"),
            ("min(pytake_send_buffer_limit_bytes{scope} > 0)", "limit"),
            unit="bytes",
            description=f"An alert fires at {at.BUFFER_SHARE:.0%} of the limit.",
        )
    )
    found.with_panel(
        graph(
            "How many read too slowly?",
            ("sum by (pod) (pytake_slow_connections{scope})", "{{pod}}"),
            unit="short",
            description="Connections that have not taken everything written to them.",
        )
    )
    found.with_panel(
        graph(
            "How far away are clients?",
            (quantile(0.5, "pytake_ping_rtt_seconds"), "p50"),
            (quantile(0.99, "pytake_ping_rtt_seconds"), "p99"),
            unit="s",
            description="Server ping to the client's pong.",
        )
    )
    found.with_panel(
        graph(
            "What do polling clients get?",
            (
                rate("pytake_polling_requests_total", by="method,code_class"),
                "{{method}} {{code_class}}",
            ),
            ("sum(rate(pytake_unknown_session_requests_total{scope}[range]))", "unknown session"),
            unit="reqps",
            description="Unknown sessions: stickiness is broken.",
            limit=at.UNKNOWN_SESSIONS_PER_SECOND,
        )
    )
    found.with_panel(
        graph(
            "Do upgrades to WebSocket work?",
            (rate("pytake_transport_upgrades_total", by="outcome"), "{{outcome}}"),
            unit="cps",
            description="From polling.",
        )
    )
