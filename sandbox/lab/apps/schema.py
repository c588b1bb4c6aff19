"""The database schema of the stand-in backend: `npm run migrate` and `npm run migrate:status` end here.

Runs inside the image with Debian's own Python, so it knows nothing of this repository.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys

import psycopg

VERSIONS = ("0001_organizations", "0002_users", "0003_initial_admin")
# Two migrations started at once must follow each other; the number is the key of their advisory lock.
LOCK = 7_310_077


class MigrationError(Exception):
    """What the operator reads when a migration refuses to run."""


def hash_password(password: str) -> str:
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"scrypt${salt.hex()}${digest.hex()}"


def password_fits(password: str, stored: str) -> bool:
    _, salt, digest = stored.split("$")
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1)
    return secrets.compare_digest(found.hex(), digest)


def connect() -> psycopg.Connection:
    return psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5)


def applied(connection: psycopg.Connection) -> list[str]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    return [row[0] for row in connection.execute("SELECT version FROM schema_migrations ORDER BY version")]


def apply(connection: psycopg.Connection, version: str) -> None:
    if version == "0001_organizations":
        connection.execute(
            "CREATE TABLE organizations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL UNIQUE,"
            " created_at timestamptz NOT NULL DEFAULT now())"
        )
    elif version == "0002_users":
        connection.execute(
            "CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
            " organization_id uuid NOT NULL REFERENCES organizations, email text NOT NULL UNIQUE, name text NOT NULL,"
            " role text NOT NULL, password_hash text NOT NULL, must_change_password boolean NOT NULL,"
            " created_at timestamptz NOT NULL DEFAULT now())"
        )
    else:
        wanted = {name: os.environ.get(name, "") for name in ("ADMIN_EMAIL", "ADMIN_NAME", "ADMIN_PASSWORD")}
        if empty := [name for name, value in wanted.items() if not value]:
            raise MigrationError(f"{', '.join(empty)} must be set to create the initial administrator")
        owner = connection.execute(
            "INSERT INTO organizations (name) VALUES (%s) RETURNING id",
            [os.environ.get("ORGANIZATION_NAME") or "RecruitIQ"],
        ).fetchone()
        assert owner is not None
        connection.execute(
            "INSERT INTO users (organization_id, email, name, role, password_hash, must_change_password)"
            " VALUES (%s, lower(%s), %s, 'admin', %s, true)",
            [owner[0], wanted["ADMIN_EMAIL"], wanted["ADMIN_NAME"], hash_password(wanted["ADMIN_PASSWORD"])],
        )


def migrate() -> None:
    target = os.environ.get("MIGRATION_TARGET") or "latest"
    if target != "latest" and target not in VERSIONS:
        raise MigrationError(f"unknown migration target {target!r}; known: {', '.join(VERSIONS)}")
    last = len(VERSIONS) if target == "latest" else VERSIONS.index(target) + 1
    with connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        done = applied(connection)
        connection.commit()
        for version in VERSIONS[:last]:
            if version in done:
                print(f"{version}: already applied")
                continue
            with connection.transaction():
                apply(connection, version)
                connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [version])
            print(f"{version}: applied")
    print(f"Database is at {VERSIONS[last - 1]}")


def status() -> None:
    with connect() as connection:
        done = applied(connection)
    pending = [version for version in VERSIONS if version not in done]
    print(json.dumps({"applied": done, "pending": pending}))


def main() -> int:
    try:
        status() if sys.argv[1:] == ["status"] else migrate()
    except KeyError as absent:
        print(f"migration failed: {absent.args[0]} is not set", file=sys.stderr)
    except (MigrationError, psycopg.Error) as error:
        print(f"migration failed: {error}", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
