"""The Socket.IO pod: who is connected here, and what each connection is told.

Promises: every durable event reaches the members of its conversation once and in `seq`
order, whatever the broker does (`sequencer`, `rooms`); nobody is told anything about a
conversation that he may not see (`rights`); every client event is answered.

It leaves the truth to the store, which it only reads, and the way between pods to a feed
and to Socket.IO's own manager. When the broker is away, heads are compared with the store
every second and events come that way. When the store is away, joins are refused as
`unavailable` and live events flow on.

Everything runs in one event loop; what goes out to clients is written synchronously, so
that "the last check and the attach" can be one turn of the loop. Drain and end: `drain`.
"""
