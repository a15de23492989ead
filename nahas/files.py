"""Writing files and folders that are whole or absent, and JSON that every reader takes."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block ends well.

    The data reach the disk before the name does, so a crash leaves the old file or the new
    one, never a half. When the block raises, the temporary file is removed.

    Raises:
        OSError: when the folder cannot be made or written, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) == temporary:
            error.filename = str(path.parent)  # that the user knows, unlike the temporary name
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary new folder beside `path`; rename it to `path` when the block ends well.

    When the block raises, the temporary folder is removed with all that is in it.

    Raises:
        OSError: when the folder cannot be made or written, the disk is full, or `path` is a
            folder that is not empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        for written in temporary.rglob("*"):
            if written.is_file():
                with written.open("rb") as file:
                    os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_npz(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """Write named arrays in NumPy's npz format, one at a time; the same bytes for equal arrays.

    `numpy.savez` before version 2.1 takes `allow_pickle` for the name of an array.

    Raises:
        ValueError: for an array of Python objects: nothing is pickled.
    """
    from numpy import asanyarray
    from numpy.lib.format import write_array

    with ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                write_array(member, asanyarray(array), allow_pickle=False)


def npz_bytes(arrays: Mapping[str, Any]) -> bytes:
    """What `write_npz` writes."""
    buffer = io.BytesIO()
    write_npz(buffer, arrays)
    return buffer.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def plain(value: Any) -> Any:
    """The JSON form of a value: NaN and infinities are null, enums are their names.

    Takes what the simulator and the search hand out: dataclasses, mappings, sequences, NumPy
    arrays and scalars, paths.
    """
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "tolist"):  # NumPy, which this module must not import
        return plain(value.tolist())
    return _plain_parts(value)


def _plain_parts(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def json_text(document: Any) -> str:
    """`document` as indented JSON that any parser takes, with a final newline."""
    return json.dumps(plain(document), indent=2, allow_nan=False) + "\n"
