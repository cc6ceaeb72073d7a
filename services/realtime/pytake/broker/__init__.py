"""Between processes: durable events to the pods that read them, and short notes beside.

Promises: events of one publisher arrive in its order or not at all; a subscription that
was confirmed hears what is published after it; a link that is silently dead is noticed by
a canary within seconds and made anew. Nothing here is durable: Redis may lose, repeat
or reorder, and the gateway's sequencer heals that from the store.

When Redis is away, a publisher waits 250 ms once and then refuses at once until the link
is back; the relay publishes later what was refused. A feed reconnects with full jitter,
at most 5 s apart, subscribes again in batches, and tells its pod that it was away.

`memory` is the same inside one process. Closing drops what was not yet written.
"""
