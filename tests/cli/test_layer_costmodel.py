"""The model of layers on the command line: trained, refused, and beside the simulator."""

import json

import pytest

from nahas.costmodel.layerwise.pairs import HELD_NETWORKS

QUICK = ("train-costmodel", "--level", "layer", "--samples", "1500", "--hidden", "32,32")

# Keras 3.15 reads TensorFlow's variables in a way that NumPy 2 is going to drop.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("layers")


def test_a_model_of_layers_is_trained_and_predicts_beside_the_simulator(nahas, folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = nahas(*QUICK, "--epochs", "4", "--output", "l.keras", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["level"] == "layer"
    assert 1_400 < document["pairs"] <= 1_500
    assert document["epochs"] == 4
    assert set(HELD_NETWORKS) < set(document["errors"])
    assert json.loads((folder / "l.json").read_text())["errors"] == document["errors"]

    told = json.loads(nahas("simulate", "resnet-50", "--cost-model", "l.keras", "--json").out)
    assert told["predicted_latency_ms"] == pytest.approx(told["total"]["latency_ms"], rel=4)
    assert told["predicted_energy_mj"] == pytest.approx(told["total"]["energy_mj"], rel=4)
    shown = nahas("simulate", "resnet-50", "--cost-model", "l.keras")
    assert f"cost model: {told['predicted_latency_ms']:.4g} ms (" in shown.out

    for options, what in (
        (("--objective", "energy"), "l.keras has learned objective latency: leave out --objective"),
        (("--space", "full"), "l.keras has learned space dataflows: leave out --space"),
        (("--fusion",), "l.keras has learned layers without fusion: leave out --fusion"),
    ):
        refused = nahas("simulate", "resnet-50", "--cost-model", "l.keras", *options)
        assert refused.code == 2
        assert what in refused.err


def test_options_of_models_of_designs_and_files_in_the_way_are_refused(nahas, folder, monkeypatch):
    monkeypatch.chdir(folder)
    refused = nahas(*QUICK, "--members", "3", "--output", "new.keras")
    assert refused.code == 2
    assert "--members is for models of designs: leave it, or --level, out" in refused.err
    (folder / "old.keras").touch()
    refused = nahas(*QUICK, "--output", "old.keras")
    assert refused.code == 2
    assert "is there already" in refused.err
