"""Draw, label, learn, and say how large the error is on designs that were held out."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nahas.children.device import on_device
from nahas.costmodel import parquet
from nahas.costmodel.card import Card, model_hash
from nahas.costmodel.checkpoint import Folder, State, partial_folder, remove_partial
from nahas.costmodel.columns import columns
from nahas.costmodel.held_out import HeldOut, bounds
from nahas.costmodel.learn import Lesson, learn
from nahas.costmodel.logs import Progress, TensorBoard, log_path, note, write_log
from nahas.costmodel.model import CostModel, Outputs, check_output, compiled
from nahas.costmodel.origin import Origin, origin_here
from nahas.costmodel.perceptron import ensemble, finite_columns, normalisation
from nahas.costmodel.recipe import Recipe
from nahas.costmodel.samples import Samples, Simulate, draw, label, simulator
from nahas.costmodel.split import Split, split
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.files import plain
from nahas.manifest import versions
from nahas.parts_file import parts_of
from nahas.spaces.joint import JointSpace
from nahas.vocabulary import Reason

WORST = 20
"""Held-out designs that the card lists with what may be the reason."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a training run keeps what it needs to go on, and what it learns on.

    Attributes:
        output: the model's file; the log and, while it learns, a folder with its checkpoint are
            beside it. None keeps nothing.
        resume: go on from the checkpoint; where there is none, begin.
        replace: begin anew, whatever there is.
        tensorboard: folder for TensorBoard; None writes nothing for it.
        device: 'cpu', 'gpu', or 'auto', a GPU where there is one.
    """

    output: Path | None = None
    resume: bool = False
    replace: bool = False
    tensorboard: Path | None = None
    device: str = "auto"

    def check(self) -> None:
        """Find out before a long run whether its model can be written, and make room for it.

        Raises:
            CostModelError: when it cannot, or when there is a model or a run that was broken off
                and nothing is said of going on or beginning anew.
        """
        if self.output is None:
            return
        folder = partial_folder(self.output)
        if folder.exists() and not (self.resume or self.replace):
            raise CostModelError(
                f"{folder}: holds a run that was broken off; go on with --resume, or begin again "
                "with --force"
            )
        check_output(self.output, replace=self.replace or (self.resume and folder.exists()))
        if self.replace and not self.resume:
            remove_partial(self.output)


@dataclass(frozen=True)
class Labelled:
    """Samples, how they are divided, and whose costs they hold."""

    samples: Samples
    parts: Split
    origin: Origin


def labelled(
    joint: JointSpace,
    recipe: Recipe,
    *,
    tables: Tables | None = None,
    simulate: Simulate | None = None,
    file: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Labelled:
    """Draw and label the samples of a recipe, or read them, and divide them.

    Args:
        joint: networks and accelerators.
        recipe: how many, and the seed.
        tables: energy and area tables; None is the packaged ones.
        simulate: what labels choices; None is the simulator with these tables.
        file: Parquet file of samples; it is read where it is there, else written. Drawn or read,
            samples of the same seed and number are the same.
        resume: go on with what a killed run has left of the file; where that is nothing, begin.
        progress: told of each chunk simulated.

    Raises:
        CostModelError: when the space has too few designs, too few can run, or the file cannot
            be used.
    """
    simulate = simulate or simulator(joint, recipe.objective, tables)
    origin = origin_here(joint, tables, simulate)

    def simulated(done: int) -> None:
        if progress:
            progress("simulating", done, recipe.samples, "")

    if file is None:
        choices = draw(joint, recipe.samples, np.random.default_rng(recipe.seed))
        samples = label(choices, simulate, simulated)
    else:
        about = parquet.About(
            origin=origin, samples=recipe.samples, seed=recipe.seed, objective=recipe.objective
        )
        if file.suffix != ".parquet":
            raise CostModelError(f"{file}: a file of samples must end in .parquet")
        if file.exists():
            _check_about(parquet.read_about(file), about, file)
        else:
            go_on = resume and parts_of(file).is_dir()
            parquet.write(file, joint, about, simulate, resume=go_on, progress=simulated)
        samples = parquet.read(file, joint, origin)
    divide = np.random.default_rng([recipe.seed, 1])
    return Labelled(samples, split(joint, samples, divide), origin)


def _check_about(theirs: parquet.About, ours: parquet.About, file: Path) -> None:
    """Refuse samples of another objective or seed than the card would say."""
    held = {"objective": theirs.objective.name.lower(), "seed": theirs.seed}
    asked = {"objective": ours.objective.name.lower(), "seed": ours.seed}
    for name, value in held.items():
        if asked[name] != value:
            raise CostModelError(
                f"{file}: holds samples of {name} {value}, but here it is {asked[name]}: "
                f"pass --{name} {value}, or name another file"
            )


def train(
    joint: JointSpace,
    recipe: Recipe,
    *,
    data: Labelled | None = None,
    tables: Tables | None = None,
    simulate: Simulate | None = None,
    progress: Progress | None = None,
    run: Run | None = None,
) -> CostModel:
    """Make a cost model of a joint space.

    Args:
        joint: networks and accelerators.
        recipe: how to make it.
        data: samples that are labelled already; None draws and labels those of the recipe.
        tables: energy and area tables; None is the packaged ones.
        simulate: what labels choices; None is the simulator with these tables.
        progress: told of each chunk simulated and each epoch learned.
        run: where things are kept and on which device; None keeps nothing.

    Raises:
        CostModelError: when there is too little to learn from, or learning diverges.
        UsageError: for a device or a TensorBoard that is not there.
    """
    run = run or Run()
    run.check()
    board = TensorBoard(run.tensorboard) if run.tensorboard else None
    with on_device(run.device):
        data = data or labelled(joint, recipe, tables=tables, simulate=simulate, progress=progress)
        recipe = replace(recipe, samples=len(data.samples))
        lesson = _lesson(joint, recipe, data)
        folder = _folder(run, recipe, data)
        state = folder.read() if folder and run.resume else State()

        def each_epoch(state: State) -> None:
            _log(run, board, state)
            if progress:
                _tell(progress, recipe, state)

        keras_model = ensemble(learn(lesson, recipe, state, folder, each_epoch))
        held_out = _held_out(joint, data, compiled(keras_model, joint.space))
    explain = None if simulate else bounds(joint, recipe.objective, tables)
    card = Card(
        weights_sha256=model_hash(keras_model.to_json(), keras_model.get_weights()),
        origin=data.origin,
        space=joint.network_space.name,
        recipe=plain(recipe),
        samples=len(data.samples),
        feasible=int(held_out.can_run.sum()),
        split_sizes={name: len(rows) for name, rows in vars(data.parts).items()},
        validity=_validity_in_words(lesson, held_out.can_run),
        errors=held_out.errors,
        calibration=held_out.calibration,
        worst=held_out.worst(WORST, explain),
        best_epochs=state.best_rows,
        versions=versions(),
    )
    return CostModel(joint, keras_model, card)


def _folder(run: Run, recipe: Recipe, data: Labelled) -> Folder | None:
    """The folder of checkpoints, which knows what must be the same to go on."""
    if run.output is None:
        return None
    digest = hashlib.sha256()
    for column in (data.samples.choices, data.samples.logs, data.samples.reason):
        digest.update(np.ascontiguousarray(column).tobytes())
    for rows in vars(data.parts).values():
        digest.update(rows.tobytes())
    identity = {**asdict(recipe), **asdict(data.origin), "samples_sha256": digest.hexdigest()}
    return Folder(partial_folder(run.output), identity)


def _lesson(joint: JointSpace, recipe: Recipe, data: Labelled) -> Lesson:
    samples, parts = data.samples, data.parts
    can_run = samples.reason == Reason.OK
    finite_columns(samples.logs, can_run)
    normal = normalisation(samples.logs[parts.train], can_run[parts.train])
    train, validation = (
        columns(samples.choices[rows], samples.logs[rows], can_run[rows], normal)
        for rows in (parts.train, parts.validation)
    )
    both = bool(can_run[parts.train].any() and not can_run[parts.train].all())
    if recipe.validity == "required" and not both:
        raise CostModelError(
            f"validity is required, but all {len(parts.train):,} designs to learn from can run: "
            "take a hardware space in which some cannot, or leave validity to 'auto'"
        )
    return Lesson(joint.space, train, validation, normal, both and recipe.validity != "off")


def _held_out(joint: JointSpace, data: Labelled, outputs: Outputs) -> HeldOut:
    return HeldOut(
        joint=joint,
        choices=data.samples.choices,
        logs=data.samples.logs,
        can_run=data.samples.reason == Reason.OK,
        predicted=outputs(data.samples.choices),
        train=data.parts.train,
        parts={name: getattr(data.parts, name) for name in ("random", "hardware", "networks")},
    )


def _validity_in_words(lesson: Lesson, can_run: NDArray[np.bool_]) -> str:
    if lesson.validity:
        return "learned"
    return "all samples can run" if can_run.all() else "not learned"


def _log(run: Run, board: TensorBoard | None, state: State) -> None:
    if run.output is not None:
        write_log(state.history, log_path(run.output))
    if board:
        board(state)


def _tell(progress: Progress, recipe: Recipe, state: State) -> None:
    of = f" member {state.member + 1} of {recipe.members}" if recipe.members > 1 else ""
    progress(f"learning{of}", state.epoch, recipe.epochs, note(state.history[-1]))
