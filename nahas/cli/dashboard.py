"""What `nahas cosearch` shows while it searches: a board on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from nahas.cli.output import Output
from nahas.cli.tally import CANNOT_RUN, NO_ACCURACY, Tally
from nahas.report.summary import UNITS, WORDS, significant
from nahas.study.trials import Trials

REDRAWN_PER_SECOND = 4
"""A board is drawn by a thread of its own, however quick the batches come."""

GAP = "   "
"""Between two things of a line."""

LEVELS = "▁▂▃▄▅▆▇█"
SPARKS = 24
LEAST_BAR, MOST_BAR = 10, 40

HINT = "Ctrl-C ends the search after the batch in flight and keeps it"
STOPPING = "stopping after the batch in flight; Ctrl-C again stops at once and loses it"


class Board:
    """A tally as lines that fit a terminal; rich draws it.

    Args:
        tally: what to show.
        phases: what each phase of the search searches, and the number of its first trial; empty
            where it has none.
        in_flight: batches that are measured at the same time; 0 where there is no window.
        pareto: whether the search is for a front, so that no trial is the best.
    """

    def __init__(
        self,
        tally: Tally,
        phases: Sequence[tuple[str, int]] = (),
        *,
        in_flight: int = 0,
        pareto: bool = False,
    ) -> None:
        self.tally = tally
        self.phases = phases
        self.in_flight = in_flight
        self.pareto = pareto
        self.stopping = False

    def stop(self) -> None:
        """Say from now on that the search is about to stop."""
        self.stopping = True

    @property
    def note(self) -> str:
        """The state of the search in some words, for a plain line."""
        return ", ".join((_note(self.tally, pareto=self.pareto), *self._where()))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw; never wider than the terminal."""
        plain = options.ascii_only
        lines = [
            _progress_line(self.tally, options.max_width, plain),
            *([] if self.pareto else _best_lines(self.tally, options.max_width, plain)),
            *_share_lines(self.tally, options.max_width),
            *self._last_lines(options.max_width),
        ]
        for line in lines:
            line.no_wrap = True
            line.overflow = "ellipsis" if not plain else "crop"
        yield Group(*lines)

    def _last_lines(self, width: int) -> list[Text]:
        volume = [_volume(self.tally)] if self.pareto else []
        parts = [Text(part) for part in (*volume, *self._where())]
        hint = Text(STOPPING, "yellow") if self.stopping else Text(HINT, "dim")
        return [*_filled(width, parts), hint]

    def _where(self) -> Iterator[str]:
        """Which phase the search is in, and how many batches at once."""
        if self.phases:
            begun = max(1, sum(first <= self.tally.done for _, first in self.phases))
            yield f"phase {begun} of {len(self.phases)}: {self.phases[begun - 1][0]}"
        if self.in_flight:
            yield f"{self.in_flight} batches in flight"


@contextmanager
def dashboard(out: Output, board: Board) -> Iterator[Callable[[Trials], None]]:
    """Show how a search goes while the block runs; give what takes its batches.

    On a terminal the board is drawn in place; elsewhere there is a line now and then, and
    nothing where nothing is to be said.
    """
    tally = board.tally
    if not (out.talks and sys.stderr.isatty() and not out.stderr.is_dumb_terminal):
        with out.progress("searching", tally.total) as ticker:

            def tell(trials: Trials) -> None:
                tally.add(trials)
                ticker.update(tally.done, board.note)

            yield tell
        return
    with Live(
        board,
        console=out.stderr,
        refresh_per_second=REDRAWN_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        vertical_overflow="crop",
    ):
        yield tally.add


def _volume(tally: Tally) -> str:
    return f"hypervolume {tally.hypervolume:.4g}"


def _note(tally: Tally, *, pareto: bool) -> str:
    """How good what was found is, in some words."""
    if pareto:
        return f"{_volume(tally)}, {tally.shares()[CANNOT_RUN].overall:.0%} cannot run"
    missing = tally.missed
    if tally.best is None:
        return f"nothing that runs yet, {missing:.0%} miss a target"
    return f"best reward {tally.best['reward']:.2f}, {missing:.0%} miss a target"


