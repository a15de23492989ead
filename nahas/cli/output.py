"""What a command prints: its result on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

import nahas
from nahas.files import json_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress
    from rich.table import Table

SCHEMA_VERSION = 1
"""Version of every JSON document: raised when a key changes its meaning or goes."""

PLAIN_WIDTH = 400
"""Columns of a table that goes to a file or a pipe, where nothing may be cut."""

SECONDS_BETWEEN_LINES = 10.0
"""How often progress is told where it cannot be redrawn."""


def wants_colour(stream: IO[str]) -> bool:
    """Whether to colour a stream: NO_COLOR wins, then FORCE_COLOR, then a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Output:
    """Where a command prints, and how much.

    Attributes:
        command: the command's name, which JSON documents carry.
        json: print one JSON document and no table.
        verbosity: -1 for results and errors only, 0, or 1 and more for details.
        debug: show tracebacks.
    """

    def __init__(
        self, command: str, *, json: bool = False, verbosity: int = 0, debug: bool = False
    ) -> None:
        self.command = command
        self.json = json
        self.verbosity = verbosity
        self.debug = debug
        self.warnings: list[str] = []

    @cached_property
    def stdout(self) -> Console:
        """The console of results."""
        return _console(sys.stdout)

    @cached_property
    def stderr(self) -> Console:
        """The console of talk."""
        return _console(sys.stderr)

    @property
    def talks(self) -> bool:
        """Whether anything but results and errors is printed.

        With `--json` only where it cannot get between the lines of the document: on a
        terminal that stdout does not go to.
        """
        if self.json and (sys.stdout.isatty() or not sys.stderr.isatty()):
            return False
        return self.verbosity >= 0

    def say(self, text: str) -> None:
        """Tell a person something, on stderr."""
        if self.talks:
            self.stderr.print(text, soft_wrap=True)

    def detail(self, text: str) -> None:
        """Tell more, on stderr, with `-v`."""
        if self.verbosity > 0:
            self.say(text)

    def warn(self, text: str) -> None:
        """Warn on stderr, and in the JSON document's `warnings`."""
        self.warnings.append(text)
        if self.talks:
            self.stderr.print(f"warning: {text}", style="yellow", soft_wrap=True)

    def show(self, document: Mapping[str, Any], *parts: RenderableType) -> None:
        """Print the result: `document` with `--json`, else the parts, one below the other."""
        if self.json:
            header = {
                "schema_version": SCHEMA_VERSION,
                "command": self.command,
                "nahas_version": nahas.__version__,
            }
            sys.stdout.write(json_text({**header, **document, "warnings": self.warnings}))
            sys.stdout.flush()
            return
        for part in parts:
            if isinstance(part, str):
                self.stdout.print(part, soft_wrap=True)
            else:
                self._print_uncut(part)

    def _print_uncut(self, part: RenderableType) -> None:
        """Print a table. On a terminal too narrow for its numbers, lines wrap: none is cut."""
        width = self.stdout.width
        self.stdout.width = max(width, getattr(part, "min_width", None) or 0)
        try:
            self.stdout.print(part, crop=False)
        finally:
            self.stdout.width = width

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Ticker]:
        """A progress bar on a terminal, a line now and then elsewhere, nothing if silent."""
        ticker = Ticker(self, description, total)
        try:
            ticker.start()
            yield ticker
        finally:
            ticker.stop()


def _rate(done: int, seconds: float) -> str:
    """How quick a job is: so many a second, or so many seconds for each."""
    if not done:
        return ""
    return f"{done / seconds:,.0f}/s" if done >= seconds else f"{seconds / done:,.1f} s each"


class Ticker:
    """Progress of one long job; made by `Output.progress`."""

    def __init__(self, out: Output, description: str, total: int) -> None:
        self._out = out
        self._description = description
        self._total = total
        self._told = time.monotonic()
        self._first: tuple[int, float] | None = None
        self._bar: Progress | None = None

    def start(self) -> None:
        """Draw the empty bar where there is a terminal."""
        if not (self._out.talks and sys.stderr.isatty()):
            return
        from rich import progress as rich_progress

        self._bar = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(bar_width=24),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("{task.fields[rate]}"),
            rich_progress.TextColumn("{task.fields[note]}"),
            rich_progress.TimeRemainingColumn(compact=True),
            console=self._out.stderr,
            transient=True,
        )
        self._bar.add_task(self._description, total=self._total, note="", rate="")
        self._bar.start()

    def update(self, done: int, note: str = "") -> None:
        """Tell that `done` of the total are done, with a note such as the best so far.

        The rate counts from the first call: what was done before may have been done in an
        earlier run, or while kernels were compiled.
        """
        now = time.monotonic()
        rate = ""
        if self._first is None:
            self._first = done, now
        elif now > self._first[1]:
            rate = _rate(done - self._first[0], now - self._first[1])
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, note=note, rate=rate)
        elif now - self._told > SECONDS_BETWEEN_LINES:
            self._told = now
            parts = [f"{self._description}: {done} of {self._total}", rate, note]
            self._out.say(", ".join(part for part in parts if part))

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> Table:
    """A table. A column whose name starts with '>' is set to the right, as numbers are.

    A cell that is a rich Text keeps its style; any other is its `str`; None is an empty cell.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        made.add_column(
            Text(name.lstrip(">")),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right,
        )
    for row in rows:
        made.add_row(
            *(
                cell if isinstance(cell, Text) else Text("" if cell is None else str(cell))
                for cell in row
            )
        )
    return made


def _console(stream: IO[str]) -> Console:
    from rich.console import Console

    terminal = stream.isatty()
    coloured = wants_colour(stream)
    return Console(
        file=stream,
        color_system=("auto" if terminal else "standard") if coloured else None,
        force_terminal=True if coloured else None,
        width=None if terminal or "COLUMNS" in os.environ else PLAIN_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )
