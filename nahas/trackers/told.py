"""Telling trackers of a search; one that fails is left out, and the search goes on.

A tracker is a function of a batch of trials. It may be an object that has more:

* `begin(earlier)` is called before the first batch, with the trials [0 or more] that a resumed
  search goes on from. What it raises ends the command before anything is searched.
* `end(result, files)` is called once after the last batch: with the result and the report's files,
  or with None and no files where the search did not come to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from nahas import plugins
from nahas.study.trials import Trials

if TYPE_CHECKING:
    from nahas.problem import Search
    from nahas.result import SearchResult

Tracker = Callable[[Trials], None]
"""Is told of every batch, once it is in the study."""


@runtime_checkable
class Begins(Protocol):
    """A tracker that wants to know when a search begins."""

    def begin(self, earlier: Trials) -> None:
        """Take note of the trials that a resumed search goes on from; none of a new one."""
        ...


@runtime_checkable
class Ends(Protocol):
    """A tracker that wants to know when a search has ended."""

    def end(self, result: SearchResult | None, files: Sequence[Path]) -> None:
        """Take the result and the files of its report; None and none of a search that failed."""
        ...


class Trackers:
    """The trackers of one search; used as a context, in which every one is ended once.

    A batch is in the study before any tracker hears of it, so what a tracker raises can lose none:
    it is warned of, the tracker hears no more, and the search goes on.

    Args:
        named: trackers by name.
        warn: takes a sentence for people.
    """

    def __init__(self, named: Mapping[str, Tracker], warn: Callable[[str], None]) -> None:
        self._named = dict(named)
        self._warn = warn
        self._begun: list[str] = []

    @classmethod
    def of(cls, search: Search, names: Iterable[str], warn: Callable[[str], None]) -> Trackers:
        """The installed trackers of these names, made for a search.

        Raises:
            UsageError: when there is none of a name, or it cannot be made.
        """
        return cls({name: plugins.plugin(plugins.TRACKERS, name)(search) for name in names}, warn)

    def begin(self, earlier: Trials) -> None:
        """Tell that a search begins; what a tracker raises then passes through."""
        for name, tracker in self._named.items():
            if isinstance(tracker, Begins):
                tracker.begin(earlier)
            self._begun.append(name)

    def __call__(self, trials: Trials) -> None:
        """Tell of a batch."""
        self._tell(lambda tracker: tracker(trials))

    def end(self, result: SearchResult | None, files: Sequence[Path]) -> None:
        """Tell that the search has ended; each tracker that has begun hears it, once."""

        def ended(tracker: Tracker) -> None:
            if isinstance(tracker, Ends):
                tracker.end(result, files)

        self._tell(ended)
        self._begun = []

    def _tell(self, how: Callable[[Tracker], None]) -> None:
        for name in list(self._begun):
            try:
                how(self._named[name])
            except Exception as error:  # a plug-in may raise anything, and must lose no trial
                self._begun.remove(name)
                reason = " ".join(str(error).split()) or type(error).__name__
                self._warn(
                    f"tracker '{name}' has failed ({reason}): it hears no more of this search, "
                    "whose trials are all in its study"
                )

    def __enter__(self) -> Trackers:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(None, ())
