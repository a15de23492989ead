"""Whole networks: totals, start-up and drain, what stays on chip, what cannot run."""

from dataclasses import replace
from math import ceil

import numba
import numpy as np
import pytest

from nahas import networks
from nahas.edge_mapping import edge_mapping
from nahas.energy import access_energies, area_mm2, load_tables
from nahas.errors import NetworkError, UsageError
from nahas.hardware import PRESETS, Hardware, preset
from nahas.kernels.records import CostRow, HardwareRow, MappingRow, ResidencyRow
from nahas.layers import Layer
from nahas.mapping import Mapping, evaluate
from nahas.mapspace import evaluated_cost
from nahas.network import Network, stacked
from nahas.sequence import Outcome, hardware_rows, solve_designs
from nahas.simulate import NetworkCost, simulate, simulate_designs, simulate_networks
from nahas.spaces.accelerator import accelerator_space, hardware
from nahas.vocabulary import Bound, Dim, Level, Objective, Reason, Slot, Tensor

IDEAL_MS = {
    "mobilenet-v2": 0.0229,
    "efficientnet-b0": 0.0294,
    "efficientnet-edgetpu-s": 0.1795,
    "resnet-50": 0.312,
}
"""On 26.21 TOPS, every unit at work in every cycle (paper notes, section 10.3)."""

ROUNDING = 1e-3  # the notes give three or four digits


@pytest.fixture(scope="module")
def baseline() -> Hardware:
    return preset("edge-baseline")


@pytest.fixture(scope="module")
def simulated() -> list[NetworkCost]:
    """Every named network on every preset."""
    return [
        simulate(networks.named(name), preset(point))
        for name in networks.NAMES
        for point in PRESETS
    ]


def sequence(*layers: Layer) -> Network:
    """Layers one after the other."""
    inputs = tuple((i - 1,) for i in range(len(layers)))
    return Network(name="sequence", layers=layers, inputs=inputs)


def drawn_hardware(count: int, seed: int = 0) -> list[Hardware]:
    space = accelerator_space()
    drawn = space.sample(count, np.random.default_rng(seed))
    return [hardware(space.values(row)) for row in drawn]


# Totals


def test_the_latency_is_that_of_the_layers_in_sequence_with_startup_and_drain(simulated):
    for cost in simulated:
        cycles = sum(layer.cycles for layer in cost.layers)
        cycles += cost.startup_cycles + cost.drain_cycles
        assert cost.cycles == cycles
        assert cost.latency_ms == pytest.approx(cycles / cost.hardware.clock_mhz / 1e3, rel=1e-12)


def test_the_energy_is_that_of_the_layers_and_of_the_leakage_while_waiting(simulated):
    for cost in simulated:
        dynamic = sum(layer.energy_pj - layer.leakage_pj for layer in cost.layers)
        leaked_mj = access_energies(cost.hardware).leakage_mw * cost.latency_ms * 1e-3
        assert cost.energy_mj == pytest.approx(dynamic / 1e9 + leaked_mj, rel=1e-9)


def test_the_components_of_every_layer_add_up(simulated):
    for layer in (layer for cost in simulated for layer in cost.layers):
        parts = (
            layer.mac_pj,
            layer.register_file_pj,
            layer.local_memory_pj,
            layer.dram_pj,
            layer.leakage_pj,
        )
        assert min(parts) >= 0
        assert layer.energy_pj == pytest.approx(sum(parts), rel=1e-12)
        times = (layer.compute_cycles, layer.local_memory_cycles, layer.io_cycles)
        assert layer.cycles == max(times) == times[layer.bound]


def test_traffic_and_speed_are_in_the_units_of_their_names(simulated):
    for cost in simulated:
        weights = sum(layer.weight_bytes for layer in cost.layers)
        moved = sum(layer.input_bytes + layer.output_bytes for layer in cost.layers)
        assert cost.weight_megabytes == pytest.approx(weights / 1e6)
        assert cost.activation_megabytes == pytest.approx(moved / 1e6)
        assert cost.tops == pytest.approx(2e-9 * cost.network.macs / cost.latency_ms)
        assert cost.area_mm2 == area_mm2(cost.hardware)
        streams = (layer for layer in cost.layers if not layer.weights_on_chip)
        assert weights >= sum(layer.layer.weight_words for layer in streams)


