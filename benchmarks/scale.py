"""How well workers are used, what a second one is worth, and what a window of batches costs.

python benchmarks/scale.py utilisation [--workers 64] [--windows 0 1 2 4] [--ray local]
python benchmarks/scale.py training [--workers 1 2] [--children 8]
python benchmarks/scale.py staleness [--controller reinforce] [--seeds 3] [--trials 2500]

`utilisation` searches with children that sleep, for times drawn from a lognormal distribution: so
a few cores show what many machines would do. Used is the share of the workers' time, from the
first child to the last, in which they sleep. `training` trains real children, one thread each.
`staleness` searches by the packaged surrogate, once for each window and seed. `--save` writes the
rows to results/scale.json.
"""

# Workers import this file: what takes long to import stands in the functions that need it.
from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nahas.workers.pool import Pool

RESULTS = Path(__file__).parent / "results" / "scale.json"
SPREAD = 0.5
"""Standard deviation of the logarithm of the times: the longest of 64 takes 3 times the mean."""


class Sleeping:
    """A back-end whose networks take time and no work."""

    label = "nothing: children sleep"

    @property
    def identity(self) -> dict[str, Any]:
        """Says that it is slow, so that only what is proposed is measured."""
        return {"mean_s": self._mean_s}

    def __init__(self, pool: Pool, mean_s: float) -> None:
        self._pool = pool
        self._mean_s = mean_s
        self._futures: dict[bytes, Future[None]] = {}
        self.slept_s = self.began_s = self.ended_s = 0.0

    def _seconds(self, choice: Any) -> float:
        import numpy as np

        rng = np.random.default_rng(choice)
        return float(self._mean_s * np.exp(SPREAD * rng.standard_normal() - SPREAD**2 / 2))

    def begin(self, choices: Any) -> None:
        """Begin to sleep for networks not slept for."""
        for choice in choices:
            if (key := choice.tobytes()) not in self._futures:
                seconds = self._seconds(choice)
                self.slept_s += seconds
                self.began_s = self.began_s or time.monotonic()
                self._futures[key] = self._pool.submit(time.sleep, seconds)

    def accuracy(self, choices: Any) -> Any:
        """Any number [B] of choices [B, D], once the sleep is over."""
        self.begin(choices)
        for choice in choices:
            self._futures[choice.tobytes()].result()
        self.ended_s = time.monotonic()
        return 50.0 + choices.mean(axis=1)

    def failures(self, choices: Any) -> Any:
        """None [B]."""
        return 0 * choices[:, 0]

    def close(self) -> None:
        """Leave the workers to those who opened them."""

    @property
    def children(self) -> int:
        """Networks that were slept for."""
        return len(self._futures)


