"""`nahas cosearch` and `nahas report` from end to end, with few trials of random search."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nahas.datafiles import packaged
from nahas.hardware import preset, save_hardware
from nahas.strategies import Search, joint
from nahas.study.lock import WriterLock
from tests.undrawn import leave_out

QUICK = ("cosearch", "--controller", "random", "--trials", "40", "--latency", "3x", "--area", "2x")
MANY = ("--trials", "1000000")
UNDRAWN = """
import sys
sys.path.append({root!r})
import pytest
from nahas.cli.main import main
from tests.undrawn import leave_out

leave_out(pytest.MonkeyPatch())
main()
"""
FILES = {
    "study.db",
    "options.toml",
    "report.html",
    "pareto.png",
    "pareto.svg",
    "rewards.png",
    "rewards.svg",
    "manifest.json",
    "best.json",
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def undrawn(monkeypatch):
    leave_out(monkeypatch)


def told(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def without_times(document):
    return {k: v for k, v in document.items() if k not in ("seconds", "study", "files")}


class TestSearch:
    def test_run_folder_document_and_manifest(self, nahas, tmp_path):
        document = told(nahas(*QUICK, "--json", "--seed", "5"))
        folder = tmp_path / "runs" / "mnasnet-5"
        assert {path.name for path in folder.iterdir()} == FILES
        assert document["trials"] == 40
        assert document["seed"] == 5
        assert document["study"] == "runs/mnasnet-5/study.db"
        assert document["stopped_by"] == "trials"
        assert "predicted" in document["accuracy_label"]
        for design in document["best"]:
            assert design["feasible"]
            assert design["latency_ms"] <= document["targets"]["latency_ms"]
            assert design["area_mm2"] <= document["targets"]["area_mm2"]
        made = json.loads((folder / "manifest.json").read_text())
        assert made["seed"] == 5
        assert made["options"]["trials"] == 40
        assert made["versions"]["numba"]
        assert made["wall_seconds"] > 0

    @pytest.mark.usefixtures("undrawn")
    def test_the_command_is_the_python_function(self, nahas):
        document = told(nahas(*QUICK, "--json", "--best", "3"))
        result = joint(Search(controller="random", trials=40, latency="3x", area="2x", best=3))
        assert [d["network"] for d in document["best"]] == [d.network for d in result.best]
        assert [d["latency_ms"] for d in document["best"]] == [d.latency_ms for d in result.best]

    @pytest.mark.usefixtures("undrawn")
    def test_same_seed_same_document(self, nahas):
        first = told(nahas(*QUICK, "--json", "--run-dir", "a"))
        second = told(nahas(*QUICK, "--json", "--run-dir", "b"))
        other = told(nahas(*QUICK, "--json", "--run-dir", "c", "--seed", "1"))
        assert without_times(first) == without_times(second)
        assert first["best"] != other["best"]

    @pytest.mark.usefixtures("undrawn")
    def test_table_names_the_accuracy_the_seed_and_the_files(self, nahas):
        ran = nahas(*QUICK)
        assert ran.code == 0
        assert "accuracy: ImageNet top-1 % of the 16-epoch recipe, predicted" in ran.out
        assert "seed 0" in ran.out
        assert "runs/mnasnet-0/report.html" in ran.out
        assert "searching with seed 0" in ran.err
        assert "mnasnet:e" in ran.out

    @pytest.mark.usefixtures("undrawn")
    def test_quiet_says_nothing_on_stderr(self, nahas):
        assert nahas(*QUICK, "-q").err == ""

    @pytest.mark.usefixtures("undrawn")
    def test_nothing_feasible_exits_with_3(self, nahas):
        ran = nahas(*QUICK, "--json", "--latency", "0.0001")
        assert ran.code == 3
        assert not any(design["feasible"] for design in json.loads(ran.out)["best"])
        assert nahas("report", "runs/mnasnet-0").code == 3

    @pytest.mark.usefixtures("undrawn")
    def test_time_limit_ends_after_a_batch(self, nahas):
        document = told(nahas(*QUICK, "--json", "--time-limit", "0.001s", "--trials", "999999"))
        assert document["stopped_by"] == "time"
        assert document["trials"] == 20

    @pytest.mark.usefixtures("undrawn")
    def test_measured_accuracies_of_macro(self, nahas, shared):
        path = shared / "data" / "nas-bench-macro" / "nas-bench-macro_cifar10.json"
        if not path.is_file():
            pytest.skip(f"no table at {path}")
        document = told(nahas(*QUICK, "--json", "--space", "macro", "--table", path))
        assert "measured" in document["accuracy_label"]
        assert document["best"][0]["network"].startswith("macro:")

    def test_dry_run_tells_sizes_and_writes_nothing(self, nahas, tmp_path):
        document = told(nahas(*QUICK, "--dry-run", "--json", "--trials", "100000"))
        assert document["accelerators"] == 50_000
        assert document["designs"] == document["networks"] * 50_000
        assert document["evaluations"] == 100_000
        assert document["seconds"] > 0
        assert document["memory_mb"] > 0
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("undrawn")
    def test_the_objective_of_mappings(self, nahas):
        latency = told(nahas(*QUICK, "--json", "--run-dir", "a"))
        energy = told(nahas(*QUICK, "--json", "--run-dir", "b", "--objective", "energy"))
        assert latency["options"]["objective"] == "latency"
        assert energy["options"]["objective"] == "energy"
        assert energy["baseline"]["energy_mj"] < latency["baseline"]["energy_mj"]
        assert energy["baseline"]["latency_ms"] >= latency["baseline"]["latency_ms"]

    @pytest.mark.usefixtures("undrawn")
    def test_exponents_and_workers(self, nahas):
        ran = nahas(*QUICK, "--json", "--reward-p", "-0.1", "--reward-q", "-0.2", "--workers", "1")
        assert told(ran)["options"]["reward_exponents"] == [-0.1, -0.2]


@pytest.mark.usefixtures("undrawn")
class TestPareto:
    def test_prints_the_front_and_tracks_its_volume(self, nahas):
        asked = ("--pareto", "--controller", "evolution", "--run-dir", "run")
        part = told(nahas("cosearch", "--json", *asked, "--trials", "20"))
        more = ("--run-dir", "run", "--resume", "--trials", "40")
        document = told(nahas("cosearch", "--json", *more))
        assert document["targets"] == {}
        pareto = document["pareto"]
        assert pareto["objectives"] == ["accuracy", "latency_ms", "energy_mj", "area_mm2"]
        assert pareto["hypervolume_after_batch"][0] == part["pareto"]["hypervolume"]
        assert pareto["hypervolume"] == pareto["hypervolume_after_batch"][-1]
        accuracies = [design["accuracy"] for design in document["best"]]
        assert accuracies == sorted(accuracies, reverse=True)
        report = nahas("report", "run")
        assert f"{pareto['designs_on_front']:,} designs on the front" in report.out
        assert "targets" not in report.out

    def test_refuses_targets_beside_it(self, nahas):
        ran = nahas(*QUICK, "--pareto", "--latency", "0.5x")
        assert ran.code == 2
        assert "leave --latency out, or search without --pareto" in ran.err


@pytest.mark.usefixtures("undrawn")
def test_a_target_of_parameters_is_in_millions(nahas):
    ran = nahas(*QUICK, "--json", "--parameters", "0.1", "--run-dir", "a")
    assert ran.code == 3
    document = json.loads(ran.out)
    assert document["targets"]["parameters"] == 1e5
    assert document["feasible_trials"] == 0
    assert "parameters +" in nahas("report", "a").out


@pytest.mark.usefixtures("undrawn")
class TestResume:
    def test_continued_equals_unbroken_and_keeps_its_options(self, nahas):
        whole = told(nahas(*QUICK, "--json", "--run-dir", "whole"))
        told(nahas(*QUICK, "--json", "--run-dir", "part", "--trials", "20"))
        assert nahas("report", "part", "--json").code == 0
        continued = told(
            nahas("cosearch", "--json", "--run-dir", "part", "--resume", "--trials", "40")
        )
        assert continued["best"] == whole["best"]
        assert continued["targets"] == whole["targets"]

    def test_files_are_found_from_another_folder(self, nahas, tmp_path, monkeypatch):
        save_hardware(preset("coral"), tmp_path / "mine.yaml")
        (tmp_path / "mine").mkdir()
        shutil.copy(packaged("sram.csv"), tmp_path / "mine")
        told(nahas(*QUICK, "--json", "--baseline", "mine.yaml", "--tables", "mine"))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        again = ("--resume", "--run-dir", "../runs/mnasnet-0", "--trials", "60")
        assert told(nahas("cosearch", "--json", *again))["trials"] == 60

    def test_a_measured_table_is_found_from_another_folder(
        self, nahas, shared, tmp_path, monkeypatch
    ):
        path = shared / "data" / "nas-bench-macro" / "nas-bench-macro_cifar10.json"
        if not path.is_file():
            pytest.skip(f"no table at {path}")
        shutil.copy(path, tmp_path / "measured.json")
        told(nahas(*QUICK, "--json", "--space", "macro", "--table", "measured.json"))
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        again = ("--resume", "--run-dir", "../runs/macro-0", "--trials", "60")
        assert told(nahas("cosearch", "--json", *again))["trials"] == 60

    def test_a_study_is_not_replaced_unasked(self, nahas):
        told(nahas(*QUICK, "--json"))
        again = nahas(*QUICK, "--json")
        assert again.code == 2
        assert "--resume" in again.err
        assert "--force" in again.err
        assert told(nahas(*QUICK, "--json", "--force", "--trials", "20"))["trials"] == 20

    def test_another_search_is_not_continued(self, nahas):
        told(nahas(*QUICK, "--json"))
        ran = nahas(*QUICK, "--resume", "--latency", "4x")
        assert ran.code == 2
        assert "targets" in ran.err

    def test_nothing_to_resume(self, nahas):
        ran = nahas("cosearch", "--resume", "--run-dir", "none")
        assert ran.code == 2
        assert "none" in ran.err

    def test_a_study_that_is_being_written_is_left_alone(self, nahas):
        told(nahas(*QUICK, "--json"))
        lock = WriterLock(Path("runs/mnasnet-0/study.db"))
        try:
            for how in ("--resume", "--force"):
                ran = nahas(*QUICK, how)
                assert ran.code == 2
                assert "is being written by process" in ran.err
        finally:
            lock.release()
        assert nahas("report", "runs/mnasnet-0").code == 0

    @pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupt_keeps_what_was_found(self, nahas, root, signal_number):
        child = subprocess.Popen(
            [sys.executable, "-c", UNDRAWN.format(root=str(root)), *QUICK, "--json", *MANY],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        study = Path("runs/mnasnet-0/study.db")
        until = time.monotonic() + 90
        while not (study.exists() and nahas("report", study, "-q").code == 0):
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < until
            time.sleep(0.2)
        child.send_signal(signal_number)
        out, err = child.communicate(timeout=60)
        assert child.returncode == 130, err
        document = json.loads(out)
        assert document["stopped_by"] == "interrupt"
        assert document["best"]
        resumed = told(nahas("cosearch", "--resume", "--json", "--trials", document["trials"] + 20))
        assert resumed["trials"] == document["trials"] + 20


class TestWrongInput:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--space", "mnasnt"), "did you mean 'mnasnet'?"),
            (("--latency", "nan"), "the target nan means nothing"),
            (("--latency", "-1"), "above 0"),
            (("--area", "big"), "'big' is not a number"),
            (("--controller", "ppoo"), "allowed are ppo, reinforce, evolution, local, random"),
            (("--reward", "firm"), "allowed are hard, soft, absolute, relu"),
            (("--reward-p", "0.5"), "exponent p is 0.5"),
            (("--trials", "0"), "0 is not in the range"),
            (("--time-limit", "soon"), "'soon' is no time"),
            (("--time-limit", "-3"), "'-3' is no time"),
            (("--table", "x.json"), "add --space macro"),
            (("--space", "macro"), "--table"),
            (("--space", "macro", "--table", "none.json"), "none.json"),
            (("--baseline", "edge-basline"), "did you mean 'edge-baseline'?"),
            (("--tables", "none"), "none"),
            (("--workers", "99"), "--workers is 99"),
        ],
    )
    def test_is_a_sentence_with_exit_2_and_leaves_nothing(self, nahas, tmp_path, arguments, said):
        ran = nahas(*QUICK, *arguments)
        assert ran.code == 2
        assert said in ran.err
        assert len(ran.err.strip().splitlines()) == 1
        assert "searching" not in ran.err
        assert list(tmp_path.iterdir()) == []

    def test_in_words_is_refused_before_anything_is_compiled(self, nahas):
        program = (
            "import sys\n"
            "from nahas.cli.main import run\n"
            "for wrong in (line.split() for line in sys.argv[1:]):\n"
            "    assert run(['cosearch', *wrong]) == 2, wrong\n"
            "print(sorted({'numba', 'tensorflow', 'matplotlib'} & set(sys.modules)))\n"
        )
        wrong = (
            "--controller ppoo",
            "--space mnasnt",
            "--hardware-space widee",
            "--reward firm",
            "--reward-p 0.5",
            "--latency nan",
            "--baseline edge-basline",
            "--tracker nope",
            "--run-dir nowhere --resume",
        )
        ran = subprocess.run(
            [sys.executable, "-c", program, *wrong], capture_output=True, text=True, check=True
        )
        assert ran.stdout == "[]\n"
        assert len(ran.stderr.splitlines()) == len(wrong)

    def test_a_folder_that_cannot_be_written(self, nahas, tmp_path):
        (tmp_path / "runs").write_text("a file where the folder should be")
        ran = nahas(*QUICK)
        assert ran.code == 2
        assert "runs" in ran.err
        assert "Traceback" not in ran.err

    def test_a_full_disk(self, nahas, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        ran = nahas(*QUICK)
        assert ran.code == 2
        assert "No space left on device" in ran.err

    @pytest.mark.parametrize(
        "content", [b"", b"not a database", b"SQLite format 3\x00" + bytes(99)]
    )
    def test_a_corrupt_study(self, nahas, tmp_path, content):
        path = tmp_path / "study.db"
        path.write_bytes(content)
        for arguments in (("report", path), (*QUICK, "--run-dir", tmp_path, "--resume")):
            ran = nahas(*arguments)
            assert ran.code == 2
            assert "study.db" in ran.err
            assert "Traceback" not in ran.err
        assert path.read_bytes() == content

    def test_a_report_of_nothing(self, nahas):
        ran = nahas("report", "runs/none")
        assert ran.code == 2
        assert "there is no study 'runs/none'" in ran.err


class TestPlugins:
    """Entry points are read from a distribution's metadata, written here beside the test."""

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path, monkeypatch):
        site = tmp_path / "site"
        about = site / "plugged-1.0.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(
            "[nahas.controllers]\nmine = plugged:controller\nbroken = plugged:none\n"
            "[nahas.trackers]\ncount = plugged:tracker\n"
            "[nahas.energy_tables]\nmytables = plugged:tables\n"
        )
        (site / "plugged.py").write_text(
            "from nahas.controllers.random import Random\n"
            "seen = []\n"
            "def controller(space, rng, applicable):\n    return Random(space, rng)\n"
            "def tracker(search):\n    return lambda trials: seen.append(len(trials))\n"
            f"def tables():\n    return {str(site)!r}\n"
        )
        shutil.copy(packaged("sram.csv"), site)
        monkeypatch.syspath_prepend(str(site))
        yield
        sys.modules.pop("plugged", None)

    @pytest.mark.usefixtures("undrawn")
    def test_a_controller_a_tracker_and_tables_are_used(self, nahas):
        arguments = ("--controller", "mine", "--tracker", "count", "--tables", "mytables")
        mine = told(nahas(*QUICK, *arguments, "--json", "--run-dir", "a"))
        own = told(nahas(*QUICK, "--json", "--run-dir", "b"))
        assert [d["network"] for d in mine["best"]] == [d["network"] for d in own["best"]]
        assert sys.modules["plugged"].seen == [20, 20]

    def test_one_that_cannot_be_loaded_names_its_distribution(self, nahas):
        ran = nahas(*QUICK, "--controller", "broken")
        assert ran.code == 2
        assert "plug-in 'broken' of plugged cannot be loaded" in ran.err

    def test_an_unknown_one_lists_the_installed(self, nahas):
        assert "installed are count" in nahas(*QUICK, "--tracker", "cuont").err
        assert (
            "allowed are ppo, reinforce, evolution, local, random, broken, mine"
            in nahas(*QUICK, "--controller", "xyz").err
        )
        assert "neither a folder nor" in nahas(*QUICK, "--tables", "nothing").err

    def test_doctor_lists_them(self, nahas):
        document = told(nahas("doctor", "--no-gpu", "--json"))
        assert {"broken", "mine"} <= set(document["plugins"]["nahas.controllers"])


