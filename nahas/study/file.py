"""Opening study files, and what SQLite and the file system say, in sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nahas.errors import StudyError
from nahas.files import written_whole
from nahas.study import migrations, schema

_HEADER = b"SQLite format 3\x00"


def make(path: Path, row: tuple[object, ...]) -> None:
    """Write an empty study with this row of table `study`: whole, or not at all."""
    with written_whole(path) as new:
        database = sqlite3.connect(new, isolation_level=None)
        try:
            database.execute("BEGIN")
            for statement in schema.TABLES.split(";"):
                database.execute(statement)
            database.execute(schema.PUT_STUDY, row)
            database.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
            database.execute("COMMIT")
        finally:
            database.close()


def writable(path: Path) -> sqlite3.Connection:
    """Open for the one writer; a study of an older schema is brought up to today's."""
    _check_header(path)
    database = sqlite3.connect(path, isolation_level=None)
    try:
        version = _check(database, path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if version < schema.SCHEMA_VERSION:
            migrations.migrate_file(database, path)
    except BaseException:
        database.close()
        raise
    return database


def readable(path: Path) -> sqlite3.Connection:
    """Open for reading; a study at rest in a folder that cannot be written is read as it lies.

    Of a study of an older schema a copy is made in memory, brought up to today's.
    """
    _check_header(path)
    address = path.absolute().as_uri() + "?mode=ro"
    at_rest = not path.with_name(path.name + "-wal").exists()
    for suffix in ("", "&immutable=1") if at_rest else ("",):
        database = sqlite3.connect(address + suffix, uri=True, isolation_level=None)
        try:
            version = _check(database, path)
        except sqlite3.OperationalError:
            database.close()
            if suffix or not at_rest:
                raise
        except BaseException:
            database.close()
            raise
        else:
            return database if version == schema.SCHEMA_VERSION else _brought_up(database)
    raise AssertionError("the last attempt returns or raises")


def _brought_up(old: sqlite3.Connection) -> sqlite3.Connection:
    try:
        database = migrations.migrated_copy(old)
    finally:
        old.close()
    database.row_factory = sqlite3.Row
    return database


def check_exists(path: Path) -> None:
    """Raise a StudyError unless there is a file."""
    if not path.is_file():
        raise StudyError(f"there is no study {path}: check the name, or start it without --resume")


def is_study(path: Path) -> bool:
    """Whether a file is marked as a study, of whatever schema; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError:
        return False
    marked = int.from_bytes(header[68:72], "big") == schema.APPLICATION_ID
    return header.startswith(_HEADER) and marked


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        header = file.read(100)
    if not header.startswith(_HEADER) or len(header) < 100:
        raise StudyError(f"{path} is not a study: name another file; this one is left as it is")
    if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
        raise StudyError(
            f"{path} is a SQLite database, but not a study of nahas: name another file; "
            "this one is left as it is"
        )


def _check(database: sqlite3.Connection, path: Path) -> int:
    """Set rows to be read by name; raise a StudyError when the file is newer or damaged.

    Returns:
        its schema.
    """
    database.row_factory = sqlite3.Row
    version = migrations.version_of(database)
    if version < min(migrations.FROM):
        raise sqlite3.DatabaseError(f"there is no schema {version}")
    if version > schema.SCHEMA_VERSION:
        raise StudyError(
            f"study {path} has schema {version}, but this nahas knows up to "
            f"{schema.SCHEMA_VERSION}: install a newer nahas"
        )
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    return version


@contextmanager
def in_sentences(path: Path, lost: str = "") -> Iterator[None]:
    """Turn what SQLite and the file system say into a StudyError of one line: what to do.

    Args:
        path: of the study.
        lost: which trials are lost when the block fails; empty where none can be.
    """
    kept = lost or "nothing is lost"
    try:
        yield
    except sqlite3.Error as error:
        said = " ".join(str(error).split())
        refused = isinstance(error, sqlite3.OperationalError)
        if refused and "full" in said:
            raise StudyError(
                f"study {path}: the disk is full: {kept}; free some space, then continue "
                "with --resume"
            ) from error
        if _not_written(error):
            raise StudyError(
                f"study {path} could not be written ({said}): {kept}; look for a full quota or a "
                "limit of file sizes, and whether its disk works, then continue with --resume"
            ) from error
        if refused and ("readonly" in said or "unable to open" in said or "locked" in said):
            raise StudyError(
                f"study {path} cannot be written or opened here ({said}): {kept}; "
                "name a study in a folder that you may write"
            ) from error
        raise damaged(path, said, lost) from error
    except OSError as error:
        raise StudyError(
            f"study {path} cannot be used, as the system says '{error.strerror}': {kept}; "
            "name a study in a folder that you may write"
        ) from error


def _not_written(error: sqlite3.Error) -> bool:
    """Whether the system refused a write, for another reason than a full disk."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith("SQLITE_IOERR") and "READ" not in name


def damaged(path: Path, said: object, lost: str = "") -> StudyError:
    """The error of a study whose content cannot be what nahas wrote, in one line.

    It never says that nothing is lost: of a damaged file nobody knows.
    """
    why = " ".join(str(said).split())
    return StudyError(
        f"study {path} is damaged ({why}): {f'{lost}; ' if lost else ''}restore a copy, "
        "or start another study"
    )
