"""Run the migrations on the connection, and in the transaction, that portal/storage/schema.py has opened.

One transaction for the whole run: a migration that is killed leaves the schema as it was. On SQLite this needs the
explicit BEGIN of `Database.write`, because Python's sqlite3 does not roll back DDL otherwise.
"""

from alembic import context

from portal.storage.models import METADATA

connection = context.config.attributes["connection"]
# render_as_batch: SQLite cannot alter a table in place, so operations copy it.
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
