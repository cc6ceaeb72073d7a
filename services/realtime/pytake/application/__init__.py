"""Use cases: one verb a file, and the ports that they need.

A use case decides by the rules of the domain and talks to the world through
`ports` alone, so that the same code serves SQLite and PostgreSQL, one process and
a cluster. Adapters implement ports; `processes/` brings both together.
"""
