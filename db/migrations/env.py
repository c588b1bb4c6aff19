"""Alembic's entry: the connection string comes from the caller (`db.migrate.upgrade`), never from a file."""

from alembic import context
from sqlalchemy import create_engine, pool

from db import models
from db.base import Base

_ = models  # with it all tables are in the metadata

config = context.config


def run_migrations_online() -> None:
    engine = create_engine(config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
        # Two starting processes must not migrate at once; the lock goes with the connection.
        connection.exec_driver_sql("select pg_advisory_lock(7466891)")
        connection.commit()
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run_migrations_online()
