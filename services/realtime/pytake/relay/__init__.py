"""What is done behind the requests: publishing what was left behind, working off webhooks,
sending to WhatsApp, and telling the cluster each second that all this is alive.

Promises: a stored event is published at least once, however processes die; a stored webhook
is worked off at least once; of each number one process sends at a time. Any number of relays
may run: conversations are claimed, the webhook worker and each sender are held by leases that
run out, so a dead relay is replaced within seconds. Without the store or Redis every loop
waits and tries again; nothing is lost meanwhile. It stops by cancellation, between two items.
"""
