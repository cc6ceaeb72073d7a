"""Statements that SQLite and PostgreSQL both know and SQLAlchemy has twice."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert

Values = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def insert_or_ignore(connection: AsyncConnection, table: Table, values: Values) -> Insert:
    """An insert that leaves rows that are there already as they are."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).values(values).on_conflict_do_nothing()
    return postgresql.insert(table).values(values).on_conflict_do_nothing()


def insert_or_replace(
    connection: AsyncConnection, table: Table, values: Values, key: Sequence[str]
) -> Insert:
    """An insert that gives a row of the same key the new values."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert: Any = dialect.insert(table).values(values)
    names = values if isinstance(values, Mapping) else values[0]
    changes = {name: insert.excluded[name] for name in names if name not in key}
    statement: Insert = insert.on_conflict_do_update(index_elements=list(key), set_=changes)
    return statement
