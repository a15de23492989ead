"""What is told of every epoch: a CSV file, TensorBoard, and a note beside the progress."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nahas.costmodel.checkpoint import Row, State
from nahas.errors import UsageError
from nahas.files import write_text

Progress = Callable[[str, int, int, str], None]
"""Told what is being done, how much of it is done, how much there is, and a note."""


def log_path(model: Path) -> Path:
    """The log's place: beside the model, with the ending .csv."""
    return model.with_suffix(".csv")


def write_log(rows: Sequence[Row], path: Path) -> None:
    """Write a row for each epoch as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


class TensorBoard:
    """Writes the last row of the history for TensorBoard, a run for each member.

    Raises:
        UsageError: when TensorBoard, with which TensorFlow writes, is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:  # TensorFlow asks for it when it first writes
            raise UsageError(
                "--tensorboard needs TensorBoard, which is not installed: pip install tensorboard"
            )
        self._folder = folder
        self._writers: dict[int, Any] = {}

    def __call__(self, state: State) -> None:
        """Write the last epoch."""
        import tensorflow as tf

        if state.member not in self._writers:
            folder = self._folder / f"member_{state.member}"
            self._writers[state.member] = tf.summary.create_file_writer(str(folder))
        writer = self._writers[state.member]
        with writer.as_default(step=state.epoch):
            for name, value in state.history[-1].items():
                if name not in ("member", "epoch"):
                    tf.summary.scalar(name, value)
        writer.flush()


def note(row: Row) -> str:
    """The errors on the validation rows, in a few words."""
    heads = ("latency_ms", "energy_mj", "area_mm2")
    told = ", ".join(
        f"{head.partition('_')[0]} {row[f'validation_mape_log_{head}']:.2f} %" for head in heads
    )
    return f"validation MAPE: {told}"