def utilisation(given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each number of workers and window."""
    from nahas.workers.named import Workers

    rows = []
    for workers in given.workers or [1, 2, 64]:
        pool = Workers(processes=workers, ray=given.ray).open()
        for future in [pool.submit(time.sleep, 0.5) for _ in range(workers)]:
            future.result()
        batch = given.batch or max(2, workers)
        for ahead in given.windows:
            rows.append(used(pool, workers, batch, ahead, given))
            print(
                "{workers:>7} {batch:>6} {ahead:>6} {children:>9} {seconds:>8.1f} "
                "{per_minute:>10.0f} {used:>6.1%}".format(**rows[-1]),
                flush=True,
            )
        pool.close()
    return rows


def used(
    pool: Pool, workers: int, batch: int, ahead: int, given: argparse.Namespace
) -> dict[str, Any]:
    """One search by sleeping children."""
    import numpy as np

    from nahas.problem import Search, problem_of
    from nahas.strategies import searched

    trials = given.trials or 40 * workers
    search = Search(space="mnasnet", controller="random", trials=trials, batch=batch, ahead=ahead)
    backend = Sleeping(pool, given.seconds)
    problem = problem_of(search, accuracy=backend)
    problem.cost(problem.joint.space.sample(batch, np.random.default_rng(0)))  # compiles
    backend.accuracy(problem.reference[None, :])  # the baseline, for which all others wait
    backend.slept_s = backend.began_s = 0.0
    searched(problem, search)
    seconds = backend.ended_s - backend.began_s
    return {
        "workers": workers,
        "batch": batch,
        "ahead": ahead,
        "children": backend.children,
        "seconds": round(seconds, 2),
        "per_minute": round(60 * backend.children / seconds, 1),
        "used": round(backend.slept_s / (workers * seconds), 4),
    }


def training(given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each number of workers: real children of space macro on drawn images."""
    import numpy as np

    from nahas.accuracy.trained import Elsewhere, TrainedChildren
    from nahas.children.jobs import Images
    from nahas.children.recipe import PROXY
    from nahas.spaces.named import named
    from nahas.workers.named import Workers

    space, rng, rows = named("macro"), np.random.default_rng(0), []
    choices = np.unique(space.space.sample(given.children, rng), axis=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npz"
        pixels = rng.integers(0, 256, (given.images, 32, 32, 3), dtype=np.uint8)
        np.savez(path, pixels=pixels, labels=np.arange(given.images) % 10)
        images = Images(name_or_path=str(path))
        for workers in given.workers or [1, 2]:
            hired = Workers(processes=workers, ray=given.ray, cpus=1)
            elsewhere = Elsewhere(workers=hired, images=images)
            recipe = replace(PROXY, epochs=1)
            backend = TrainedChildren(space, images.open(), recipe, elsewhere=elsewhere)
            began = time.monotonic()
            accuracy = backend.accuracy(choices)
            seconds = time.monotonic() - began
            backend.close()
            per_minute = round(60 * len(choices) / seconds, 1)
            rows.append(
                {
                    "workers": workers,
                    "children": len(choices),
                    "per_minute": per_minute,
                    "seconds": round(seconds, 1),
                    "mean_percent": float(accuracy.mean()),
                }
            )
            print(
                "{workers:>7} {children:>9} {seconds:>8.1f} {per_minute:>10.1f} "
                "{mean_percent:>10.4f}".format(**rows[-1]),
                flush=True,
            )
    return rows


def staleness(given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each window: the reward of the best design within the targets."""
    import numpy as np

    from nahas.strategies import Search, joint

    rows = []
    for ahead in given.windows:
        best = []
        for seed in range(given.seeds):
            search = Search(
                controller=given.controller,
                trials=given.trials or 2500,
                seed=seed,
                ahead=ahead,
                batch=given.batch or Search.batch,
            )
            trials = joint(search).trials
            best.append(float(trials.reward[trials.satisfied].max(initial=0.0)))
        rows.append(
            {
                "controller": given.controller,
                "ahead": ahead,
                "seeds": given.seeds,
                "mean": round(float(np.mean(best)), 3),
                "lowest": round(min(best), 3),
            }
        )
        print(
            "{controller:<10} {ahead:>6} {mean:>8.2f} {lowest:>8.2f}".format(**rows[-1]), flush=True
        )
    return rows


HEADS = {
    "utilisation": "workers  batch  ahead  children  seconds per minute   used",
    "training": "workers  children  seconds per minute   accuracy",
    "staleness": "controller  ahead     mean   lowest",
}


def main() -> None:
    """Measure, print, and save where asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=HEADS)
    parser.add_argument("--workers", type=int, nargs="+")
    parser.add_argument("--ray", metavar="ADDRESS")
    parser.add_argument("--windows", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--batch", type=int)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--seconds", type=float, default=1.0, help="mean time of a child")
    parser.add_argument("--children", type=int, default=8)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--controller", default="reinforce")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    print(HEADS[given.what])
    rows = {"utilisation": utilisation, "training": training, "staleness": staleness}[given.what](
        given
    )
    if given.save:
        saved = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**saved, given.what: rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
