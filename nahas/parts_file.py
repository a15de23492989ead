"""A Parquet file that grows part by part, and is there whole or not at all.

Parts of a batch each are written in a folder beside the file, whole or not at all. When the
last is there they become the file, under its name at once, and the folder goes. A run that is
killed leaves the folder; one that resumes it writes the same file as an unbroken one, byte by
byte.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nahas.errors import UsageError
from nahas.files import json_text, write_text, written_whole

ABOUT_FILE = "about.json"

PREFIX = "nahas_"
"""Of every key that nahas writes into a file's metadata."""


class PartsFile:
    """A growing Parquet file.

    Attributes:
        path: the file, which is there when all is done.
        folder: the parts until then.
        done: rows in the parts, from the first without a gap.
    """

    def __init__(self, path: Path, about: Mapping[str, str | int], *, resume: bool = False) -> None:
        """Begin the file, or go on with its parts.

        Args:
            path: the file.
            about: what it is of, its metadata without their `PREFIX`.
            resume: whether parts of it are there to go on with.

        Raises:
            UsageError: when pyarrow is absent, when the file or its parts exist and are not to
                be resumed, and when the parts are of something else or damaged.
        """
        self._parquet = pyarrow()[1]
        self.path = path
        self.folder = parts_of(path)
        self._about = dict(about)
        refuse_to_replace(path, resume=resume)
        if resume:
            self._check_parts()
        else:
            write_text(self.folder / ABOUT_FILE, json_text(self._about))
        self.done = 0
        for start, part in self._parts():
            if start != self.done:
                break
            with _told(part, self.folder):
                self.done += int(self._parquet.ParquetFile(part).metadata.num_rows)

    def _check_parts(self) -> None:
        file = self.folder / ABOUT_FILE
        try:
            before = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} cannot be read ({error}): remove {self.folder}") from error
        for key, value in self._about.items():
            if before.get(key) != value:
                raise UsageError(
                    f"{self.folder} holds parts whose {key.replace('_', ' ')} is "
                    f"{before.get(key)}, but now it is {value}: finish them as they were begun, or "
                    "remove them"
                )

    def _parts(self) -> list[tuple[int, Path]]:
        found = self.folder.glob("part-*.parquet")
        return sorted((int(path.stem.partition("-")[2]), path) for path in found)

    def write(self, start: int, table: Any) -> None:
        """Add a PyArrow table whose first row is row `start` of the file."""
        with written_whole(self.folder / f"part-{start:012d}.parquet") as temporary:
            self._parquet.write_table(table, temporary, compression="zstd")
        self.done = start + table.num_rows

    def tables(self) -> Iterator[Any]:
        """The parts so far as PyArrow tables, in order."""
        for _, part in self._parts():
            with _told(part, self.folder):
                table = self._parquet.ParquetFile(part).read()
            yield table

    def finish(self, more: Mapping[str, str] | None = None) -> None:
        """Make the parts the file, a row group each, and remove their folder.

        Args:
            more: further metadata, known only now.
        """
        about = {**self._about, **(more or {})}
        keys = {f"{PREFIX}{key}": str(value) for key, value in about.items()}
        schema = next(self.tables()).schema.with_metadata(keys)
        with (
            written_whole(self.path) as temporary,
            self._parquet.ParquetWriter(
                temporary, schema, compression="zstd", write_page_checksum=True
            ) as writer,
        ):
            for table in self.tables():
                writer.write_table(table.replace_schema_metadata(keys))
        shutil.rmtree(self.folder)


@contextmanager
def _told(part: Path, folder: Path) -> Iterator[None]:
    """Turn what pyarrow says of a damaged part into a sentence."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise UsageError(f"{part} cannot be read ({error}): remove {folder}") from error


def parts_of(path: Path) -> Path:
    """The folder of a file's parts."""
    return path.with_name(path.name + ".partial")


def refuse_to_replace(path: Path, *, resume: bool) -> None:
    """Raise a UsageError where beginning or resuming a file would lose or find nothing."""
    folder = parts_of(path)
    if path.exists():
        raise UsageError(f"{path} exists already: name another file, or remove it")
    if resume and not folder.is_dir():
        raise UsageError(f"there is no {folder} to resume: leave --resume out to begin {path}")
    if folder.exists() and not resume:
        raise UsageError(
            f"{folder} holds a part of {path}: go on with --resume, name another file, or remove it"
        )


def pyarrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`, or a UsageError that says how to get them."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            "a Parquet file needs pyarrow, which is not installed: run pip install 'nahas[data]'"
        ) from error
    return pyarrow, parquet