# What no design can beat


def test_no_unit_does_more_than_one_multiply_accumulate_per_cycle(simulated):
    for cost in simulated:
        assert cost.reason == Reason.OK
        assert all(0 <= layer.utilisation <= 1 for layer in cost.layers)
        assert cost.tops <= cost.hardware.peak_tops


@pytest.mark.parametrize("name", sorted(IDEAL_MS))
def test_nothing_is_faster_than_the_ideal_of_the_paper_notes(name, baseline):
    network = networks.named(name)
    ideal = 2e-9 * network.macs / baseline.peak_tops
    assert ideal == pytest.approx(IDEAL_MS[name], rel=5e-3)
    designs = [*drawn_hardware(40), *map(preset, PRESETS)]
    costs = simulate_designs([network] * len(designs), designs)
    scaled = [ideal * baseline.peak_tops / design.peak_tops for design in designs]
    assert (costs.latency_ms > np.array(scaled)).all()
    assert simulate(network, baseline).latency_ms > IDEAL_MS[name] * (1 - ROUNDING)


def test_the_weights_alone_take_as_long_as_the_interface_needs_for_them(simulated):
    for cost in simulated:
        streams = (layer for layer in cost.layers if not layer.weights_on_chip)
        words = sum(layer.layer.weight_words for layer in streams)
        assert cost.cycles * cost.hardware.io_bytes_per_cycle >= words


# The two faces agree


@pytest.mark.parametrize("objective", list(Objective))
def test_simulate_and_simulate_designs_agree_in_every_total(objective):
    chosen = [networks.named(name) for name in ("mobilenet-v2", "resnet-50", "mobilenet-v2")]
    designs = drawn_hardware(3, seed=int(objective))
    together = simulate_designs(chosen, designs, objective)
    for i, (network, design) in enumerate(zip(chosen, designs, strict=True)):
        alone = simulate(network, design, objective)
        assert together.latency_ms[i] == alone.latency_ms
        assert together.energy_mj[i] == alone.energy_mj
        assert together.area_mm2[i] == alone.area_mm2
        assert together.parameters[i] == network.parameters
        assert together.reason[i] == alone.reason == Reason.OK


def alone(outcome: Outcome, hw: HardwareRow) -> tuple[np.ndarray, np.ndarray]:
    """Cycles and energy of layers that fetch all while they run, as the mapper sees them."""
    moved = sum(outcome.column(f"{tensor}_bytes") for tensor in ("weight", "input", "output"))
    io = np.ceil(moved / hw.io_bytes_per_cycle)
    cycles = np.maximum(outcome.column("compute_cycles"), outcome.column("local_memory_cycles"))
    cycles = np.maximum(cycles, io)
    dynamic = outcome.column("energy_pj") - outcome.column("leakage_pj")
    return cycles, dynamic + cycles * hw.leakage_pj_per_cycle


def test_each_objective_is_best_at_its_own_figure():
    # Layer by layer, where the objective rules; the sequence is outside it.
    table, points = networks.named("mobilenet-v2").table, hardware_rows(drawn_hardware(1))
    hw = HardwareRow(*points[0].tolist())
    found = {each: alone(solve_designs(stacked([table]), points, each), hw) for each in Objective}
    for figure, best in (
        (lambda cost: cost[0], Objective.LATENCY),
        (lambda cost: cost[1], Objective.ENERGY),
        (lambda cost: cost[0] * cost[1], Objective.EDP),
    ):
        for other in found.values():
            assert (figure(found[best]) <= figure(other) * (1 + 1e-9)).all()


