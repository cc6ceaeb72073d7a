"""How many pods, shards and workers a size needs, and what a deploy or a storm does to them.

`costs` holds what was measured, `sizing` turns it into counts, `simulation` plays a deploy, the
loss of a pod and the return of everybody at that size.
"""
