"""What is remembered of trained children, so that none is trained twice."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nahas.children.training import Reason
from nahas.datafiles import check_schema_version
from nahas.errors import AccuracyError
from nahas.files import json_text, plain, write_text

SCHEMA_VERSION = 1
"""Version of the ledger; a reader refuses any other."""


@dataclass(frozen=True, kw_only=True)
class Child:
    """A child that is remembered.

    Attributes:
        accuracy_percent: top-1 on the validation images; NaN where its loss was not finite.
        epochs: that it finished.
        seconds: that they took.
        reason: why it ended before its end, in the words of `Reason`; empty if it did not.
    """

    accuracy_percent: float
    epochs: int
    seconds: float
    reason: str


@dataclass(frozen=True)
class Ledger:
    """The file that remembers children.

    Attributes:
        path: of a JSON file.
        identity: what its accuracies are.
        worker_time_limit_s: after which a worker is killed. Where it was another, children that
            were given up for their time are forgotten: they may be trained in time now.
    """

    path: Path
    identity: Mapping[str, Any]
    worker_time_limit_s: float | None = None

    def write(self, children: Mapping[str, Child]) -> None:
        """Write all children, whole or not at all.

        Raises:
            OSError: when it cannot be written.
        """
        remembered = {name: asdict(child) for name, child in children.items()}
        content = {
            "schema_version": SCHEMA_VERSION,
            **self.identity,
            "worker_time_limit_s": self.worker_time_limit_s,
            "children": remembered,
        }
        write_text(self.path, json_text(content))

    def read(self) -> dict[str, Child]:
        """The children that it remembers; none where there is no file.

        Raises:
            AccuracyError: when it is damaged, or of other children.
        """
        if not self.path.exists():
            return {}
        content = self._content()
        check_schema_version(content, self.path, SCHEMA_VERSION, AccuracyError)
        for name, ours in plain(self.identity).items():
            if content.get(name) != ours:
                raise AccuracyError(
                    f"{self.path}: remembers children of {name} {content.get(name)}, but here it "
                    f"is {ours}: name another run folder"
                )
        try:
            children = {name: _child(of) for name, of in content["children"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise AccuracyError(f"{self.path}: is damaged ({problem})") from problem
        if content.get("worker_time_limit_s") == self.worker_time_limit_s:
            return children
        return {name: child for name, child in children.items() if not _given_up_late(child)}

    def _content(self) -> dict[str, Any]:
        try:
            content: Any = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise AccuracyError(f"{self.path}: cannot be read ({problem})") from problem
        if not isinstance(content, dict):
            raise AccuracyError(f"{self.path}: is no ledger of children (it holds no object)")
        return content


def _child(remembered: Mapping[str, Any]) -> Child:
    accuracy = remembered["accuracy_percent"]
    return Child(**{**remembered, "accuracy_percent": math.nan if accuracy is None else accuracy})


def _given_up_late(child: Child) -> bool:
    """Whether a worker was killed over it for its time; one that ended itself has an accuracy."""
    return child.reason == Reason.TIME_LIMIT.value and math.isnan(child.accuracy_percent)