@pytest.mark.parametrize("point", ["edge-baseline", "coral"])
def test_every_reported_mapping_costs_what_is_reported_when_it_is_walked(point):
    network, design = networks.named("mobilenet-v2"), preset(point)
    reported = simulate(network, design)
    points = hardware_rows([design])
    outcome = solve_designs(stacked([network.table]), points, Objective.LATENCY)
    hw = HardwareRow(*points[0].tolist())
    mapped = [i for i, cost in enumerate(reported.layers) if not cost.layer.kind.is_vector]
    assert mapped
    for i in mapped:
        cost, row = reported.layers[i], MappingRow(*outcome.mappings[i].tolist())
        assert cost.mapping == edge_mapping(cost.layer, row)
        stay = ResidencyRow(*outcome.stays[i].tolist())
        assert (stay.input_on_chip, stay.output_on_chip) == (
            cost.input_on_chip,
            cost.output_on_chip,
        )
        own = evaluated_cost(cost.layer, hw, stay, row)
        assert (cost.compute_cycles, cost.local_memory_cycles) == (
            own.compute_cycles,
            own.local_memory_cycles,
        )
        dynamic = own.energy_pj - own.leakage_pj  # leakage goes by the cycles of the sequence
        assert cost.energy_pj - cost.leakage_pj == pytest.approx(dynamic, rel=1e-12)
    assert all(cost.mapping is None for cost in reported.layers if cost.layer.kind.is_vector)


def test_answers_do_not_depend_on_threads():
    chosen = [networks.named(name) for name in networks.NAMES] * 2
    designs = drawn_hardware(len(chosen))
    answers = []
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        numba.set_num_threads(threads)
        costs = simulate_designs(chosen, designs)
        answers.append((costs.latency_ms, costs.energy_mj, costs.area_mm2, costs.reason))
    for one, other in zip(*answers, strict=True):
        assert np.array_equal(one, other)


# Memory and bandwidth


def test_an_activation_on_chip_costs_no_dram_bytes_exactly(simulated):
    stays = 0
    for cost in simulated:
        energies = access_energies(cost.hardware)
        for layer in cost.layers:
            stays += layer.input_on_chip + layer.output_on_chip
            assert not (layer.input_on_chip and layer.input_bytes)
            assert not (layer.output_on_chip and layer.output_bytes)
            read = layer.weight_bytes + layer.input_bytes
            dram = read * energies.dram_read_pj_per_byte
            dram += layer.output_bytes * energies.dram_write_pj_per_byte
            assert layer.dram_pj == pytest.approx(dram, rel=1e-12)
    assert stays > 0


def test_all_activations_of_a_small_network_stay_and_only_its_ends_cross_the_interface(baseline):
    network = sequence(*(Layer(name=str(i), k=32, c=32, p=8, q=8) for i in range(4)))
    layers = simulate(network, baseline).layers
    words = 32 * 8 * 8
    assert [layer.input_bytes for layer in layers] == [words, 0, 0, 0]
    assert [layer.output_bytes for layer in layers] == [0, 0, 0, words]
    assert [layer.weight_bytes for layer in layers] == [1024] * 4


def test_weights_that_stay_are_read_from_local_memory_in_place_of_dram():
    streaming = replace(preset("coral"), parameter_memory_mb=0)
    network = networks.named("mobilenet-v2")
    stay, stream = (simulate(network, point) for point in (preset("coral"), streaming))
    assert stay.weight_megabytes == 0
    assert all(layer.weights_on_chip == (layer.layer.weight_words > 0) for layer in stay.layers)
    assert not any(layer.weights_on_chip for layer in stream.layers)
    assert stay.latency_ms < stream.latency_ms / 5  # 3.5 MB at 0.5 GB/s are 7 ms
    assert stay.area_mm2 == stream.area_mm2


def test_weights_that_do_not_fit_stream():
    point = replace(preset("coral"), parameter_memory_mb=0.25)  # 4 MiB in all
    layers = simulate(networks.named("resnet-50"), point).layers
    kept = sum(layer.layer.weight_words for layer in layers if layer.weights_on_chip)
    assert 0 < kept <= 4 * 2**20
    for layer in layers:
        assert (layer.weight_bytes == 0) == (layer.weights_on_chip or layer.layer.kind.is_vector)


