"""The catalogue: every metric of PyTake, declared once.

A process makes one `Metrics` and hands it to its adapters; several pods in one test
process have one each. Names, label values and buckets are what docs/metrics.md, the
dashboards and the alerts may use, and a test compares all four.
"""

import platform

from pytake.observability import labels as of
from pytake.observability.registry import SECONDS, Component, Registry, Section

FEW_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
HTTP_SECONDS = (0.025, 0.1, 0.5, 2.5)
AGES = (1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0)

SLO_SECONDS = 0.1
SLO_TARGET = 0.99
SLO = "99 % of message:new within 100 ms, over 30 days"


class Metrics(Registry):
    """All figures of one process. Attributes are named like the metrics, without the prefix
    and without `_total`.

    Args:
        component: Whose figures `/metrics` lists; `dev` lists the whole catalogue. A figure
            of another component is listed once something was observed, so none gets lost.
        version, revision: What was built, for `pytake_build_info`.
    """

    def __init__(
        self, component: Component = "dev", *, version: str = "", revision: str = ""
    ) -> None:
        super().__init__(component)
        everywhere = Section(self, "gateway", "api", "relay")
        gateway, api, relay = (Section(self, one) for one in ("gateway", "api", "relay"))
        self._declare_process(everywhere, version, revision)
        self._declare_connections(gateway)
        self._declare_handshakes(gateway)
        self._declare_events(gateway)
        self._declare_delivery(gateway)
        self._declare_sequence(gateway)
        self._declare_buffers(gateway)
        self._declare_broker(everywhere, gateway)
        self._declare_outbox(relay)
        self._declare_webhooks(api, relay)
        self._declare_sender(relay)
        self._declare_http(api)
        self._declare_store(everywhere)

    def _declare_process(self, on: Section, version: str, revision: str) -> None:
        build = (version or "unknown", revision or "unknown", platform.python_version())
        self.build_info = on.gauge(
            "build_info",
            "What runs: always 1.",
            version=(build[0],),
            revision=(build[1],),
            python=(build[2],),
        )
        self.build_info.set(1, *build)
        self.ready = on.gauge("ready", "1 while /readyz answers 200.")
        self.draining = on.gauge("draining", "1 from the start of the drain to the end.")
        self.event_loop_lag_seconds = on.histogram(
            "event_loop_lag_seconds",
            "How late a timer of the event loop fires, sampled ten times a second.",
            target="p99 within 100 ms",
        )
        self.event_loop_tasks = on.gauge(
            "event_loop_tasks", "Tasks that are not done, read once a second."
        )
        self.gc_pause_seconds = on.histogram(
            "gc_pause_seconds",
            "Stops of the process by the garbage collector.",
            generation=("0", "1", "2"),
            buckets=(0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5),
        )
        self.log_lines = on.counter(
            "log_lines_total", "Log lines written.", level=("debug", "info", "warning", "error")
        )
        self.log_lines_suppressed = on.counter(
            "log_lines_suppressed_total", "Log lines left out because too many were alike."
        )
        self.unhandled_errors = on.counter(
            "unhandled_errors_total",
            "Exceptions that nobody expected: each is a bug of ours.",
            where=("http", "event", "handshake", "task", "other"),
            target="0",
        )
        self.undeclared_labels = on.counter(
            "undeclared_labels_total",
            "Observations with a label value outside its closed set: each is a bug of ours.",
            target="0",
        )

    def on_unknown_label(self, name: str) -> None:
        self.undeclared_labels.inc()

    def _declare_connections(self, on: Section) -> None:
        self.connections = on.gauge(
            "connections", "Open connections.", transport=of.TRANSPORTS, role=of.ROLES
        )
        self.websocket_connections = on.gauge(
            "websocket_connections", "Open connections: the first version's name.", prefix=""
        )
        self.websocket_connections.read_from(lambda: self.connections.total())
        self.connections_limit = on.gauge("connections_limit", "Most connections of this pod.")
        self.users = on.gauge("users", "Different users connected to this pod.", role=of.ROLES)
        self.connections_opened = on.counter(
            "connections_opened_total",
            "Connections accepted; resumed: the client took a place over.",
            transport=of.TRANSPORTS,
            resumed=of.YES_NO,
        )
        self.connections_closed = on.counter(
            "connections_closed_total", "Connections ended, by why.", reason=of.CLOSE_REASONS
        )
        self.reconnects = on.counter(
            "reconnects_total",
            "Handshakes of clients that had a connection before, by how that one ended.",
            cause=of.RECONNECT_CAUSES,
        )
        self.connection_duration_seconds = on.histogram(
            "connection_duration_seconds",
            "Age of connections at their end.",
            ended_by=("client", "server", "network"),
            buckets=AGES,
        )
        self.user_cap_evictions = on.counter(
            "user_cap_evictions_total",
            "Connections that gave way to a newer one of the same user.",
            role=of.ROLES,
        )
        self.drain_moved = on.counter(
            "drain_moved_total", "Connections that left within the drain window."
        )
        self.drain_forced_closes = on.counter(
            "drain_forced_closes_total",
            "Connections still open at the end of the drain window.",
            target="0",
        )

    def _declare_handshakes(self, on: Section) -> None:
        self.connections_rejected = on.counter(
            "connections_rejected_total", "Handshakes refused, by why.", reason=of.REJECT_REASONS
        )
        self.handshake_duration_seconds = on.histogram(
            "handshake_duration_seconds",
            "CONNECT received to `connected` written.",
            outcome=of.OUTCOMES,
            buckets=FEW_SECONDS,
        )
        self.transport_upgrades = on.counter(
            "transport_upgrades_total",
            "Upgrades from polling to WebSocket.",
            outcome=("ok", "failed"),
        )
        self.polling_requests = on.counter(
            "polling_requests_total",
            "Engine.IO requests over HTTP.",
            method=("GET", "POST", "other"),
            code_class=of.CODE_CLASSES,
        )
        self.unknown_session_requests = on.counter(
            "unknown_session_requests_total",
            "Requests for a session that this pod does not have: stickiness is broken.",
        )
        self.ping_rtt_seconds = on.histogram(
            "ping_rtt_seconds",
            "Server ping to the client's pong.",
            buckets=SECONDS[2:],
        )

    def _declare_events(self, on: Section) -> None:
        self.websocket_events = on.counter(
            "websocket_events_total",
            "Events from clients; names we do not know are `other`.",
            prefix="",
            event_type=of.CLIENT_EVENTS,
        )
        self.events_sent = on.counter(
            "events_sent_total", "Events written to clients, each copy.", event=of.SERVER_EVENTS
        )
        self.event_handler_duration_seconds = on.histogram(
            "event_handler_duration_seconds",
            "Event received to its acknowledgement written.",
            event=of.CLIENT_EVENTS,
            buckets=FEW_SECONDS,
        )
        self.event_errors = on.counter(
            "event_errors_total",
            "Events refused, by code.",
            event=of.CLIENT_EVENTS,
            code=of.EVENT_CODES,
        )
        self.rate_limited = on.counter(
            "rate_limited_total",
            "Refusals because of a rate limit, by whose budget was used up.",
            scope=("user", "connection", "handshake", "http", "login"),
        )
        self.room_joins = on.counter(
            "room_joins_total",
            "Joins of conversations.",
            outcome=("ok", "denied", "not_found", "error"),
        )
        self.permission_check_duration_seconds = on.histogram(
            "permission_check_duration_seconds",
            "Deciding whether a conversation may be joined, with the wait for the batch.",
            outcome=("allowed", "denied", "error"),
            buckets=FEW_SECONDS,
        )
        self.rooms = on.gauge("rooms", "Rooms with members on this pod.", kind=of.ROOM_KINDS)

    def _declare_delivery(self, on: Section) -> None:
        self.message_delivery_seconds = on.histogram(
            "message_delivery_seconds",
            "Commit to written to the socket, every delivery; local: stored by this process.",
            event=of.DELIVERED_EVENTS,
            path=("local", "remote"),
            # A process has one of the two.
            combinations=tuple(
                (event, "local" if self.component == "dev" else "remote")
                for event in of.DELIVERED_EVENTS
            ),
            target=SLO,
        )
        self.message_receipt_seconds = on.histogram(
            "message_receipt_seconds",
            "Commit to the client's receipt, sampled.",
            event=(*of.DURABLE_EVENTS, "other"),
            buckets=FEW_SECONDS,
            target="p99 within 500 ms",
        )
        self.delivery_stage_seconds = on.histogram(
            "delivery_stage_seconds",
            "The parts of the way of sampled events; they add up to the receipt.",
            stage=of.STAGES,
        )
        self.sampled_events = on.counter(
            "sampled_events_total",
            "Events whose way was followed to its end: a receipt, or 5 s without one.",
        )
        self.unconfirmed_events = on.counter(
            "unconfirmed_events_total",
            "Sampled events without a receipt within 5 s, by the last stage that was seen.",
            stopped_at=of.STOPPED_AT,
            target="below 1 % of the sampled events",
        )
        self.clock_skew = on.counter(
            "clock_skew_total",
            "Latencies below zero, recorded as 0: clocks of two pods differ.",
        )

    def _declare_sequence(self, on: Section) -> None:
        self.status_batch_size = on.histogram(
            "status_batch_size", "Updates in a message:status_batch.", buckets=SIZES
        )
        self.recovery = on.counter(
            "recovery_total",
            "Joins with a cursor, by what could be replayed.",
            outcome=("full", "empty", "too_old", "ahead", "other_epoch", "error"),
        )
        self.recovered_messages = on.counter("recovered_messages_total", "Events replayed.")
        self.holes_healed = on.counter(
            "holes_healed_total",
            "Durable events that did not arrive in time and were read from the store.",
            found_by=("gap", "heads"),
        )
        self.sequencer_duplicates = on.counter(
            "sequencer_duplicates_total", "Durable events dropped because they were sent before."
        )
        self.sequencer_held = on.gauge(
            "sequencer_held_events", "Events that wait for their predecessor."
        )

    def _declare_buffers(self, on: Section) -> None:
        self.received_bytes = on.counter(
            "received_bytes_total", "Payload from clients.", transport=of.TRANSPORTS
        )
        self.sent_bytes = on.counter(
            "sent_bytes_total", "Payload to clients, compressed.", transport=of.TRANSPORTS
        )
        self.compression_saved_bytes = on.counter(
            "compression_saved_bytes_total", "What compression took off the payload to clients."
        )
        self.send_buffer_bytes = on.gauge("send_buffer_bytes", "Bytes that wait for clients.")
        self.send_buffer_limit_bytes = on.gauge(
            "send_buffer_limit_bytes", "What may wait on this pod before connections are closed."
        )
        self.slow_connections = on.gauge(
            "slow_connections", "Connections that have not taken everything written to them."
        )
        self.dropped_frames = on.counter(
            "dropped_frames_total", "Events without `seq` shed for readers that are too slow."
        )

    def _declare_broker(self, on: Section, gateway: Section) -> None:
        self.broker_up = on.gauge(
            "broker_up", "1 while the link to Redis works.", only_when_set=True, link=of.LINKS
        )
        self.limits_shared = on.gauge(
            "limits_shared",
            "1 while a limit holds for the whole cluster; 0: Redis is away, each pod limits alone.",
            only_when_set=True,
            limit=of.SHARED_LIMITS,
        )
        self.broker_reconnects = on.counter(
            "broker_reconnects_total", "Links made anew.", link=of.LINKS
        )
        self.broker_publish_duration_seconds = on.histogram(
            "broker_publish_duration_seconds",
            "Handing events to the broker, a pipeline each.",
            outcome=("ok", "error"),
        )
        self.broker_lag_seconds = gateway.histogram(
            "broker_lag_seconds", "Published to received by this pod, from canaries."
        )
        self.broker_canaries = gateway.counter(
            "broker_canaries_total", "Loop-back messages.", outcome=("returned", "missed")
        )
        self.broker_deaf_seconds = gateway.gauge(
            "broker_deaf_seconds", "Time since the last canary came back, while Redis answers."
        )
        self.broker_heartbeat_age_seconds = gateway.gauge(
            "broker_heartbeat_age_seconds", "Time since a relay was heard."
        )
        self.broker_subscriptions = gateway.gauge(
            "broker_subscriptions", "Conversations that this pod listens to."
        )
        self.broker_outage_seconds = gateway.histogram(
            "broker_outage_seconds", "How long links were away.", buckets=AGES
        )

    def _declare_outbox(self, on: Section) -> None:
        self.outbox_pending = on.gauge(
            "outbox_pending", "Conversations with events that are not published."
        )
        self.outbox_oldest_age_seconds = on.gauge(
            "outbox_oldest_age_seconds", "Age of the oldest event that is not published."
        )
        self.outbox_published = on.counter(
            "outbox_published_total", "Events that a relay published.", outcome=("ok", "error")
        )

    def _declare_webhooks(self, api: Section, relay: Section) -> None:
        self.webhook_requests = api.counter(
            "webhook_requests_total",
            "Deliveries of WhatsApp.",
            outcome=("accepted", "bad_signature", "bad_body", "too_large", "error"),
        )
        self.webhook_backlog = relay.gauge(
            "webhook_backlog", "Deliveries stored and not worked off."
        )
        self.webhook_oldest_age_seconds = relay.gauge(
            "webhook_oldest_age_seconds", "Age of the oldest delivery not worked off."
        )
        self.webhook_items = relay.counter(
            "webhook_items_total",
            "Items of deliveries worked off: those in are those out.",
            kind=("message", "status", "other"),
            outcome=("stored", "repeated", "ignored", "quarantined"),
        )
        self.webhook_processing_seconds = relay.histogram(
            "webhook_processing_seconds", "Delivery stored to its items committed."
        )

    def _declare_sender(self, on: Section) -> None:
        self.sender_running = on.gauge("sender_running", "1 while the sender works.")
        self.sender_pending = on.gauge("sender_pending", "Messages that wait to be sent.")
        self.sender_oldest_age_seconds = on.gauge(
            "sender_oldest_age_seconds", "Age of the oldest message that waits to be sent."
        )
        self.sender_requests = on.counter(
            "sender_requests_total",
            "Messages handed to WhatsApp, by its answer.",
            outcome=("accepted", "refused", "throttled", "unconfirmed", "error"),
        )
        self.sender_request_duration_seconds = on.histogram(
            "sender_request_duration_seconds", "Time of the Graph API.", buckets=FEW_SECONDS
        )
        self.message_statuses = on.counter(
            "message_statuses_total", "Status changes stored.", status=of.STATUSES
        )

    def _declare_http(self, on: Section) -> None:
        self.http_requests = on.counter(
            "http_requests_total",
            "Requests of the REST interface.",
            combinations=tuple((*route, code) for route in of.ROUTES for code in of.CODE_CLASSES),
            method=of.METHODS,
            route=of.ROUTE_NAMES,
            code_class=of.CODE_CLASSES,
        )
        self.http_request_duration_seconds = on.histogram(
            "http_request_duration_seconds",
            "Request received to its answer.",
            combinations=of.ROUTES,
            buckets=HTTP_SECONDS,
            method=of.METHODS,
            route=of.ROUTE_NAMES,
        )
        self.http_errors = on.counter(
            "http_errors_total", "Requests refused, by code.", code=of.CODES
        )
        self.logins = on.counter("logins_total", "Attempts to log in.", outcome=of.OUTCOMES)
        self.messages_stored = on.counter(
            "messages_stored_total",
            "Messages committed by this process.",
            direction=("inbound", "outbound"),
        )

    def _declare_store(self, on: Section) -> None:
        self.store_up = on.gauge("store_up", "1 while the database answers.", only_when_set=True)
        self.store_duration_seconds = on.histogram(
            "store_duration_seconds",
            "Statements and transactions, with the wait for a connection.",
            operation=of.STORE_OPERATIONS,
            buckets=FEW_SECONDS,
        )
        self.store_errors = on.counter(
            "store_errors_total", "Failed statements.", operation=of.STORE_OPERATIONS
        )
        self.store_pool_connections = on.gauge(
            "store_pool_connections", "Database connections.", state=("used", "idle")
        )