def _progress_line(tally: Tally, width: int, plain: bool) -> Text:
    """A bar, how many trials are done, how quick, and how long it will take."""
    parts = [f"{tally.done:,} of {tally.total:,} trials"]
    if (rate := tally.per_second) is not None:
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
    left = tally.seconds_left
    parts.append("" if left is None else f"{_clock(left)} left")
    said = _fitting(width, [Text(part) for part in parts if part])
    room = width - len(said) - len(GAP)
    if room < LEAST_BAR:
        return said
    length = min(room, MOST_BAR)
    full = round(length * min(1.0, tally.done / tally.total))
    done, rest = "#." if plain else "━┄"
    return Text.assemble((done * full, "green"), (rest * (length - full), "dim"), GAP, said)


def _best_lines(tally: Tally, width: int, plain: bool) -> list[Text]:
    """The best design so far, and how its reward rose."""
    best = tally.best
    if best is None:
        return [Text("best: no design that runs yet")]
    met = (
        Text("meets every target", "green") if best["satisfied"] else Text("misses a target", "red")
    )
    first = [
        Text.assemble("best: reward ", (f"{best['reward']:.2f}", "bold")),
        *([] if plain else [Text(sparkline(tally), "cyan")]),
        *([met] if tally.limits else []),
        Text(f"trial {best['number']:,}"),
    ]
    return [_fitting(width, first), *_filled(width, [*_measures(best, tally.limits, plain)])]


def _measures(best: Mapping[str, Any], limits: Mapping[str, float], plain: bool) -> Iterator[Text]:
    yield Text(f"accuracy {best['accuracy']:.2f} %")
    for metric, unit in UNITS.items():
        shown = unit.replace("²", "2") if plain else unit
        value, limit = best[metric], limits.get(metric)
        text = Text.assemble(f"{WORDS[metric]} ", (significant(value), _colour(value, limit)))
        text.append("" if limit is None else f" {'<=' if plain else '≤'} {significant(limit)}")
        yield text.append(f" {shown}")


def _colour(value: float, limit: float | None) -> str:
    if limit is None:
        return ""
    return "green" if value <= limit else "red"


def _share_lines(tally: Tally, width: int) -> list[Text]:
    """How many trials miss what, of late and of all."""
    shares = tally.shares()
    if not shares[NO_ACCURACY].overall:
        del shares[NO_ACCURACY]
    label = max(len(_words(name)) for name in shares)
    lines = [Text(f"{'':{label}}{GAP}last {tally.recent_trials:<5,}{GAP}all", "dim")]
    reasons = ", ".join(f"{name} {share:.0%}" for name, share in tally.reasons().items())
    for name, share in shares.items():
        line = Text(f"{_words(name):{label}}{GAP}{share.recent:>8.0%}{GAP}  {share.overall:>4.0%}")
        if name == CANNOT_RUN and reasons and width >= 60:
            line.append(f"{GAP}{reasons}", "dim")
        lines.append(line)
    return lines


def _words(name: str) -> str:
    return f"misses {WORDS[name]}" if name in WORDS else name


def sparkline(tally: Tally, columns: int = SPARKS) -> str:
    """The best reward over the trials so far, as a row of bars; of one height till it rises."""
    if not tally.improvements:
        return ""
    numbers, rewards = (np.array(part) for part in zip(*tally.improvements, strict=True))
    at = np.searchsorted(numbers, np.linspace(numbers[0], tally.done - 1, columns), side="right")
    values = rewards[np.maximum(at - 1, 0)]
    lowest, highest = values.min(), values.max()
    heights = (values - lowest) / (highest - lowest) if highest > lowest else np.zeros(columns)
    return "".join(LEVELS[round(height * (len(LEVELS) - 1))] for height in heights.tolist())


def _fitting(width: int, parts: Sequence[Text]) -> Text:
    """The first parts that fit a line; the first one always."""
    line = parts[0].copy()
    for part in parts[1:]:
        if line.cell_len + len(GAP) + part.cell_len > width:
            break
        line.append(GAP).append_text(part)
    return line


def _filled(width: int, parts: Sequence[Text]) -> list[Text]:
    """All parts, on as many lines as they need."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + len(GAP) + part.cell_len <= width:
            lines[-1].append(GAP).append_text(part)
        else:
            lines.append(part.copy())
    return lines


def _clock(seconds: float) -> str:
    """A time as people write it: 0:42, 3:05:00."""
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
