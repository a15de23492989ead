"""The tracker `tensorboard`: curves of a search in the folder `tensorboard` of its run.

Needs the extra `tb`. TensorBoard's own record writer is used, on a file of our own: its higher
ones import TensorFlow where it is installed, which takes seconds and half a gigabyte.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.errors import UsageError
from nahas.study.trials import Trials
from nahas.trackers.scalars import Scalars, scalars_of

if TYPE_CHECKING:
    from nahas.problem import Search
    from nahas.result import SearchResult

FOLDER = "tensorboard"
"""Beside the study."""

EVENTS = "events.out.tfevents."
"""How TensorBoard knows its files; what follows is their order."""

VERSION = "brain.Event:2"
"""What the first record of such a file says."""


def tracker(search: Search) -> TensorBoard:
    """The tracker of a search.

    Raises:
        UsageError: when TensorBoard is not installed, or no study is kept.
    """
    try:
        from tensorboard.compat.proto import event_pb2
    except ImportError as error:
        raise UsageError(
            f"TensorBoard cannot be imported ({error}): pip install 'nahas[tb]'"
        ) from error
    if search.study is None:
        raise UsageError(
            "tracker 'tensorboard' writes beside the study: name its file with --study"
        )
    return TensorBoard(search.study.parent / FOLDER, event_pb2.Event, scalars_of(search))


class TensorBoard:
    """Writes scalars after every batch, at the step of its last trial.

    A search that begins anew removes the curves of the one before; a resumed one goes on.
    """

    def __init__(self, folder: Path, event: Any, scalars: Scalars) -> None:
        self._folder, self._event = folder, event
        self._records: Any = None
        self._scalars = scalars

    def begin(self, earlier: Trials) -> None:
        """Begin a file of events."""
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._folder.mkdir(parents=True, exist_ok=True)
        if not len(earlier):
            for path in self._folder.glob(f"{EVENTS}*"):
                path.unlink()
        self._scalars.recall(earlier)
        name = f"{EVENTS}{time.time():.6f}.{os.getpid()}"
        self._records = RecordWriter((self._folder / name).open("xb"))
        self._write(time.time(), file_version=VERSION)

    def __call__(self, trials: Trials) -> None:
        """Write the numbers after a batch."""
        numbers: Mapping[str, float] = self._scalars.after(trials)
        values = [
            {"tag": f"search/{name}", "simple_value": value} for name, value in numbers.items()
        ]
        step = int(trials.number[-1])
        self._write(float(trials.time[-1]), step=step, summary={"value": values})

    def end(self, _result: SearchResult | None, _files: Sequence[Path]) -> None:
        """Close the file."""
        if self._records is not None:
            self._records.close()

    def _write(self, wall_time: float, **content: Any) -> None:
        event = self._event(wall_time=wall_time, **content)
        self._records.write(event.SerializeToString())
        self._records.flush()
