"""Where accuracies come from, as users name it: surrogate, table, train or one-shot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nahas.accuracy.backend import AccuracyBackend
from nahas.datafiles import nearest
from nahas.errors import UsageError
from nahas.spaces.networks import NetworkSpace
from nahas.workers.named import Workers

if TYPE_CHECKING:
    from nahas.accuracy.oneshot import SharedWeightsToTrain
    from nahas.children.jobs import Images

OPTIONS = {
    "surrogate": ("surrogate",),
    "table": ("table",),
    "train": ("data", "image_size", "proxy_images", "proxy_epochs", "proxy_halving"),
    "one-shot": ("supernet", "data", "image_size", "proxy_images"),
}
"""What may be said of each back-end."""

TELLING = {
    "surrogate": "surrogate",
    "table": "table",
    "supernet": "one-shot",
    **dict.fromkeys(("data", "image_size", "proxy_images"), "train"),
    **dict.fromkeys(("proxy_epochs", "proxy_halving"), "train"),
}
"""Which back-end an option speaks of where none is named; the first that is given decides."""

_IMAGES = {"data": "images, like cifar10 or a folder of them"}

NEEDED: Mapping[str, Mapping[str, str]] = {
    "table": {"table": "a file of measured accuracies"},
    "train": _IMAGES,
    "one-shot": {"supernet": "a file of shared weights, made by 'nahas train-supernet'", **_IMAGES},
}
"""What must be said of a back-end, and what that is."""

LEDGER = "children.json"
"""The file of a run folder that remembers every child that was trained."""

PUBLISHED = ".json"
"""How the name of the published table of `macro` ends; tables of one's own are CSV."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where accuracies come from.

    Attributes:
        kind: a key of `OPTIONS`; None is what the other fields speak of, else 'surrogate'.
        surrogate: file of `nahas fit-surrogate`; None is the packaged one of the space.
        table: file of measured accuracies.
        supernet: file of shared weights.
        data: name or path of images, which children are trained or measured on.
        image_size: side of the images of a folder.
        proxy_images: to learn and hold out, at most; None is all.
        proxy_epochs: to train a child for; None is the recipe's.
        proxy_halving: stop the worse half of the children of a batch early, again and again.
        folder: that keeps what was trained, so that nothing is trained twice; None keeps it in
            memory.
        workers: that train children; None trains them in this process.
    """

    kind: str | None = None
    surrogate: Path | None = None
    table: Path | None = None
    supernet: Path | None = None
    data: str | None = None
    image_size: int | None = None
    proxy_images: int | None = None
    proxy_epochs: int | None = None
    proxy_halving: bool | None = None
    folder: Path | None = None
    workers: Workers | None = None

    @property
    def chosen(self) -> str:
        """The back-end that is meant.

        Raises:
            UsageError: when there is none of that name, it lacks what it needs, or something is
                said that speaks of another.
        """
        said = [name for name in TELLING if getattr(self, name) is not None]
        kind = self.kind or next((TELLING[name] for name in said), "surrogate")
        if kind not in OPTIONS:
            raise UsageError(
                f"there is no accuracy '{kind}': allowed are {', '.join(OPTIONS)}"
                f"{nearest(kind, OPTIONS)}"
            )
        for name in said:
            if name not in OPTIONS[kind]:
                owners = " or ".join(owner for owner, names in OPTIONS.items() if name in names)
                raise UsageError(
                    f"{option(name)} goes with --accuracy {owners}, but accuracies come from "
                    f"'{kind}': leave one of them out"
                )
        for name, what in NEEDED.get(kind, {}).items():
            if name not in said:
                raise UsageError(f"--accuracy {kind} needs {option(name)}, {what}")
        if kind != "train" and self.workers and self.workers.ray is not None:
            raise UsageError(
                f"--ray trains networks on a cluster, but accuracies come from '{kind}': leave it "
                "out, or give --data"
            )
        return kind


def option(name: str) -> str:
    """A field as the command line spells it."""
    return f"--{name.replace('_', '-')}"


def backend_of(source: Source, space: NetworkSpace) -> tuple[NetworkSpace, AccuracyBackend]:
    """The back-end that is meant, and the space whose choices it takes.

    That is `space`, but for a table that has some of its networks alone: then it is those.

    Raises:
        NahasError: when options contradict each other, or a file cannot be used or is of
            another space.
    """
    kind = source.chosen
    if kind == "table":
        return _table(source, space)
    if kind == "train":
        return space, _trained(source, space)
    if kind == "one-shot":
        return space, _one_shot(source, space)
    from nahas.accuracy.surrogate import load_surrogate, packaged_surrogate

    if source.surrogate is None:
        return space, packaged_surrogate(space.place)
    return space, load_surrogate(source.surrogate, space)


def weights_to_train(source: Source, trials: int, seed: int) -> SharedWeightsToTrain:
    """What a one-shot search trains and measures by, given as many designs to try.

    Raises:
        UsageError: when images are missing, something is said that speaks of networks trained or
            measured before, or the trials are too few for one epoch.
        DataError: when the images cannot be had.
    """
    goes = ("data", "image_size", "proxy_images")
    said = [name for name in TELLING if getattr(source, name) is not None and name not in goes]
    if source.kind not in (None, "one-shot"):
        said.insert(0, f"accuracy {source.kind}")
    if said:
        raise UsageError(
            f"{option(said[0])} does not go with --strategy one-shot, which trains shared weights "
            "of its own while it searches: leave one of them out"
        )
    if source.data is None:
        raise UsageError(f"--strategy one-shot needs --data, {_IMAGES['data']}")
    from nahas.accuracy.oneshot import SharedWeightsToTrain, recipe_for

    dataset = _images(source, seed).open()
    return SharedWeightsToTrain(dataset, recipe_for(dataset.sizes["train"], trials, seed))


def _table(source: Source, space: NetworkSpace) -> tuple[NetworkSpace, AccuracyBackend]:
    assert source.table is not None  # it is needed, and was found there
    if source.table.suffix != PUBLISHED:
        from nahas.accuracy.measured import load_measured

        measured = load_measured(source.table, space)
        return measured.space, measured
    if space.name != "macro":
        raise UsageError(
            f"--table {source.table} holds networks of space 'macro', but --space is "
            f"'{space.name}': add --space macro, or leave --table out; a table of your own is CSV"
        )
    from nahas.accuracy.table import load_table

    return space, load_table(source.table)


def _trained(source: Source, space: NetworkSpace) -> AccuracyBackend:
    from nahas.accuracy.halving import Halving
    from nahas.accuracy.trained import Elsewhere, TrainedChildren
    from nahas.children.recipe import PROXY

    workers = source.workers
    return TrainedChildren(
        space,
        _images(source).open(),
        replace(PROXY, epochs=source.proxy_epochs or PROXY.epochs),
        ledger=source.folder / LEDGER if source.folder else None,
        halving=Halving() if source.proxy_halving else None,
        elsewhere=Elsewhere(workers=workers, images=_images(source)) if workers else None,
    )


def _images(source: Source, seed: int = 0) -> Images:
    from nahas.children.jobs import Images

    assert source.data is not None  # it is needed, and was found there
    limit, size = source.proxy_images, source.image_size
    return Images(name_or_path=source.data, seed=seed, limit=limit, image_size=size)


def _one_shot(source: Source, space: NetworkSpace) -> AccuracyBackend:
    from nahas.accuracy.oneshot import OneShotAccuracy
    from nahas.children.supernet_files import read_card

    assert source.supernet is not None  # it is needed, and was found there
    seed = int(read_card(source.supernet).recipe["seed"])  # that divided the images it learned
    return OneShotAccuracy(space, source.supernet, _images(source, seed).open())
