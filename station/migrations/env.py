"""Alembic's entry: runs the migrations on the connection that `station.database` opened, in its transaction.

The connection and the metadata come in through the configuration's attributes, so nothing is imported here
and no second connection is made. The same file serves SQLite and PostgreSQL.
"""

from alembic import context


def migrate() -> None:
    given = context.config.attributes
    context.configure(
        connection=given["connection"],
        target_metadata=given["metadata"],
        render_as_batch=True,  # SQLite cannot alter a table in place
    )
    with context.begin_transaction():
        context.run_migrations()


migrate()
