"""A rolling upgrade as Kubernetes would do it, over real processes.

`orders` reads from the rendered chart what Kubernetes is told; `pods` is the kubelet: probes,
preStop, SIGTERM, grace; `deployment` replaces pods by the strategy; `release` is the cluster around
them; `versions` makes the next version; `report` says what users would have noticed. Not replayed:
limits of CPU and memory, scheduling, and the network between nodes.
"""