def test_equal_layers_are_told_apart_by_where_their_weights_are():
    point = replace(preset("coral"), parameter_memory_mb=0.1)
    chosen = [networks.named("resnet-50"), networks.named("mobilenet-v2")]
    together = simulate_networks(chosen, [point]).latency_ms[:, 0]
    assert together.tolist() == [simulate(each, point).latency_ms for each in chosen]


def test_more_io_bandwidth_is_never_slower():
    chosen = [networks.named(name) for name in ("mobilenet-v2", "efficientnet-edgetpu-s")] * 8
    designs = drawn_hardware(len(chosen), seed=3)
    before = np.full(len(chosen), np.inf)
    for io_gb_per_s in (5, 10, 15, 20, 25, 100):
        wider = [replace(design, io_gb_per_s=io_gb_per_s) for design in designs]
        latency = simulate_designs(chosen, wider).latency_ms
        assert (latency <= before).all()
        before = latency


@pytest.mark.parametrize("objective", list(Objective))
def test_a_higher_clock_is_the_same_cycles_where_memory_keeps_pace(objective, baseline):
    network = networks.named("mobilenet-v2")
    faster = replace(baseline, clock_mhz=1600.0, io_gb_per_s=2 * baseline.io_gb_per_s)
    slow, fast = simulate(network, baseline, objective), simulate(network, faster, objective)
    if objective == Objective.LATENCY:  # leakage per cycle halves, and may turn the others
        assert fast.cycles == pytest.approx(slow.cycles, rel=1e-12)
    assert fast.latency_ms < slow.latency_ms
    assert fast.energy_mj < slow.energy_mj


def first_weights(layer: Layer, mapping: Mapping) -> float:
    """Weights that all register files hold in the first step, or need for the first outputs."""
    local = [loop for loop in mapping.loops if loop.slot == Slot.LOCAL_MEMORY]
    pixels = [i for i, loop in enumerate(local) if loop.dim in (Dim.P, Dim.Q)]
    reduction = [i for i, loop in enumerate(local) if loop.dim in (Dim.C, Dim.R, Dim.S)]
    inner = local[max(pixels) + 1 :] if pixels and reduction and pixels < reduction else []
    at_once = [loop for loop in mapping.loops if loop.slot not in (Slot.DRAM, Slot.LOCAL_MEMORY)]
    reach = dict.fromkeys((Dim.G, Dim.K, Dim.C, Dim.R, Dim.S), 1)
    for loop in at_once + inner:
        if loop.dim in reach:
            reach[loop.dim] *= loop.count
    sizes = [min(count, getattr(layer, dim.name.lower())) for dim, count in reach.items()]
    return float(np.prod(sizes))


def tile_bytes(cost: NetworkCost, index: int) -> tuple[float, float, float]:
    """First weights, first input tile and an output tile over all PEs, by the nest."""
    layer, mapping = cost.layers[index].layer, cost.layers[index].mapping
    if mapping is None:
        return 0.0, cost.layers[index].input_bytes, cost.layers[index].output_bytes
    spread = [loop for loop in mapping.loops if loop.slot == Slot.PE_ARRAY]
    tile = evaluate(layer, mapping).tile_words[Level.LOCAL_MEMORY]

    def copies(*dims: Dim) -> int:
        return int(np.prod([loop.count for loop in spread if loop.dim in dims]))

    return (
        0.0 if cost.layers[index].weights_on_chip else first_weights(layer, mapping),
        float(tile[Tensor.INPUTS] * copies(Dim.G, Dim.P, Dim.Q)),
        float(min(tile[Tensor.OUTPUTS] * copies(*Dim), layer.output_words)),
    )


def test_the_first_tile_is_waited_for_and_the_last_one_after(simulated):
    for cost in simulated:
        io = cost.hardware.io_bytes_per_cycle
        weights, inputs, _ = tile_bytes(cost, 0)
        assert cost.startup_cycles == ceil((weights + inputs) / io)
        assert cost.drain_cycles == ceil(tile_bytes(cost, -1)[2] / io)


