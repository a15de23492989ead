"""`nahas cosearch`: search networks and accelerators together."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nahas.cli.options import (
    announce_compilation,
    command,
    objective_option,
    saved_options,
    seed_option,
    tables_option,
    use_workers,
)
from nahas.cli.output import Output, table
from nahas.cli.search_options import DOWNLOAD, search_options, with_absolute_paths
from nahas.cli.settings import settings_text
from nahas.errors import StudyError, UsageError

if TYPE_CHECKING:
    from nahas.problem import Search
    from nahas.result import SearchResult
    from nahas.study.trials import Trials
    from nahas.trackers.told import Trackers

EXIT_NOTHING_FEASIBLE = 3
EXIT_INTERRUPTED = 130

STUDY_FILE = "study.db"
OPTIONS_FILE = "options.toml"

TABLED_SPACE = "macro"
"""The space whose networks have all been measured."""

NOT_KEPT = (
    *("run_dir", "resume", "force", "dry_run", "time_limit", "best", "trackers"),
    *("workers", "ray", "child_cpus", "child_gpus", "child_time_limit", "child_retries"),
    *("exhaustive", "front"),
)
"""Options that say how to run, not what to search: a resumed search does not inherit them."""


@command(
    "cosearch",
    examples=(
        "nahas cosearch",
        "nahas cosearch --latency 0.3 --area 0.8x --trials 5000 --seed 1",
        "nahas cosearch --space macro --table nas-bench-macro_cifar10.json --latency none",
        "nahas cosearch --space s1 --data cifar10 --trials 200",
        "nahas cosearch --pareto --controller evolution",
        "nahas cosearch --cost-model costmodel.keras --trials 20000",
        "nahas cosearch --strategy fixed-accelerator --accelerator pes_x=2,pes_y=2",
        "nahas cosearch --space s1 --strategy one-shot --data cifar10 --reward absolute",
        "nahas cosearch --run-dir runs/mnasnet-0 --resume --trials 5000",
        "nahas cosearch --dry-run",
        "nahas cosearch --space macro --table nas-bench-macro_cifar10.json --exhaustive",
    ),
)
@search_options
@click.option(
    "--run-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the study, its pictures and its manifest.  [default: runs/SPACE-SEED]",
)
@click.option("--resume", is_flag=True, help="Continue the study in the run folder.")
@click.option("--force", is_flag=True, help="Replace the study in the run folder.")
@click.option(
    "--tracker",
    "trackers",
    metavar="NAME",
    multiple=True,
    help="Tell tensorboard, mlflow or another plug-in of every batch; may be repeated.",
)
@click.option(
    "--exhaustive",
    is_flag=True,
    help="Cost every design instead, and print the true optimum and Pareto front.",
)
@click.option(
    "--front",
    metavar="METRICS",
    default="accuracy,latency,energy,area",
    show_default=True,
    help="With --exhaustive: the objectives of the front.",
)
@click.option("--dry-run", is_flag=True, help="Print sizes, time and memory, and search nothing.")
@click.option(
    "--best",
    metavar="N",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Designs to print.",
)
@objective_option
@tables_option
@seed_option
@click.pass_context
def cosearch(ctx: click.Context, out: Output, /, **given: Any) -> int:
    """Search networks and the accelerators that run them, together or by another --strategy.

    Accuracy is predicted from measured networks, read from a table, or measured by training what
    is proposed; latency, energy and area come from the simulator. The run folder gets the study
    (every trial), a Pareto plot as PNG and SVG, an HTML page, and a manifest.

    With --cost-model the search sees a model's costs; what it tried is simulated again, ranked
    by that, and shown with both.

    With --exhaustive nothing is searched: every design of the space is costed, as far as these
    are not too many, so the optimum and the front are the true ones; docs/exact.md.

    Exits with 3 when no design meets every target, and with 130 after Ctrl-C, which ends the
    search after the batch in flight and loses nothing.
    """
    from nahas.problem import check_words
    from nahas.trackers.told import Trackers

    options = given | (saved_options(ctx, _folder(given) / OPTIONS_FILE) if given["resume"] else {})
    _check_pareto(ctx, options)
    folder = _folder(options)
    options = with_absolute_paths(options)
    studied = not (options["dry_run"] or options["exhaustive"])
    search = _search(options, study=folder / STUDY_FILE if studied else None)
    check_words(search)
    if options["exhaustive"]:
        from nahas.cli.exhaustive import exhaustive

        use_workers(_threads(search))
        announce_compilation(out)
        return exhaustive(out, search, options)
    with Trackers.of(search, options["trackers"], out.warn) as trackers:
        use_workers(_threads(search))
        announce_compilation(out)
        if options["dry_run"]:
            return _foresee(out, search)
        started = time.monotonic()
        result = _searched(out, search, folder, options, trackers)
        return _finish(out, result, folder, options, time.monotonic() - started, trackers)


def _threads(search: Search) -> int | None:
    """Threads of the simulator: what --workers says where no network is trained."""
    return None if search.source.chosen == "train" else search.workers


def _check_pareto(ctx: click.Context, options: dict[str, Any]) -> None:
    """Refuse targets beside --pareto, where they would not be read."""
    if not options["pareto"]:
        return
    for name in ("latency", "energy", "area", "parameters", "reward", "reward_p", "reward_q"):
        if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = name.replace("_", "-")
            raise UsageError(
                f"--pareto has no targets and a reward of its own: leave --{option} out, or search "
                "without --pareto"
            )


def _searched(
    out: Output, search: Search, folder: Path, options: dict[str, Any], trackers: Trackers
) -> SearchResult:
    """Search, once all that was asked for has been found usable; till then nothing is written."""
    from nahas.cli.dashboard import Board, dashboard
    from nahas.cli.tally import Tally
    from nahas.phases import plan_of
    from nahas.problem import problem_of
    from nahas.strategies import check, searched
    from nahas.study.trials import no_trials

    problem = problem_of(search)
    origin = check(problem, search)
    _prepare(folder, options)
    out.say(f"searching with seed {search.seed} into {folder}")
    tally = Tally(search.trials, origin.notes["targets"], time_limit_s=search.time_limit_s)
    earlier = _learnt(search) if search.resume else no_trials(len(origin.space.decisions))
    tally.recall(earlier)
    trackers.begin(earlier)
    phases = [(phase.searches, phase.start) for phase in plan_of(problem, search).phases]
    board = Board(
        tally,
        phases if len(phases) > 1 else (),
        in_flight=search.ahead + 1 if search.ahead else 0,
        pareto=search.pareto,
    )
    with _told_of_signals(board.stop), dashboard(out, board) as show:

        def tell(trials: Trials) -> None:
            show(trials)
            trackers(trials)

        return searched(problem, search, tell)


def _learnt(search: Search) -> Trials:
    """The trials that a resumed search goes on from."""
    from nahas.study.store import Study

    assert search.study is not None
    with Study.read(search.study) as study:
        kept = study.state()
        return study.trials()[: kept[0] if kept else 0]


def _folder(options: dict[str, Any]) -> Path:
    space = options["space"].rpartition(":")[2]  # without the file of one's own
    return options["run_dir"] or Path("runs") / f"{space}-{options['seed']}"


def _search(options: dict[str, Any], study: Path | None) -> Search:
    from nahas.problem import Search
    from nahas.vocabulary import Objective

    def limit(metric: str) -> str | None:
        text: str = options[metric]
        return None if text.strip().lower() == "none" else text

    named_so = ("space", "hardware_space", "accuracy", "strategy", "network", "accelerator")
    return Search(
        **{name: options[name] for name in named_so},
        table=_table(options),
        surrogate=options["surrogate"],
        supernet=options["supernet"],
        data=options["data"],
        image_size=options["image_size"],
        proxy_images=options["proxy_images"],
        proxy_epochs=options["proxy_epochs"],
        proxy_halving=options["proxy_halving"],
        phase_share=options["phase_share"],
        controller=options["controller"],
        seed=options["seed"],
        trials=options["trials"],
        batch=options["batch"],
        time_limit_s=options["time_limit"],
        latency=limit("latency"),
        energy=limit("energy"),
        area=limit("area"),
        parameters=limit("parameters"),
        pareto=options["pareto"],
        reward=options["reward"],
        reward_p=options["reward_p"],
        reward_q=options["reward_q"],
        baseline=options["baseline"],
        objective=Objective[options["objective"].upper()],
        tables=options["tables"],
        cost_model=options["cost_model"],
        study=study,
        resume=options["resume"],
        best=options["best"],
        ahead=options["ahead"],
        workers=options["workers"],
        ray=options["ray"],
        child_cpus=options["child_cpus"],
        child_gpus=options["child_gpus"],
        child_time_limit_s=options["child_time_limit"],
        child_retries=options["child_retries"],
    )


def _table(options: dict[str, Any]) -> Path | None:
    """The table of measured accuracies, downloaded where it is asked for."""
    given: str | None = options["table"]
    if given is None:
        return None
    if given != DOWNLOAD:
        return Path(given)
    if options["space"] != TABLED_SPACE:
        raise UsageError(
            f"the published table holds networks of space '{TABLED_SPACE}', but --space is "
            f"'{options['space']}': add --space {TABLED_SPACE}, or leave --table out"
        )
    from nahas.accuracy.table import download_table

    return download_table()


def _prepare(folder: Path, options: dict[str, Any]) -> None:
    """Refuse to replace a study, or remove it when asked to; keep the options for a resume."""
    from nahas.files import write_text
    from nahas.study.lock import WriterLock

    study = folder / STUDY_FILE
    if options["resume"]:
        return
    if study.exists():
        if not options["force"]:
            raise StudyError(
                f"{folder} holds a study already: continue it with --resume, replace it with "
                "--force, or name another --run-dir"
            )
        lock = WriterLock(study)  # refuses while another process writes it
        for path in study.parent.glob(f"{STUDY_FILE}*"):
            if path != lock.path:
                path.unlink()
        lock.release()
    kept = {name: value for name, value in options.items() if name not in NOT_KEPT}
    write_text(folder / OPTIONS_FILE, settings_text("cosearch", kept))


def _finish(
    out: Output,
    result: SearchResult,
    folder: Path,
    options: dict[str, Any],
    wall_seconds: float,
    trackers: Trackers,
) -> int:
    """Draw, print, and say how it ended."""
    from nahas.cosearch import Stop
    from nahas.files import json_text, write_text
    from nahas.manifest import manifest
    from nahas.report.summary import checked, counted, document, none_met, phased
    from nahas.report.table import designs_table
    from nahas.report.write import write_report

    told = document(result, options["best"])
    made = manifest(
        "cosearch",
        options,
        seed=result.seed,
        threads=use_workers(None),
        wall_seconds=wall_seconds,
    )
    notes = {folder / "manifest.json": made, folder / "best.json": told}
    for path, content in notes.items():
        write_text(path, json_text(content))
    files = [*write_report([result], folder), *notes]  # the page tells of the manifest
    trackers.end(result, files)
    out.show(
        {**told, "files": files},
        designs_table(result, options["best"]),
        f"accuracy: {result.accuracy_label}",
        f"{counted(result)}; {wall_seconds:.0f} s",
        *filter(None, [checked(result), phased(result)]),
        f"study: {result.study}",
        f"page: {folder / 'report.html'}, picture: {folder / 'pareto.png'}",
    )
    if result.stop is Stop.INTERRUPT:
        out.say(f"interrupted; continue with: nahas cosearch --run-dir {folder} --resume")
        return EXIT_INTERRUPTED
    if not result.true.satisfied.any():
        other = "raise a target, or " if result.front is None else ""
        out.say(f"{none_met(result)}: {other}try more --trials")
        return EXIT_NOTHING_FEASIBLE
    return 0


def _foresee(out: Output, search: Search) -> int:
    """Search two batches, keep nothing, and say what the whole would take."""
    import resource
    import sys
    from dataclasses import replace

    from nahas.accuracy.backend import Slow
    from nahas.phases import ONE_SHOT, plan_of
    from nahas.problem import problem_of, unmeasured
    from nahas.strategies import searched

    times: list[float] = [time.monotonic()]
    trial = replace(search, trials=3 * search.batch, resume=False, time_limit_s=None)
    problem = problem_of(search)
    plan_of(problem, search)  # refuses what the whole search would
    trial = replace(trial, strategy="joint") if trial.strategy == ONE_SHOT else trial
    result = searched(unmeasured(problem), trial, lambda _: times.append(time.monotonic()))
    if isinstance(problem.accuracy, Slow):
        out.warn("the time that networks take to be trained or measured is not in it")
    start, per_batch = times[1] - times[0], (times[-1] - times[1]) / (len(times) - 2)
    batches = -(-search.trials // search.batch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    space = result.joint
    told = {
        "space": space.network_space.name,
        "networks": space.network_space.space.size,
        "accelerators": space.accelerator.size,
        "designs": space.space.size,
        "decisions": len(space.space.decisions),
        "evaluations": search.trials,
        "seconds": round(start + per_batch * (batches - 1), 1),
        "memory_mb": round(peak / (1e6 if sys.platform == "darwin" else 1e3)),
        "targets": dict(result.targets),
        "accuracy_label": result.accuracy_label,
        "seed": result.seed,
    }
    rows = [(name.replace("_", " "), _words(value)) for name, value in told.items()]
    out.show(told, table(("what", "value"), rows))
    return 0


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} ≤ {limit:.4g}" for name, limit in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


@contextmanager
def _told_of_signals(tell: Callable[[], None]) -> Iterator[None]:
    """Within, Ctrl-C is told of, before the search hears of it.

    SIGTERM is Ctrl-C: a batch system's notice to stop loses nothing either.
    """
    handlers = {
        signal.SIGINT: lambda *_: tell(),
        signal.SIGTERM: lambda *_: signal.raise_signal(signal.SIGINT),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
