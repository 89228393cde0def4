"""Read by Alembic: run the scripts on the connection, and in the transaction, that the store opened."""

from alembic import context

from copilot.store.models import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