def test_the_first_weights_of_a_layer_come_in_while_the_layer_before_runs(simulated):
    for cost in (simulated[0], simulated[4], simulated[-1]):
        tiles = [tile_bytes(cost, i) for i in range(len(cost.layers))]
        for i, layer in enumerate(cost.layers):
            moved = layer.weight_bytes + layer.input_bytes + layer.output_bytes - tiles[i][0]
            if i == 0:
                moved -= tiles[0][1]
            if i == len(cost.layers) - 1:
                moved -= tiles[i][2]
            else:
                moved += tiles[i + 1][0]
            assert layer.io_cycles == ceil(max(0.0, moved) / cost.hardware.io_bytes_per_cycle)


def test_no_more_drains_than_the_outputs_there_are(baseline):
    # Sums over 43 tiles of C wait in 32 bits and leave in 8.
    one_pe = replace(baseline, pes_x=1, pes_y=1, local_memory_mb=0.5)
    layer = Layer(name="deep", k=512, c=512, p=14, q=14, r=3, s=3)
    cost = simulate(sequence(layer), one_pe)
    assert "DRAM C43" in str(cost.layers[0].mapping)
    assert cost.drain_cycles <= ceil(layer.output_words / one_pe.io_bytes_per_cycle)


def test_designs_side_by_side_do_not_fetch_for_each_other(baseline):
    table = networks.named("mobilenet-v2").table
    points = hardware_rows([baseline, replace(baseline, io_gb_per_s=5)])
    both = solve_designs(stacked([table, table]), points, Objective.LATENCY)
    size = len(table.rows)
    for i, here in enumerate((slice(0, size), slice(size, 2 * size))):
        own = solve_designs(stacked([table]), points[i : i + 1], Objective.LATENCY)
        assert np.array_equal(own.costs, both.costs[here])
        assert np.array_equal(own.waiting[:, 0], both.waiting[:, i])


@pytest.mark.parametrize("block", [1, 200, 65_536])
@pytest.mark.parametrize("objective", list(Objective))
def test_every_network_on_every_accelerator_is_as_each_alone(
    baseline, monkeypatch, block, objective
):
    monkeypatch.setattr("nahas.simulate.BLOCK_LAYERS", block)
    nets = [networks.named(name) for name in ("mobilenet-v2", "efficientnet-b0", "resnet-50")]
    tiny = replace(baseline, local_memory_mb=8 / 1024, simd_units=1024)
    points = [baseline, replace(baseline, pes_x=1, local_memory_mb=0.5, clock_mhz=400.0), tiny]
    every = simulate_networks(nets, points, objective)
    for i, network in enumerate(nets):
        for j, point in enumerate(points):
            alone = simulate_designs([network], [point], objective)
            for name in ("latency_ms", "energy_mj", "area_mm2", "parameters", "reason"):
                assert getattr(every, name)[i, j] == getattr(alone, name)[0]


def test_no_network_or_no_accelerator_makes_empty_tables(baseline):
    assert simulate_networks([], [baseline]).latency_ms.shape == (0, 1)
    assert simulate_networks([networks.named("mobilenet-v2")], []).reason.shape == (1, 0)


# What cannot run


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"local_memory_mb": 8 / 1024, "simd_units": 1024}, Reason.LOCAL_MEMORY),
        ({"register_file_kb": 8, "simd_units": 2000}, Reason.REGISTER_FILE),
    ],
)
def test_an_accelerator_with_tiny_memories_says_why_it_cannot_run(changes, reason, baseline):
    network, tiny = networks.named("mobilenet-v2"), replace(baseline, **changes)
    cost = simulate(network, tiny)
    assert (cost.latency_ms, cost.energy_mj, cost.reason) == (np.inf, np.inf, reason)
    assert cost.area_mm2 == area_mm2(tiny)
    assert all(layer.mapping is None for layer in cost.layers if layer.reason)
    both = simulate_designs([network, network], [tiny, baseline])
    assert np.isfinite(both.latency_ms).tolist() == [False, True]
    assert both.reason.tolist() == [reason, Reason.OK]


