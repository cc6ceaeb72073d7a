"""The REST API, and the pages of the inbox.

Promises: who is asking is known before a byte of the body is read; a body is never
buffered beyond its limit; every refusal is `application/problem+json` with a code of the
closed list; what a principal may not see answers as what does not exist.

Leaves to others: rules (domain), what a request does (application), tokens, limits and
the store, which are all given to `create_app`.

When a neighbour is down: the store away is 503 `unavailable` with `Retry-After`; the broker
away is not noticed here, the relay publishes later. Requests run side by side; an answer
that is under way when the process stops is finished first.
"""
