"""Seconds to give trials to Optuna: rows written by nahas beside Optuna's own `add_trials`.

    python benchmarks/optuna_study.py --trials 10000 --slowly 100

Both write the same study (tests/interop/test_optuna_study.py); it is searched at random.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

from nahas.interop.optuna_study import write_study
from nahas.problem import Search
from nahas.result import SearchResult
from nahas.strategies import joint


def cpu_seconds(result: SearchResult, path: Path) -> float:
    """Processor time of writing a study."""
    begun = time.process_time()
    write_study(result, 0.0, str(path), "study")
    return time.process_time() - begun


def main() -> None:
    """Search, write both ways, print milliseconds for a trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--slowly", type=int, default=100, help="trials for add_trials")
    given = parser.parse_args()
    result = joint(Search(controller="random", trials=given.trials, batch=500))
    few = replace(result, trials=result.trials[: given.slowly])
    with tempfile.TemporaryDirectory() as folder:
        cpu_seconds(few, Path(folder) / "warm.db")
        quick = cpu_seconds(result, Path(folder) / "quick.db")
        with mock.patch("nahas.interop.optuna_study.is_known", return_value=False):
            slow = cpu_seconds(few, Path(folder) / "slow.db")
    decisions = len(result.joint.space.decisions)
    each, own = 1e3 * quick / given.trials, 1e3 * slow / given.slowly
    print(f"{given.trials:,} trials of {decisions} decisions: {quick:.1f} s of processor time")
    print(f"ms for a trial: {each:.3f}, by add_trials {own:.1f}: {own / each:,.0f} times as long")


if __name__ == "__main__":
    main()
