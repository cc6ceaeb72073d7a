"""The WhatsApp Cloud API, both ways: webhooks in, messages out.

Promises: a delivery is answered with 200 only after its raw body is stored; every item
of it is worked on its own, so that one bad item never takes its neighbours along; an
outbound message leaves in the order of its conversation, and whoever waits for it is told
what became of it. Leaves to others: who runs the loops (`relay`), where things are stored
(the ports), who is told (`Announcer`).

When the store is away, webhooks are answered 503 and Meta delivers again; when Meta is
away, the queue waits. Any number of webhook receivers may run; of the worker and of the
sender of a number only the holder of a lease works.
"""
