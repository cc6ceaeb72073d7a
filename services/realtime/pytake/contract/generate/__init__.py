"""Writes what others read of the contract: AsyncAPI, JSON Schema, TypeScript, a page.

    python -m pytake.contract.generate            # write; refuse a breaking change
    python -m pytake.contract.generate --check    # exit 1 if a file is not current
    python -m pytake.contract.generate --decision docs/decisions/0007-….md

The JSON Schema of the last publication is compared with the new one. A change that
would break a published client is refused unless a decision page tells of it.
"""
