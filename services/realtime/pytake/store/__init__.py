"""The database: what was said, in which order, and who may see it.

It promises that message, number and event become visible together, that the log of a
conversation has neither holes nor repeats, and that storing the same again finds what
is there. It leaves telling anybody to others: the log is also the outbox.

Any number of processes may use one database at a time; the writers of one conversation
queue in their process first and for its row then. A database that is away, frozen or too
busy is `Unavailable` within five seconds, and used again as soon as it answers. Closing
ends connections at once: what had not been committed did not happen.
"""

from pytake.store.engine import StoreNotUsable
from pytake.store.schema import migrate
from pytake.store.store import Store, open_store

__all__ = ["Store", "StoreNotUsable", "migrate", "open_store"]
