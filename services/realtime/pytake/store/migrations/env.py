"""What Alembic runs: our migrations, in the transaction that `pytake.store.schema` holds."""

from alembic import context

from pytake.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Both databases can undo changes of the schema: a failed migration leaves nothing.
    transactional_ddl=True,
    render_as_batch=context.config.attributes["connection"].dialect.name == "sqlite",
)
context.run_migrations()
