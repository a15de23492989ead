"""Bringing a study of an older schema up to today's, one schema at a time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from nahas.files import written_whole
from nahas.study.schema import SCHEMA_VERSION

FROM = {
    1: """
        CREATE TABLE simulated (
            number INTEGER PRIMARY KEY,
            latency_ms REAL NOT NULL,
            energy_mj REAL NOT NULL,
            area_mm2 REAL NOT NULL,
            reason INTEGER NOT NULL,
            reward REAL NOT NULL,
            satisfied INTEGER NOT NULL
        )
        """,
    2: """
        ALTER TABLE trials ADD COLUMN phase INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE trials ADD COLUMN failure INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE in_flight (
            batch INTEGER PRIMARY KEY,
            choices BLOB NOT NULL
        )
        """,
}
"""What makes the next schema of each. Written once, never changed: old files are as they were."""


def version_of(database: sqlite3.Connection) -> int:
    """The schema of an open study."""
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(database: sqlite3.Connection) -> None:
    """Bring an open study to today's schema: in one transaction, so whole or not at all."""
    database.execute("BEGIN IMMEDIATE")
    try:
        for version in range(version_of(database), SCHEMA_VERSION):
            for statement in FROM[version].split(";"):
                database.execute(statement)
        database.execute("UPDATE study SET schema_version = ?", (SCHEMA_VERSION,))
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def migrate_file(database: sqlite3.Connection, path: Path) -> None:
    """Bring a study that is open for writing to today's schema, a copy of the old one beside it.

    Killed at any moment, the study is whole, of the old schema or of the new.
    """
    with written_whole(backup_of(path, version_of(database))) as copy:
        target = sqlite3.connect(copy)
        try:
            database.backup(target)
        finally:
            target.close()
    migrate(database)


def migrated_copy(database: sqlite3.Connection) -> sqlite3.Connection:
    """A study as it would be in today's schema, in memory: its file is left as it is."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.backup(copy)
        migrate(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def backup_of(path: Path, version: int) -> Path:
    """Where a study of an older schema is kept as it was before it was brought up."""
    return path.with_name(f"{path.name}.schema-{version}")
