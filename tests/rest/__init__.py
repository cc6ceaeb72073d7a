"""A real API on a real port and a real SQLite store, for tests that speak HTTP to it."""
