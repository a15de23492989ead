"""TensorBoard's and MLflow's files, written by a search and by one that is resumed."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nahas import plugins
from nahas.cosearch import Stop
from nahas.errors import UsageError
from nahas.strategies import Search
from nahas.trackers import mlflow, tensorboard
from tests.report.conftest import TARGETS, made_up

RESULT = made_up(60, TARGETS)
TRIALS = RESULT.trials


def tracked(tracker, batches, earlier=0, result=RESULT, files=()):
    """Tell a tracker of a search from trial `earlier` on."""
    tracker.begin(TRIALS[:earlier])
    for number in range(batches):
        start = earlier + 20 * number
        tracker(TRIALS[start : start + 20])
    tracker.end(result, files)


def test_both_are_offered():
    assert {"mlflow", "tensorboard"} <= set(plugins.names(plugins.TRACKERS))


@pytest.mark.parametrize(
    ("module", "absent", "extra"),
    [
        (tensorboard, "tensorboard.compat.proto", "tb"),
        (mlflow, "mlflow.tracking", "mlflow"),
    ],
)
def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path, module, absent, extra):
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(UsageError, match=rf"pip install 'nahas\[{extra}\]'"):
        module.tracker(Search(study=tmp_path / "study.db"))


class TestTensorBoard:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("tensorboard", reason="needs the extra tb")

    def events(self, folder):
        """Step, time and value of every scalar of the event files, by tag."""
        from tensorboard.compat.proto.event_pb2 import Event

        found = {}
        for path in sorted(
            folder.glob("events.out.tfevents.*"), key=lambda p: p.stat().st_mtime_ns
        ):
            content = path.read_bytes()
            while content:
                (length,) = struct.unpack("<Q", content[:8])
                event = Event.FromString(content[12 : 12 + length])
                content = content[16 + length :]
                for value in event.summary.value:
                    found.setdefault(value.tag, []).append(
                        (event.step, event.wall_time, value.simple_value)
                    )
        return found

    def test_curves_of_a_search_and_of_its_resumption(self, tmp_path):
        search = Search(study=tmp_path / "study.db")
        tracked(tensorboard.tracker(search), 2)
        tracked(tensorboard.tracker(replace(search, resume=True)), 1, earlier=40)
        found = self.events(tmp_path / "tensorboard")
        best = found["search/best_reward"]
        assert [step for step, *_ in best] == [19, 39, 59]
        assert [time for _, time, _ in best] == TRIALS.time[[19, 39, 59]].tolist()
        assert [value for *_, value in best] == pytest.approx(
            [TRIALS.reward[:count].max() for count in (20, 40, 60)]
        )
        assert set(found) == {
            f"search/{name}"
            for name in (
                "best_reward",
                "best_satisfied_reward",
                "entropy_bits",
                "feasible_share",
                "mean_reward",
                "satisfied_share",
            )
        }

    def test_tensorflow_is_not_imported(self, tmp_path):
        program = (
            "import sys\nfrom pathlib import Path\n"
            "from nahas.problem import Search\nfrom nahas.trackers.tensorboard import tracker\n"
            f"made = tracker(Search(study=Path({str(tmp_path / 'study.db')!r})))\n"
            "made.begin([])\nmade.end(None, ())\n"
            "print('tensorflow' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert done.stdout == "False\n", done.stderr

    def test_a_new_search_removes_the_curves_of_the_one_before(self, tmp_path):
        search = Search(study=tmp_path / "study.db")
        for batches in (2, 1):
            tracked(tensorboard.tracker(search), batches)
        steps = self.events(tmp_path / "tensorboard")["search/mean_reward"]
        assert [step for step, *_ in steps] == [19]

    def test_it_wants_a_study(self):
        with pytest.raises(UsageError, match="writes beside the study"):
            tensorboard.tracker(Search())


# MLflow calls what SQLAlchemy, and its own next version, warn of.
@pytest.mark.filterwarnings("ignore")
class TestMLflow:
    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path, monkeypatch):
        for name in ("mlflow", "sqlalchemy", "alembic"):
            pytest.importorskip(name, reason="needs the extra mlflow")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def search(self, tmp_path):
        return Search(study=tmp_path / "it's" / "study.db", seed=3)

    def runs(self):
        from mlflow.tracking import MlflowClient

        client = MlflowClient()
        experiment = client.get_experiment_by_name("nahas")
        return client, client.search_runs([experiment.experiment_id])

    def test_a_run_is_continued_by_a_resumed_search(self, search, tmp_path):
        page, picture = tmp_path / "report.html", tmp_path / "pareto.png"
        page.write_text("page")
        picture.write_text("picture")
        stopped = replace(RESULT, stop=Stop.INTERRUPT)
        tracked(mlflow.tracker(search), 2, result=stopped)
        client, (run,) = self.runs()
        assert run.info.status == "KILLED"
        tracked(
            mlflow.tracker(replace(search, resume=True, trials=9000)),
            1,
            earlier=40,
            files=[page, picture],
        )
        client, (run,) = self.runs()
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "best_reward")
        assert [each.step for each in history] == [19, 39, 59]
        assert [each.value for each in history] == [
            TRIALS.reward[:count].max() for count in (20, 40, 60)
        ]
        assert (run.data.params["seed"], run.data.params["controller"]) == ("3", "ppo")
        assert "trials" not in run.data.params
        assert run.data.tags["nahas.study"] == str(search.study)
        kept = client.list_artifacts(run.info.run_id)
        assert [Path(each.path).name for each in kept] == ["report.html"]

    def test_another_search_is_another_run_and_a_failed_one_says_so(self, search):
        tracked(mlflow.tracker(search), 1)
        tracked(mlflow.tracker(search), 1, result=None)
        _, runs = self.runs()
        assert sorted(run.info.status for run in runs) == ["FAILED", "FINISHED"]

    def test_it_wants_a_study(self):
        with pytest.raises(UsageError, match="goes by the study"):
            mlflow.tracker(Search())