class TestReport:
    def test_draws_again_elsewhere_and_exports(self, nahas, tmp_path):
        document = told(nahas(*QUICK, "--json"))
        ran = nahas(
            "report",
            "runs/mnasnet-0",
            "--out",
            "new",
            "--export",
            "csv",
            "--export",
            "json",
            "--json",
        )
        again = told(ran)
        assert again["best"] == document["best"]
        names = {path.name for path in (tmp_path / "new").iterdir()}
        assert names == {
            "report.html",
            "pareto.png",
            "pareto.svg",
            "rewards.png",
            "rewards.svg",
            "layers.png",
            "layers.svg",
            "trials.csv",
            "trials.json",
        }
        for name in ("pareto.svg", "rewards.svg"):
            old, new = (tmp_path / folder / name for folder in ("runs/mnasnet-0", "new"))
            assert old.read_bytes() == new.read_bytes()

    @pytest.mark.usefixtures("undrawn")
    def test_table(self, nahas):
        told(nahas(*QUICK, "--json"))
        ran = nahas("report", "runs/mnasnet-0/study.db", "--best", "2")
        assert ran.code == 0
        assert "accuracy: ImageNet" in ran.out
        assert "written: runs/mnasnet-0/report.html" in ran.out

    def test_in_a_folder_that_cannot_be_written(self, nahas, monkeypatch):
        document = told(nahas(*QUICK, "--json"))

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", "runs/mnasnet-0")

        monkeypatch.setattr("nahas.report.write.write_page", refuse)
        ran = nahas("report", "runs/mnasnet-0", "--json")
        assert told(ran)["best"] == document["best"]
        assert told(ran)["files"] == []
        (note,) = told(ran)["warnings"]
        assert "'runs/mnasnet-0' cannot be written" in note
        ran = nahas("report", "runs/mnasnet-0")
        assert "written: nothing" in ran.out
        assert note in ran.err
        for asked in (("--out", "x"), ("--export", "csv")):
            refused = nahas("report", "runs/mnasnet-0", *asked)
            assert refused.code == 2
            assert "'runs/mnasnet-0': Permission denied" in refused.err
