"""The closed sets of label values. What is not in a set cannot become a series.

The codes repeat those of `contract.error_codes`, and the events those of
`contract`: this package imports nothing of ours, so a drift test compares them.
"""

CODES = (
    "invalid_token",
    "token_expired",
    "token_revoked",
    "forbidden",
    "not_found",
    "not_joined",
    "invalid_payload",
    "unknown_event",
    "payload_too_large",
    "rate_limited",
    "connection_cap",
    "superseded",
    "too_many_rooms",
    "window_closed",
    "stale_view",
    "conflict",
    "slow_consumer",
    "draining",
    "overloaded",
    "unavailable",
    "internal",
)
"""The codes of the contract, section 5."""

NOT_OF_EVENTS = (
    "connection_cap",
    "superseded",
    "window_closed",
    "stale_view",
    "conflict",
    "slow_consumer",
    "draining",
)
"""Codes that no client event is answered with: they end connections or belong to REST."""

EVENT_CODES = tuple(code for code in CODES if code not in NOT_OF_EVENTS)
CLOSE_REASONS = (
    "client",
    "ping_timeout",
    "transport_error",
    "protocol",
    "max_age",
    *CODES,
    "other",
)
REJECT_REASONS = (*CODES, "origin", "other")
CLIENT_EVENTS = (
    "join_conversation",
    "join_conversations",
    "leave_conversation",
    "typing_start",
    "typing_stop",
    "mark_read",
    "message:receipt",
    "auth:refresh",
    "ping",
    "other",
)
DURABLE_EVENTS = (
    "message:new",
    "message:status",
    "conversation:updated",
    "note:new",
    "note:removed",
)
DELIVERED_EVENTS = (*DURABLE_EVENTS, "message:status_batch", "other")
"""While a rollout goes on, pods hear of events that only the next version knows."""

SERVER_EVENTS = (
    *DELIVERED_EVENTS,
    "connected",
    "joined_conversation",
    "left_conversation",
    "inbox:updated",
    "inbox:removed",
    "conversation:read",
    "canned_replies:changed",
    "resync",
    "user_typing",
    "presence:update",
    "token:expiring",
    "server:draining",
    "error",
    "pong",
)
ROLES = ("admin", "agent", "bot")
TRANSPORTS = ("websocket", "polling")
YES_NO = ("yes", "no")
ROOM_KINDS = ("conversation", "user", "organization", "admins", "unassigned", "other")
STAGES = ("publish", "broker", "write", "receipt")
"""commit → handed to the broker → received by the pod → written to the socket → receipt."""

STOPPED_AT = ("published", "received", "written")
LINKS = ("publish", "subscribe")
SHARED_LIMITS = ("connections", "events", "http")
RECONNECT_CAUSES = ("network", "server_drain", "unknown", "other")
CODE_CLASSES = ("2xx", "3xx", "4xx", "5xx")
OUTCOMES = ("ok", "refused", "error")
STATUSES = ("pending", "sent", "delivered", "read", "failed")
STORE_OPERATIONS = ("write", "read", "access", "heads", "replay", "outbox", "inbox", "other")

ROUTES = (
    ("GET", "/conversations"),
    ("POST", "/conversations"),
    ("GET", "/conversations/{id}"),
    ("PATCH", "/conversations/{id}"),
    ("GET", "/conversations/{id}/messages"),
    ("POST", "/conversations/{id}/messages"),
    ("POST", "/messages"),
    ("GET", "/conversations/{id}/events"),
    ("POST", "/conversations/{id}/read"),
    ("GET", "/conversations/{id}/notes"),
    ("POST", "/conversations/{id}/notes"),
    ("DELETE", "/conversations/{id}/notes/{id}"),
    ("GET", "/labels"),
    ("GET", "/canned-replies"),
    ("POST", "/canned-replies"),
    ("PATCH", "/canned-replies/{id}"),
    ("DELETE", "/canned-replies/{id}"),
    ("POST", "/media"),
    ("GET", "/media/{id}"),
    ("GET", "/templates"),
    ("GET", "/contacts/{id}/export"),
    ("DELETE", "/contacts/{id}"),
    ("GET", "/users"),
    ("POST", "/users"),
    ("PATCH", "/users/{id}"),
    ("POST", "/users/{id}/revoke"),
    ("GET", "/channels"),
    ("POST", "/channels"),
    ("GET", "/quarantine"),
    ("GET", "/audit"),
    ("GET", "/webhooks/whatsapp"),
    ("POST", "/webhooks/whatsapp"),
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("other", "other"),
)
"""(method, route) below /api/v1, with every path parameter written as `{id}`."""

METHODS = ("GET", "POST", "PATCH", "DELETE", "other")
ROUTE_NAMES = tuple(dict.fromkeys(route for _, route in ROUTES))
