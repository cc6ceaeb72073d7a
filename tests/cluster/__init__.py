"""A whole PyTake on one machine: real servers, real pods, a real proxy.

The tests use it as fixtures, `make cluster` runs it in the foreground. Everything listens on
loopback, lives in a temporary folder, and is stopped by its process id. When the process that
started a cluster is killed, a watchdog stops what it left behind.

The calls are synchronous and short; from a running event loop use `asyncio.to_thread`.
"""
