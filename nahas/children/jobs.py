"""Children to train, one after the other or in processes of their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from nahas import networks
from nahas.children.checkpoint import CHECKPOINT, LOG
from nahas.children.data import Dataset, open_dataset
from nahas.children.device import on_device
from nahas.children.learner import forget_models
from nahas.children.recipe import Recipe
from nahas.children.saved import CARD, MODEL, save_child
from nahas.children.train import Trained, trained
from nahas.children.training import Progress, Reason, Training
from nahas.workers.processes import Processes

LONGEST_NAME = 120
"""Of a child's folder; file systems take 255 bytes."""

_PLAIN_NAME = re.compile(r"[A-Za-z0-9.+-]+(:[A-Za-z0-9.+-]+)?")


@dataclass(frozen=True, kw_only=True)
class Images:
    """Which data set to open; the arguments of `open_dataset`."""

    name_or_path: str
    seed: int = 0
    validation: float = 0.1
    limit: int | None = None
    image_size: int | None = None
    least_map: int = 2

    def open(self) -> Dataset:
        """The data set, read once in a process."""
        return _opened(self)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A child to train, in words that another process understands.

    Attributes:
        network: its name, one that `nahas.networks.function` knows.
        images: what it learns.
        recipe: how.
        folder: what is kept of it; None keeps nothing.
        resume: go on from the folder's checkpoint.
        replace: begin anew, whatever the folder holds.
        time_limit_s: of its training; None is none.
        test: whether to measure on the test images as well.
        device: 'auto', 'cpu' or 'gpu'.
    """

    network: str
    images: Images
    recipe: Recipe
    folder: Path | None = None
    resume: bool = False
    replace: bool = False
    time_limit_s: float | None = None
    test: bool = False
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a job.

    Attributes:
        network: its name.
        trained: without the weights.
        test_percent: top-1 on the test images; None where they were not looked at.
    """

    network: str
    trained: Trained
    test_percent: float | None


def folder_of(root: Path, network: str) -> Path:
    """The folder of a child below that of a run, for any name of a network, each another one.

    Names of built-in networks and spaces are kept as they are, with `_` for the colon; others
    have a digest after them.
    """
    name = re.sub(r"[^\w.+-]+", "_", network)
    if len(name) > LONGEST_NAME or not _PLAIN_NAME.fullmatch(network):
        digest = hashlib.sha256(network.encode()).hexdigest()[:16]
        name = f"{name[:LONGEST_NAME]}_{digest}"
    return root / name


def train_job(job: Job, progress: Progress | None = None) -> Done:
    """Train one child, and keep it where its folder is.

    Raises:
        NahasError: for a network, data set, recipe, device or folder that cannot be used.
    """
    function = networks.function(job.network)
    dataset = job.images.open()
    if job.folder and job.replace and not job.resume:
        for name in (CHECKPOINT, LOG, MODEL, CARD):
            (job.folder / name).unlink(missing_ok=True)
    with on_device(job.device):
        training = Training(function, dataset, job.recipe, folder=job.folder, resume=job.resume)
        while not training.over:
            training.epoch(job.time_limit_s, progress)
        child = trained(training)
        measured = job.test and child.reason is not Reason.NOT_FINITE
        test = training.percent("test") if measured else None
        if job.folder and child.reason is not Reason.NOT_FINITE:
            save_child(job.folder, job.network, function, dataset, job.recipe, child, test)
    del training
    forget_models()
    return Done(network=job.network, trained=replace(child, weights=[]), test_percent=test)


def train_jobs(
    jobs: Sequence[Job],
    *,
    workers: int = 1,
    progress: Callable[[int, int, int, str], None] | None = None,
) -> Iterator[Done]:
    """Train children and give each, in the order of the jobs.

    A child does not depend on the others, nor, but for the last bits that the number of its
    threads may change, on `workers`.

    Args:
        jobs: the children.
        workers: processes that train at the same time and share the cores.
        progress: told of a child's number, its steps done, its steps, and how it goes; with more
            than one worker of nothing.
    """
    if workers == 1:
        for number, job in enumerate(jobs):
            told = _told(progress, number) if progress else None
            yield train_job(job, told)
        return
    pool = Processes(workers)
    try:
        for future in [pool.submit(train_job, job) for job in jobs]:
            yield future.result()
    finally:
        pool.close()


def _told(progress: Callable[[int, int, int, str], None], number: int) -> Progress:
    return lambda done, total, note: progress(number, done, total, note)


@cache
def _opened(images: Images) -> Dataset:
    return open_dataset(
        images.name_or_path,
        seed=images.seed,
        validation=images.validation,
        limit=images.limit,
        image_size=images.image_size,
        least_map=images.least_map,
    )
