"""Which chains may be fused, and that fusing never makes a network worse."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from nahas import networks
from nahas.fusion import chains_of, solve_fused
from nahas.hardware import Hardware, preset
from nahas.layers import Layer
from nahas.network import Network, stacked
from nahas.sequence import hardware_rows, solve_designs
from nahas.simulate import NetworkCost, simulate, simulate_designs, simulate_networks
from nahas.vocabulary import LayerKind, Objective, Reason

BASELINE = preset("edge-baseline")
SMALL = replace(BASELINE, pes_x=2, pes_y=2, local_memory_mb=0.125)
"""Half a megabyte in all: the first blocks of MobileNetV2 do not fit between their layers."""


def network(*layers: Layer, **sources: tuple[int, ...]) -> Network:
    """Layers one after the other, but for those whose inputs are given by name."""
    inputs = tuple(sources.get(layer.name, (i - 1,)) for i, layer in enumerate(layers))
    return Network(name="drawn", layers=layers, inputs=inputs)


EXPAND = Layer(name="expand", k=96, c=16, p=32, q=32)
DEPTHWISE = Layer(name="depthwise", g=96, p=32, q=32, r=3, s=3)
PROJECT = Layer(name="project", k=16, c=96, p=32, q=32)
SUM = Layer(name="sum", kind=LayerKind.ADD, g=16, p=32, q=32, operands=2)
STEM = Layer(name="stem", k=16, c=3, p=32, q=32, r=3, s=3)
POOL = Layer(name="pool", kind=LayerKind.POOL, g=96, p=32, q=32)

# Chains


def test_an_inverted_bottleneck_is_a_chain_and_its_sum_belongs_to_it():
    block = network(STEM, EXPAND, DEPTHWISE, PROJECT, SUM, sum=(0, 3))
    assert chains_of(block.table) == [(1, 4)]
    assert chains_of(network(EXPAND, DEPTHWISE, PROJECT, SUM, sum=(2, -1)).table) == [(0, 4)]
    assert chains_of(network(EXPAND, DEPTHWISE, PROJECT).table) == [(0, 3)]


def test_a_window_and_a_projection_are_a_chain():
    wide = replace(STEM, name="wide", k=96, c=16)
    assert chains_of(network(wide, PROJECT).table) == [(0, 2)]
    assert chains_of(network(DEPTHWISE, PROJECT).table) == [(0, 2)]
    assert chains_of(network(STEM, DEPTHWISE, EXPAND).table) == []
    stem_before_block = network(STEM, EXPAND, DEPTHWISE, PROJECT)
    assert chains_of(stem_before_block.table) == [(1, 3)]


def test_what_somebody_else_reads_ends_a_chain():
    expanded_twice = network(EXPAND, DEPTHWISE, PROJECT, POOL, pool=(0,))
    assert chains_of(expanded_twice.table) == [(1, 2)]  # what is left, depthwise and project
    filtered_twice = network(EXPAND, DEPTHWISE, PROJECT, POOL, pool=(1,))
    assert chains_of(filtered_twice.table) == []


def test_a_sum_with_something_of_the_chain_itself_is_not_in_it():
    doubled = network(EXPAND, DEPTHWISE, PROJECT, SUM, sum=(2, 2))
    assert chains_of(doubled.table) == [(0, 3)]
    read_later = network(STEM, EXPAND, DEPTHWISE, PROJECT, SUM, POOL, sum=(0, 3), pool=(3,))
    assert chains_of(read_later.table) == [(1, 3)]


def test_a_layer_between_breaks_a_chain():
    assert chains_of(network(EXPAND, POOL, DEPTHWISE, POOL, PROJECT).table) == []


def test_every_block_of_mobilenet_v2_is_a_chain():
    table = networks.named("mobilenet-v2").table
    chains = chains_of(table)
    assert len(chains) == 17
    assert sum(stages for _, stages in chains) == 2 + 16 * 3 + 10  # one expands nothing, ten add
    ends = [first + stages for first, stages in chains]
    assert all(first >= end for (first, _), end in zip(chains[1:], ends, strict=False))


# Results


def drawn() -> list[tuple[Network, Hardware]]:
    """Networks on chips of several sizes."""
    chips = [
        BASELINE,
        SMALL,
        replace(SMALL, local_memory_mb=0.0625),
        replace(SMALL, local_memory_mb=0.03125, io_gb_per_s=5),
        replace(SMALL, parameter_memory_mb=0.1, weight_bits=4, activation_bits=16),
    ]
    names = ("mobilenet-v2", "efficientnet-edgetpu-s")
    return [(networks.named(name), chip) for name in names for chip in chips]


@pytest.fixture(scope="module")
def both() -> list[tuple[NetworkCost, NetworkCost]]:
    """Every drawn design layer by layer, and fused."""
    return [(simulate(*design), simulate(*design, fusion=True)) for design in drawn()]


@pytest.mark.parametrize("objective", list(Objective))
def test_fusing_is_never_worse_by_the_objective(objective):
    nets, chips = map(list, zip(*drawn()[:6], strict=True))
    layered = simulate_designs(nets, chips, objective)
    fused = simulate_designs(nets, chips, objective, fusion=True)

    def figure(costs):
        if objective == Objective.EDP:
            return costs.latency_ms * costs.energy_mj
        return costs.latency_ms if objective == Objective.LATENCY else costs.energy_mj

    assert (figure(fused) <= figure(layered) * (1 + 1e-12)).all()
    assert (figure(fused)[1:3] < figure(layered)[1:3] * 0.9).all()


def test_where_everything_stays_nothing_is_fused_and_nothing_changes(both):
    layered, fused = both[0]
    assert replace(fused, fusion=False) == layered
    assert all(of.fused is None for of in fused.layers)


def test_off_is_layer_by_layer_to_the_last_bit():
    for network_, chip in drawn()[:2]:
        outcome = solve_designs(stacked([network_.table]), hardware_rows([chip]), Objective.LATENCY)
        assert outcome.stages is None
        cycles = [of.cycles for of in simulate(network_, chip).layers]
        assert cycles == outcome.column("cycles").tolist()


def test_a_fused_group_moves_nothing_between_its_layers(both):
    groups = 0
    for _, cost in both:
        for before, after in zip(cost.layers, cost.layers[1:], strict=False):
            if after.fused is None or after.fused.stage == 1:
                continue
            groups += 1
            assert before.output_on_chip
            assert before.output_bytes == 0
            assert after.input_on_chip or after.layer.kind.is_vector
            assert after.layer.kind.is_vector or after.input_bytes == 0
            assert before.fused is not None
            assert after.fused.stage == before.fused.stage + 1
            assert (after.fused.tiles, after.fused.tile_rows) == (
                before.fused.tiles,
                before.fused.tile_rows,
            )
    assert groups > 5


def test_costs_of_fused_layers_keep_the_rules_of_every_layer(both):
    for _, cost in both:
        for of in cost.layers:
            times = (of.compute_cycles, of.local_memory_cycles, of.io_cycles)
            assert of.cycles == max(times) == times[of.bound]
            parts = (of.mac_pj, of.register_file_pj, of.local_memory_pj, of.dram_pj, of.leakage_pj)
            assert of.energy_pj == pytest.approx(sum(parts), rel=1e-12)
            words = 0 if of.weights_on_chip else of.layer.weight_words
            assert of.weight_bytes >= words * cost.hardware.weight_bits / 8
            assert of.utilisation <= 1
        assert cost.tops <= cost.hardware.peak_tops


def test_a_group_shares_the_interface(both):
    shared = 0
    for _, cost in both:
        group = []
        for of in [*cost.layers, None]:
            if of is not None and of.fused is not None and of.fused.stage > 1:
                group.append(of)
                continue
            waits = [max(each.compute_cycles, each.local_memory_cycles) for each in group]
            late = [each.io_cycles > busy + 1 for each, busy in zip(group, waits, strict=True)]
            shared += bool(group)
            assert all(late) or not any(late)
            group = [of] if of is not None and of.fused is not None else []
    assert shared


def test_weights_stay_beside_the_activations_that_stay_around_fused_groups():
    chip, net = replace(SMALL, parameter_memory_mb=0.1), networks.named("mobilenet-v2")
    outcome = solve_fused([net.table], hardware_rows([chip]), Objective.LATENCY)
    fused, stays = outcome.stages[:, 0] > 0, outcome.stays[:, 3] == 1
    assert (fused & stays).any()
    assert (fused & ~stays).any()
    shares = [ceil(layer.weight_words / chip.pes) for layer in net.layers]
    held = sum(share for share, stay in zip(shares, stays, strict=True) if stay)
    room = chip.parameter_memory_bytes - (outcome.stays[:, 2] - held).max()
    for share, stay in zip(shares, stays, strict=True):
        assert stay == (0 < share <= room)
        room -= share * stay
    for name in ("weight_bytes", "first_weight_bytes"):
        assert not outcome.column(name)[stays].any()


def test_macs_count_what_is_made_again(both):
    for _, cost in both:
        for of in cost.layers:
            if of.fused is None or of.layer.kind.is_vector:
                continue
            assert of.fused.macs >= of.layer.macs
            if of.fused.tiles == 1 or of.fused.keeps_halo:
                assert of.fused.macs == of.layer.macs
            assert of.fused.tiles == ceil(of.layer.p / of.fused.made_rows) or of.fused.stage < 3


def test_the_mapping_of_a_fused_layer_is_that_of_its_first_tile(both):
    fused = [of for _, cost in both for of in cost.layers if of.fused and of.mapping]
    assert fused
    for of in fused:
        of.mapping.check(replace(of.layer, p=of.fused.made_rows))


def test_many_designs_at_once_are_fused_as_each_by_itself():
    nets = [networks.named("mobilenet-v2"), network(STEM, EXPAND, DEPTHWISE, PROJECT)]
    chips = [SMALL, BASELINE]
    every = simulate_networks(nets, chips, fusion=True)
    for i, net in enumerate(nets):
        for j, chip in enumerate(chips):
            alone = simulate(net, chip, fusion=True)
            assert every.latency_ms[i, j] == alone.latency_ms
            assert every.energy_mj[i, j] == alone.energy_mj


def test_what_cannot_run_cannot_run_fused_either_unless_tiles_fit():
    tiny = replace(SMALL, pes_x=1, pes_y=1, simd_units=1024, local_memory_mb=0.015625)
    net = networks.named("resnet-50")
    assert simulate(net, tiny).reason == Reason.LOCAL_MEMORY
    costs = simulate_designs([net], [tiny], fusion=True)
    assert costs.reason[0] == Reason.LOCAL_MEMORY
    assert np.isinf(costs.latency_ms[0])


def test_a_residual_that_does_not_fit_is_read_once_by_the_fused_sum():
    block = network(STEM, EXPAND, DEPTHWISE, PROJECT, SUM, sum=(0, 3))
    chip = replace(SMALL, pes_x=1, pes_y=1, local_memory_mb=0.03)
    cost = simulate(block, chip, fusion=True)
    assert [of.fused.stage if of.fused else 0 for of in cost.layers] == [0, 1, 2, 3, 4]
    words = SUM.output_words
    assert cost.layers[4].input_bytes == words
    assert cost.layers[4].output_bytes == words
    assert cost.layers[3].output_bytes == 0
