"""Wiring: brings settings, adapters and use cases together into processes.

Imports everybody and is imported by nobody. Each process loads its settings, opens
its neighbours, binds its listeners, says `listening`, and serves until SIGTERM.
"""