def test_both_faces_give_the_same_reason_where_two_layers_fail(baseline):
    tiny = replace(baseline, simd_units=2000, register_file_kb=8, local_memory_mb=8 / 1024)
    wide = Layer(name="wide", k=2000, c=4)
    long = Layer(name="long", k=1, c=2**15, p=2, q=2000, r=3, s=3)
    network = sequence(wide, long)
    assert simulate(network, tiny).reason == simulate_designs([network], [tiny]).reason[0]


def test_a_batch_is_refused_in_a_sentence(baseline):
    network = sequence(Layer(name="one"), Layer(name="many", n=8))
    for face in (
        lambda: simulate(network, baseline),
        lambda: simulate_designs([network], [baseline]),
    ):
        with pytest.raises(NetworkError, match=r"'many' has a batch of 8, .* use a batch of 1"):
            face()


def test_a_layer_of_three_inputs_is_refused_in_a_sentence(baseline):
    layers = tuple(Layer(name=str(i)) for i in range(3))
    network = Network(name="sum", layers=layers, inputs=((-1,), (0,), (-1, 0, 1)))
    with pytest.raises(NetworkError, match=r"'2' reads 3 tensors, but at most two"):
        simulate(network, baseline)


def test_a_dim_that_doubles_cannot_divide_exactly_is_refused(baseline):
    network = sequence(Layer(name="huge", k=2**26))
    with pytest.raises(NetworkError, match="'huge' is too large to count exactly"):
        simulate_designs([network], [baseline])


def test_as_many_networks_as_accelerators_are_asked_for(baseline):
    with pytest.raises(UsageError, match="1 networks and 2 accelerators"):
        simulate_designs([networks.named("mobilenet-v2")], [baseline, baseline])


def test_a_users_energy_table_is_used(tmp_path, baseline):
    from nahas.energy import CONSTANTS

    ten = {"pJ": "10", "pJ/byte": "10", "um2": "10"}
    lines = ["quantity,technology_nm,value,unit,source"]
    for node in (22, 32, 45):
        lines += [f"{name},{node},{ten[unit]},{unit},mine" for name, unit in CONSTANTS.items()]
    (tmp_path / "energy_constants.csv").write_text("\n".join(lines) + "\n")
    network = sequence(Layer(name="one", k=16, c=16))
    cost = simulate(network, baseline, tables=load_tables(tmp_path))
    assert cost.layers[0].mac_pj == 10 * network.macs
    assert cost.layers[0].dram_pj == 10 * (16 * 16 + 16 + 16)
    assert cost.area_mm2 == area_mm2(baseline, load_tables(tmp_path))


def test_bound_names_what_the_cycles_are_spent_on(baseline):
    starved = replace(baseline, io_gb_per_s=0.01)
    narrow = replace(baseline, local_memory_bytes_per_cycle=1, io_gb_per_s=1000)
    square = Layer(name="square", k=256, c=256, p=14, q=14)
    network = sequence(square, square)  # while the first runs, the second's weights come in
    assert simulate(network, starved).layers[0].bound == Bound.IO
    assert simulate(network, narrow).layers[0].bound == Bound.LOCAL_MEMORY
    free = replace(baseline, local_memory_bytes_per_cycle=4096, io_gb_per_s=1000)
    assert simulate(network, free).layers[0].bound == Bound.COMPUTE


def test_every_field_of_a_cost_is_reported_under_its_name(baseline):
    network = networks.named("mobilenet-v2")
    outcome = solve_designs(stacked([network.table]), hardware_rows([baseline]), Objective.LATENCY)
    reported = simulate(network, baseline).layers
    hidden = {"first_weight_bytes", "first_input_bytes", "last_output_bytes"}
    for name in set(CostRow._fields) - hidden:
        assert [getattr(layer, name) for layer in reported] == outcome.column(name).tolist()
