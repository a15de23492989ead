"""The card of an export: what its files are, where they come from and how accurate they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nahas.children.export.measure import Agreement
from nahas.manifest import installed_version, versions

SCHEMA_VERSION = 1
"""Version of the card."""

CARD = "card.json"

CONVERTERS = ("tf2onnx", "onnx", "onnxruntime", "ai-edge-litert")
"""Distributions whose versions can change a file or its accuracy, beside TensorFlow and Keras."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A child in one format.

    Attributes:
        format: key of `FORMATS`.
        file: its file, or folder, beside the card.
        kib: its size, 1,024 bytes each.
        runtime: what ran it when its accuracy was measured, with its version.
        agreement: its accuracy beside the child's.
        quantisation: how it was quantised, and what its input and output stand for; None for
            float32.
    """

    format: str
    file: str
    kib: float
    runtime: str
    agreement: Agreement
    quantisation: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class ExportCard:
    """Facts about the files of one export.

    Attributes:
        network: the child's name, as a search prints it.
        dataset: on which its forms were measured.
        accuracy_label: what every accuracy of the card is.
        input: size of the image, the range of its pixels, and the mean and deviation by which
            the files standardise it themselves.
        output: 'logits' or 'probabilities'.
        classes: names, in the order of the outputs.
        forms: the child in each format.
        trained: the card that was written when the child was trained.
        sha256: of every file, by its path beside the card.
        versions: of nahas, Python and the distributions that a number may depend on.
    """

    network: str
    dataset: str
    accuracy_label: str
    input: Mapping[str, Any]
    output: str
    classes: tuple[str, ...]
    forms: tuple[Form, ...]
    trained: Mapping[str, Any]
    sha256: Mapping[str, str]
    versions: Mapping[str, str | None]
    schema_version: int = SCHEMA_VERSION


def kib(path: Path) -> float:
    """Size of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in _files(path)) / 1024


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, by its path in it."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in _files(folder)
    }


def all_versions() -> dict[str, str | None]:
    """Versions of what a number of the card may depend on; None where absent."""
    return versions() | {name: installed_version(name) for name in CONVERTERS}


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [file for file in sorted(path.rglob("*")) if file.is_file()]
