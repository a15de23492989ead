"""Measured CIFAR-10 accuracies of the `macro` space: the published table of NAS-Bench-Macro.

Source: Su et al., arXiv 2103.11922, https://github.com/xiusu/NAS-Bench-Macro, Apache-2.0.
"""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.errors import AccuracyError, SpaceError
from nahas.files import written_whole
from nahas.spaces import macro
from nahas.spaces.space import ChoiceArray

LABEL = "CIFAR-10 top-1 %, measured (NAS-Bench-Macro, mean of 3 seeds)"

ADDRESS = (
    "https://raw.githubusercontent.com/xiusu/NAS-Bench-Macro/61a2bfc/"
    "data/nas-bench-macro_cifar10.json"
)
SHA256 = "686dee8363cc21cca8c1f321ad5749454f2d9b9ca5972682e137e539bc522297"
"""Of the table's bytes. It was computed from a copy that states commit 61a2bfc as its origin; a
file at `ADDRESS` that differs in a single byte is refused, never used."""

TIMEOUT_S = 30.0
MOST_BYTES = 8_000_000
"""The table has 1.2 MB; whatever sends more than this is not it."""


@dataclass(frozen=True, eq=False)
class Table:
    """Measured accuracy of every `macro` network; an `AccuracyBackend`.

    Attributes:
        by_key: [3] * 8 top-1 in percent, indexed by the digits of a network's key.
    """

    by_key: NDArray[np.float64]

    @property
    def label(self) -> str:
        """What this accuracy is."""
        return LABEL

    def accuracy(self, choices: ChoiceArray) -> NDArray[np.float64]:
        """Measured top-1 in percent [B] of network choices [B, 8].

        Raises:
            AccuracyError: when a choice lies outside the space.
        """
        try:
            macro.network_space().space.check(choices)
        except SpaceError as problem:
            raise AccuracyError(f"the table has no such network: {problem}") from problem
        return np.asarray(self.by_key[tuple(choices.T)], dtype=np.float64)


def load_table(path: str | Path) -> Table:
    """Read the published table from its JSON file.

    Raises:
        AccuracyError: when the file is missing, no such table, incomplete, or holds an
            accuracy that is not a percentage. Names the file and the network.
    """
    path = Path(path)
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise AccuracyError(f"{path}: cannot be read ({problem.strerror or problem})") from problem
    except (ValueError, RecursionError) as problem:
        raise AccuracyError(f"{path}: is not a JSON file ({problem})") from problem
    if not isinstance(content, dict):
        raise AccuracyError(
            f"{path}: holds a {type(content).__name__}, but a mapping of networks is needed"
        )
    space = macro.network_space().space
    if len(content) != space.size:
        raise AccuracyError(
            f"{path}: has {len(content):,} networks, but NAS-Bench-Macro has {space.size:,}"
        )
    shape = tuple(int(count) for count in space.cardinalities)
    by_key = np.empty(shape)
    for digits in np.ndindex(shape):
        by_key[digits] = _mean(path, content, "".join(map(str, digits)))
    return Table(by_key)


def _mean(path: Path, content: Mapping[str, Any], key: str) -> float:
    if key not in content:
        raise AccuracyError(f"{path}: network '{key}' is missing")
    entry = content[key]
    mean: Any = entry.get("mean_acc") if isinstance(entry, dict) else None
    # A bool is an int to Python; NaN fails both comparisons.
    if isinstance(mean, bool) or not isinstance(mean, int | float) or not 0.0 <= mean <= 100.0:
        raise AccuracyError(
            f"{path}: network '{key}': mean_acc is {mean!r}, but a number from 0 to 100 is needed"
        )
    return float(mean)


def cached_table() -> Path:
    """Where a downloaded table is kept: below XDG_CACHE_HOME, else below ~/.cache."""
    # The specification of XDG_CACHE_HOME says that a relative path is to be ignored.
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    folder = named if named.is_absolute() else Path.home() / ".cache"
    return folder / "nahas" / "nas-bench-macro_cifar10.json"


def download_table(destination: Path | None = None, address: str = ADDRESS) -> Path:
    """Get the published table, unless it is there already, and return where it lies.

    Args:
        destination: the file to write; None is `cached_table()`. What lies there is used if it
            is the table, and replaced if it is not.
        address: whence; any address that urllib opens, but the bytes must be those of `SHA256`.

    Raises:
        AccuracyError: when there is no network, or what came is not the table; then nothing
            is written.
        OSError: when the file cannot be written.
    """
    destination = destination or cached_table()
    if destination.is_file() and _digest(destination.read_bytes()) == SHA256:
        return destination
    content = _fetched(address)
    found = _digest(content)
    if found != SHA256:
        raise AccuracyError(
            f"{address}: is not the table that nahas knows (SHA-256 {found}, expected {SHA256}); "
            "get the file by other means and name it with --table"
        )
    with written_whole(destination) as temporary:
        temporary.write_bytes(content)
    return destination


def _fetched(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read(MOST_BYTES))
    except (OSError, HTTPException, ValueError) as problem:
        reason = getattr(problem, "reason", None) or problem
        raise AccuracyError(
            f"{address}: cannot be downloaded ({reason}); where there is no network, get the file "
            "by other means and name it with --table"
        ) from problem


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
