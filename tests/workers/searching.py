"""A search whose networks are trained by workers, on a space of arithmetic."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from nahas.accuracy import trained
from nahas.accuracy.trained import Elsewhere, TrainedChildren
from nahas.children.data import Images, in_memory
from nahas.children.jobs import Images as Opened
from nahas.children.recipe import Recipe
from nahas.problem import Search
from nahas.strategies import searched
from nahas.study.trials import Trials
from nahas.workers.pool import GivenUpError
from tests.fakes import fake_problem

SEARCH = Search(space="macro", controller="reinforce", trials=32, batch=6, ahead=2)


class Here:
    """Workers that are none: a task is done when it is submitted."""

    time_limit_s = None

    def open(self):
        return self

    def submit(self, function, *arguments):
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except GivenUpError as given_up:
            future.set_exception(given_up)
        return future

    def close(self):
        pass


@dataclass
class Kept:
    """Workers that were opened by someone else, who closes them."""

    pool: Any
    time_limit_s: float | None = None

    def open(self):
        return self

    def submit(self, function, *arguments):
        return self.pool.submit(function, *arguments)

    def close(self):
        pass


def dataset():
    pixels = np.arange(64 * 8 * 8, dtype=np.uint8).reshape(64, 8, 8, 1)
    images = Images(pixels, np.arange(64) % 2)
    return in_memory("arithmetic", {"train": images, "validation": images, "test": images})


def children(space, workers, folder: Path, halving=None) -> TrainedChildren:
    """A back-end whose children are `trained._trained_job`, to be replaced."""
    elsewhere = Elsewhere(workers=workers, images=Opened(name_or_path="nowhere"))
    ledger = folder / "children.json"
    recipe = Recipe(epochs=4, batch=32)
    how = {"ledger": ledger, "halving": halving, "elsewhere": elsewhere}
    return TrainedChildren(space, dataset(), recipe, **how)


def search_by(monkeypatch, job, workers, folder: Path, **more) -> Trials:
    """The trials of a search whose children are trained by `job`, kept in a folder."""
    monkeypatch.setattr(trained, "_trained_job", job)
    folder.mkdir(exist_ok=True)
    progress = more.pop("progress", lambda _: None)
    halving = more.pop("halving", None)
    search = replace(SEARCH, study=folder / "study.db", **more)
    problem = fake_problem()
    backend = children(problem.joint.network_space, workers, folder, halving)
    return searched(replace(problem, accuracy=backend), search, progress).trials


def same(a: Trials, b: Trials) -> bool:
    """Whether trials are equal in all but the time of day."""
    names = [field.name for field in fields(Trials) if field.name != "time"]
    return all(
        np.array_equal(getattr(a, n), getattr(b, n), equal_nan=n == "accuracy") for n in names
    )
