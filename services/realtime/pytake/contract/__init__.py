"""What crosses the wire: events, bodies, error codes and room names.

The models here are the one source of the protocol. `make contract` writes
AsyncAPI, JSON Schema, the TypeScript types and docs/protocol.md from them, and
refuses a change that would break a published client.
"""
