"""The model of layers is exact but for mappings, refused where it does not belong, and learns."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from nahas import networks
from nahas.costmodel.card import card_path
from nahas.costmodel.layerwise import LayerRecipe, learning, load, train
from nahas.costmodel.layerwise.costs import HEADS, LEAST_SHARE, SHARES, costs_of, heads_of
from nahas.costmodel.layerwise.features import features, known
from nahas.costmodel.layerwise.model import LayerCostModel
from nahas.costmodel.layerwise.pairs import (
    HELD_NETWORKS,
    SPACES,
    draw,
    drawn_layers,
    held_accelerators,
    solved,
    source,
)
from nahas.costmodel.logs import log_path
from nahas.errors import CostModelError, SpaceError
from nahas.hardware import preset
from nahas.kernels.records import CostRow, CountsRow, HardwareRow, LayerRow
from nahas.layers import Layer
from nahas.network import Network, stacked
from nahas.sequence import estimate_designs, hardware_rows
from nahas.simulate import clocks_mhz, design_totals, simulate_designs
from nahas.spaces import accelerator
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.tile_bench.source import Pairs, mapped_layers
from nahas.vocabulary import LayerKind, Objective, Reason

COSTS = ("log_latency_ms", "log_energy_mj")
SMALL = LayerRecipe(pairs=4_000, epochs=8, batch=256, hidden=(64, 64), learning_rate=4e-3)


def drawn_accelerators(count, seed=0):
    space = accelerator.accelerator_space()
    chosen = space.sample(count, np.random.default_rng(seed))
    return [accelerator.hardware(space.values(choice)) for choice in chosen]


def designs():
    """Networks with gates and swish, residual edges and pooling; drawn ones; on many chips."""
    macro, s1 = (named(name) for name in ("macro", "s1"))
    rng = np.random.default_rng(3)
    every = [networks.named(name) for name in HELD_NETWORKS]
    every += [space.network(space.space.sample(1, rng)[0]) for space in (macro, s1)]
    hardware = [*drawn_accelerators(20), preset("edge-baseline"), preset("coral")]
    return [n for n in every for _ in hardware], hardware * len(every)


@pytest.fixture(scope="module")
def drawn_from():
    return source(1)


@pytest.fixture(scope="module")
def pairs(drawn_from):
    return draw(drawn_from, 0, 3_000)


@pytest.fixture(scope="module")
def told(pairs):
    """Solved pairs, and what is known of them."""
    answers = solved(pairs, Objective.LATENCY)
    return answers, known(answers.pairs)


@pytest.fixture(scope="module")
def trained():
    told = []
    model = train(SMALL, progress=lambda *progress: told.append(progress))
    return model, told


@pytest.mark.parametrize("objective", list(Objective))
def test_with_the_mappers_own_costs_totals_are_the_simulators(objective):
    of, hardware = designs()

    def search(rows, points, chosen, stays):
        return solved(Pairs(rows, points, chosen, stays), objective).costs

    points = hardware_rows(hardware)
    outcome = estimate_designs(stacked([n.table for n in of]), points, search)
    latency_ms, energy_mj, reason = design_totals(outcome, points, clocks_mhz(hardware))
    costs = simulate_designs(of, hardware, objective)
    assert np.array_equal(latency_ms, costs.latency_ms)
    assert np.array_equal(energy_mj, costs.energy_mj)
    assert not reason.any()


def test_heads_turn_back_into_the_costs_that_they_were_made_of(told):
    answers, of = told
    stays = answers.pairs.stays
    heads = heads_of(of, stays, answers.costs, answers.counts)
    assert heads.shape == (len(stays), len(HEADS))
    back = costs_of(of, stays, np.nan_to_num(heads))
    names = [n for n in CostRow._fields if n not in ("compute_cycles", "local_memory_cycles")]
    names = [n for n in names if not n.startswith(("first", "last")) and n != "bound"]
    for name in names:
        column = CostRow._fields.index(name)
        # float32 logarithms, and a cycle more or less where io_cycles are rounded up.
        more = 1.01 * of.hardware["leakage_pj_per_cycle"] if name.endswith("_pj") else 1.01
        close = np.isclose(back[:, column], answers.costs[:, column], rtol=1e-5, atol=more)
        assert close.all(), name
    busy = answers.costs[:, [1, 2]].max(axis=1)
    assert back[:, 1] == pytest.approx(busy, rel=1e-5)
    assert np.array_equal(back[:, 1], back[:, 2])


def test_tiles_come_back_where_they_are_not_tiny_and_nothing_is_told_of_those_on_chip(told):
    answers, of = told
    stays = answers.pairs.stays
    heads = heads_of(of, stays, answers.costs, answers.counts)
    back = costs_of(of, stays, np.nan_to_num(heads))
    on_chip = stays[:, [3, 0, 1]] == 1
    assert np.array_equal(np.isnan(heads[:, SHARES]), on_chip)
    assert not np.isnan(heads[:, : SHARES.start]).any()
    first = CostRow._fields.index("first_weight_bytes")
    whole = np.exp(heads[:, SHARES]) > LEAST_SHARE * 1.01
    for place in range(3):
        rows = whole[:, place] & ~on_chip[:, place]
        assert rows.sum() > 100
        column = first + place
        assert back[rows, column] == pytest.approx(answers.costs[rows, column], rel=1e-5)
        assert not back[on_chip[:, place], column].any()


def test_no_mapping_computes_in_fewer_cycles_than_the_least_and_most_take_no_more(told):
    answers, of = told
    cycles = answers.counts[:, CountsRow._fields.index("compute_cycles")]
    assert (cycles >= of.least_cycles * (1 - 1e-12)).all()
    bound = answers.costs[:, CostRow._fields.index("bound")] == 0
    assert (cycles[bound] <= of.least_cycles[bound] * (1 + 1e-12)).mean() > 0.9


def test_what_is_known_is_what_layers_say_of_themselves():
    layers = networks.named("resnet-50").layers
    rows = np.array([layer.row for layer in layers if not layer.kind.is_vector], np.int64)
    points = hardware_rows([preset("edge-baseline")])
    chosen = np.stack([np.arange(len(rows)), np.zeros(len(rows), np.int64)], axis=1)
    of = known(Pairs(rows, points, chosen, np.zeros((len(rows), 4))))
    mapped = [layer for layer in layers if not layer.kind.is_vector]
    assert of.macs.tolist() == [layer.macs for layer in mapped]
    assert of.weights.tolist() == [layer.weight_words for layer in mapped]
    assert of.inputs.tolist() == [layer.input_words for layer in mapped]
    assert of.outputs.tolist() == [layer.output_words for layer in mapped]


def test_features_are_finite_distinct_and_of_the_pair_alone(told):
    answers, of = told
    stays = answers.pairs.stays
    seen = features(of, stays)
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    part = replace(answers.pairs, pairs=answers.pairs.pairs[7:9], stays=stays[7:9])
    assert np.array_equal(features(known(part), part.stays), seen[7:9])


def test_pairs_keep_out_the_fixed_networks_and_the_held_accelerators(pairs, drawn_from):
    of = drawn_from
    held = mapped_layers([networks.named(name) for name in HELD_NETWORKS])
    learned = {tuple(row) for row in of.layers.tolist()}
    assert not any(tuple(row) in learned for row in held.tolist())
    assert len(of.layers) > 10_000
    kept_out = held_accelerators(of)
    assert len(np.unique(kept_out)) == len(kept_out) == 1_000
    assert not np.isin(pairs.pairs[:, 1], kept_out).any()
    assert len(pairs.pairs) > 2_800
    again = draw(source(1), 0, 3_000)
    assert np.array_equal(again.pairs, pairs.pairs)
    assert np.array_equal(again.stays, pairs.stays)


def test_what_stays_fits_half_of_the_memory_and_holds_what_is_said_to_stay(pairs):
    of = known(pairs)
    inputs, outputs, reserved, weights = pairs.stays.T
    hw = of.hardware
    memory = hw["local_memory_bytes"]
    assert (reserved <= np.ceil(memory * np.where(weights, 0.9, 0.5))).all()
    pes = hw["pes_x"] * hw["pes_y"]
    held = of.inputs * inputs + of.outputs * outputs + of.weights * weights
    assert (reserved * pes >= held - 1e-6).all()
    for flags in (inputs, outputs, weights):
        assert set(flags) == {0.0, 1.0}


def test_drawn_layers_are_layers():
    rows = drawn_layers(500, np.random.default_rng(0))
    assert np.array_equal(rows, drawn_layers(500, np.random.default_rng(0)))
    for row in rows.tolist():
        fields = dict(zip(LayerRow._fields, row, strict=True))
        del fields["kind"]
        assert Layer(name="drawn", **fields).macs > 0
    g, k, c = (rows[:, LayerRow._fields.index(name)] for name in "gkc")
    assert ((g > 1) & (k == 1) & (c == 1)).mean() == pytest.approx(0.3, abs=0.06)
    assert ((g > 1) & (c > 1)).any()


def test_a_small_model_learns_networks_that_it_never_saw(trained):
    model, told = trained
    assert told[0] == ("solving", 4_000, 4_000)
    assert told[-1] == ("learning", 8, 8)
    errors = model.card.errors
    assert set(errors) == {"layers", *HELD_NETWORKS, *SPACES}
    for name in HELD_NETWORKS:
        assert errors[name]["log_latency_ms"]["mape"] < 20, name
        assert errors[name]["log_energy_mj"]["mape"] < 15, name
    means = [np.mean([errors[n][c]["mape"] for n in HELD_NETWORKS]) for c in COSTS]
    assert means[0] < 12
    assert means[1] < 8


def test_training_again_gives_the_same_model(trained):
    assert train(SMALL).card == trained[0].card


def test_a_run_that_diverges_ends_in_one_sentence(monkeypatch):
    tiny = LayerRecipe(pairs=600, epochs=2, hidden=(16, 16), learning_rate=1e30)
    with pytest.raises(CostModelError, match=r"epoch 1: the loss is not finite at learning_rate 1"):
        train(tiny)
    nothing = {"layers": {"log_latency_ms": {"mape": float("inf")}}}
    monkeypatch.setattr(learning, "held_out_errors", lambda *_: nothing)
    with pytest.raises(CostModelError, match=r"log_latency_ms of layers is predicted as a number"):
        train(replace(tiny, learning_rate=1e-3))


def test_every_epoch_has_a_row_in_the_log_beside_the_model(trained, tmp_path):
    path = tmp_path / "layers.keras"
    trained[0].save(path)
    rows = list(csv.DictReader(log_path(path).read_text().splitlines()))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 9)]
    assert float(rows[-1]["loss"]) < 0.7 * float(rows[0]["loss"])
    rates = [float(row["learning_rate"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.01 * rates[0]
    log_path(path).unlink()
    load(path).save(path)  # a model that was read knows nothing of its epochs
    assert not log_path(path).exists()


def test_a_saved_model_predicts_the_same(trained, tmp_path):
    model = trained[0]
    model.save(tmp_path / "layers.keras")
    read = load(tmp_path / "layers.keras")
    assert read.card == model.card
    of = [networks.named("mobilenet-v3-large"), networks.named("efficientnet-edgetpu-s")]
    hardware = drawn_accelerators(2, seed=9)
    before, after = model.predict(of, hardware), read.predict(of, hardware)
    assert np.array_equal(before, after)
    costs = simulate_designs(of, hardware)
    assert after[0] == pytest.approx(costs.latency_ms, rel=0.5)
    assert after[1] == pytest.approx(costs.energy_mj, rel=0.3)


def test_each_design_is_predicted_as_if_alone(trained):
    of, hardware = designs()
    chosen = slice(0, 150, 13)
    of, hardware = of[chosen], hardware[chosen]
    hardware = [preset("edge-baseline") if h == preset("coral") else h for h in hardware]
    together = np.array(trained[0].predict(of, hardware))
    alone = [trained[0].predict([n], [h]) for n, h in zip(of, hardware, strict=True)]
    assert together == pytest.approx(np.array(alone)[:, :, 0].T, rel=1e-5)


def test_choices_are_predicted_as_their_designs(trained):
    joint = JointSpace(named("mnasnet"))
    choices = joint.space.sample(600, np.random.default_rng(4))
    some = [0, 17, 511, 512, 599]
    by_choice = np.array(trained[0].predict_choices(joint, choices))[:, some]
    by_design = np.array(trained[0].predict(*joint.designs(choices[some])))
    assert by_choice == pytest.approx(by_design, rel=1e-5)


def test_no_design_has_no_cost(trained):
    model, joint = trained[0], JointSpace(named("macro"))
    none = np.empty((0, len(joint.space.decisions)), np.int64)
    for costs in (model.predict([], []), model.predict_choices(joint, none)):
        assert [cost.shape for cost in costs] == [(0,), (0,)]
    with pytest.raises(SpaceError):
        model.predict_choices(joint, none[:, 1:])


def test_a_network_without_convolutions_is_predicted_exactly(trained):
    layer = Layer(
        name="pool", kind=LayerKind.POOL, g=64, p=14, q=14, r=2, s=2, stride_p=2, stride_q=2
    )
    network, chip = Network(name="pool", layers=(layer,), inputs=((-1,),)), drawn_accelerators(1)
    costs = simulate_designs([network], chip)
    assert np.array_equal(trained[0].predict([network], chip), (costs.latency_ms, costs.energy_mj))


def test_the_ranges_are_of_the_pairs_that_were_learned(drawn_from, pairs):
    few = pairs.pairs[:5]
    layers = dict(zip(LayerRow._fields, pairs.layers[few[:, 0]].T, strict=True))
    points = dict(zip(HardwareRow._fields, pairs.points[few[:, 1]].T, strict=True))
    ranges = learning._ranges(drawn_from, few)
    assert {"k", "dilation_s", "pes_x", "local_memory_bytes"} <= set(ranges)
    for name, of in ranges.items():
        column = (layers | points)[name]
        assert of == [column.min(), column.max()], name


def test_beyond_few_pairs_it_refuses_and_extrapolates_only_when_told(trained):
    model, resnet, chip = trained[0], networks.named("resnet-50"), drawn_accelerators(1)
    narrow = {**model.card.ranges, "k": [1.0, 600.0]}
    model = replace(model, card=replace(model.card, ranges=narrow))
    with pytest.raises(CostModelError, match=r"k of a layer is 1024, but the model learned 1 to"):
        model.predict([resnet], chip)
    assert np.array_equal(
        model.predict([resnet], chip, extrapolate=True), trained[0].predict([resnet], chip)
    )


def test_what_was_not_learned_is_refused(trained):
    model, small = trained[0], networks.named("mobilenet-v2")
    with pytest.raises(CostModelError, match=r"1 networks and 2 accelerators: give one"):
        model.predict([small], drawn_accelerators(2))
    wide = replace(preset("edge-baseline"), pes_x=16)
    with pytest.raises(CostModelError, match=r"pes_x of an accelerator is 16, .* learned 1 to 8"):
        model.predict([small], [wide])
    narrow = replace(preset("edge-baseline"), weight_bits=4)
    with pytest.raises(CostModelError, match=r"weight_bytes of an accelerator is 0.5, but"):
        model.predict([small], [narrow])
    layer = Layer(name="huge", k=10_000, c=8)
    network = Network(name="huge", layers=(layer,), inputs=((-1,),))
    with pytest.raises(CostModelError, match=r"k of a layer is 10000, but the model learned 1 to"):
        model.predict([network], [preset("edge-baseline")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": "design"}, r"is not the card of a model of layers; train one with"),
        ({"schema_version": 9}, r":schema_version is 9, but this nahas reads 1"),
        ({"objective": "speed"}, r":objective is unknown: 'speed'"),
        ({"weights_sha256": "0"}, r"is not the model that .* describes"),
        ({"more": 1}, r"keys missing or unknown: \['more'\]"),
        ({"origin": {"space": "layers"}}, r":origin is incomplete"),
    ],
)
def test_a_card_that_does_not_belong_is_refused(trained, tmp_path, change, message):
    path = tmp_path / "layers.keras"
    trained[0].save(path)
    content = json.loads(card_path(path).read_text())
    card_path(path).write_text(json.dumps(content | change))
    with pytest.raises(CostModelError, match=message):
        load(path)


@pytest.mark.parametrize(
    "field", ["space", "space_fingerprint", "kernels_fingerprint", "tables_fingerprint"]
)
def test_another_simulator_is_refused(trained, tmp_path, field):
    path = tmp_path / "layers.keras"
    model: LayerCostModel = trained[0]
    origin = replace(model.card.origin, **{field: "0"})
    replace(model, card=replace(model.card, origin=origin)).save(path)
    with pytest.raises(CostModelError, match=r"another .* --level layer'"):
        load(path)


def test_damaged_files_are_one_sentence(trained, tmp_path):
    path = tmp_path / "layers.keras"
    with pytest.raises(CostModelError, match=r"layers.json: cannot be read \(No such file"):
        load(path)
    trained[0].save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CostModelError, match=r"layers.keras: cannot be read as a Keras model"):
        load(path)
    card_path(path).write_text("{")
    with pytest.raises(CostModelError, match=r"is not the card of a cost model"):
        load(path)
    with pytest.raises(CostModelError, match=r"must end in \.keras"):
        trained[0].save(tmp_path / "layers.h5")


def test_a_recipe_says_what_it_cannot_be():
    with pytest.raises(CostModelError, match=r"pairs is 0: it must be at least 1"):
        LayerRecipe(pairs=0)


def test_solved_pairs_all_have_a_mapping(told):
    answers, of = told
    assert (answers.costs[:, CostRow._fields.index("reason")] == Reason.OK).all()
    assert len(of.macs) == len(answers.costs)
    assert answers.pairs.points.shape[1] == len(HardwareRow._fields)
