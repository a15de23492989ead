"""Vector layers against counts by hand, and against dealing out every output one by one."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.kernels.records import CostRow, HardwareRow, LayerRow, ResidencyRow
from nahas.kernels.vector import solve_vectors, vector_cost
from nahas.layers import Layer
from nahas.vocabulary import Bound, LayerKind


def point(**changes: float) -> HardwareRow:
    """Two by two PEs, two lanes of four units; energies in powers of ten tell each part."""
    row = HardwareRow(
        pes_x=2.0,
        pes_y=2.0,
        lanes=2.0,
        simd_units=4.0,
        macs_per_simd=4.0,
        local_memory_bytes=4096.0,
        register_file_bytes=512.0,
        local_memory_bytes_per_cycle=8.0,
        io_bytes_per_cycle=4.0,
        mac_pj=1e6,
        vector_op_pj=1.0,
        register_file_read_pj_per_byte=1e6,
        register_file_write_pj_per_byte=1e6,
        local_memory_read_pj_per_byte=2.0,
        local_memory_write_pj_per_byte=3.0,
        dram_read_pj_per_byte=100.0,
        dram_write_pj_per_byte=200.0,
        leakage_pj_per_cycle=0.5,
        weight_bytes=1.0,
        activation_bytes=1.0,
        partial_sum_bytes=4.0,
    )
    return row._replace(**changes)


POOL = Layer(name="pool", kind=LayerKind.POOL, g=16, r=7, s=7)
ADD = Layer(name="add", kind=LayerKind.ADD, g=24, p=5, q=5, operands=2)
GATE = Layer(name="gate", kind=LayerKind.SCALE, g=8, p=4, q=4, operands=2)
RELU = Layer(name="relu", kind=LayerKind.ACTIVATION, g=3, p=3, q=3)


def costed(layer: Layer, hw: HardwareRow, dram_words: float, stays: float) -> CostRow:
    return CostRow(*vector_cost(layer.row, hw, dram_words, stays))


def test_a_global_pool_on_chip():
    row = costed(POOL, point(), 0.0, 1.0)
    # 16 outputs of 49 operations on 4 PEs: 4 outputs each, side by side on 4 of the 8 units.
    assert row.compute_cycles == 49
    # 784 bytes read and 16 written, 32 bytes per cycle.
    assert row.local_memory_cycles == 25
    assert (row.io_cycles, row.weight_bytes, row.input_bytes, row.output_bytes) == (0, 0, 0, 0)
    assert (row.cycles, row.bound) == (49, Bound.COMPUTE)
    assert row.mac_pj == 784
    assert row.local_memory_pj == 784 * 2 + 16 * 3
    assert (row.register_file_pj, row.dram_pj) == (0, 0)
    assert row.leakage_pj == 24.5
    assert row.energy_pj == 784 + 1616 + 24.5


def test_a_sum_of_two_tensors_of_which_one_comes_from_dram():
    row = costed(ADD, point(), 600.0, 0.0)
    # 600 outputs on 4 PEs of 8 units: 150 each, in 19 rounds.
    assert row.compute_cycles == 19
    # Both operands are read; the output and the operand from DRAM are written: 2,400 bytes.
    assert row.local_memory_cycles == 75
    assert row.io_cycles == 300
    assert (row.cycles, row.bound) == (300, Bound.IO)
    assert (row.input_bytes, row.output_bytes) == (600, 600)
    assert row.dram_pj == 600 * 100 + 600 * 200
    assert row.local_memory_pj == 1200 * 2 + 1200 * 3


@pytest.mark.parametrize("layer", [GATE, RELU])
def test_activation_units_apply_functions_and_gates_in_place_of_the_simd_units(layer):
    outputs = layer.output_words
    row = costed(layer, point(activation_units=2.0), 0.0, 1.0)
    assert row.compute_cycles == ceil(ceil(outputs / 4) / 2)
    one = costed(layer, point(activation_units=1.0), 0.0, 1.0)
    assert one.compute_cycles == ceil(outputs / 4)
    assert one.energy_pj - one.leakage_pj == row.energy_pj - row.leakage_pj


@pytest.mark.parametrize("layer", [POOL, ADD])
def test_activation_units_leave_pools_and_sums_to_the_simd_units(layer):
    assert costed(layer, point(activation_units=1.0), 0.0, 1.0) == costed(layer, point(), 0.0, 1.0)


def test_a_gate_on_chip_is_bound_by_local_memory():
    row = costed(GATE, point(local_memory_bytes_per_cycle=1.0), 0.0, 1.0)
    # 128 outputs: 32 per PE in 4 rounds; 384 bytes at 4 per cycle.
    assert (row.compute_cycles, row.local_memory_cycles) == (4, 96)
    assert (row.cycles, row.bound) == (96, Bound.LOCAL_MEMORY)


def test_an_activation_smaller_than_the_array_leaves_pes_without_work():
    row = costed(RELU, point(pes_x=8.0, pes_y=8.0), 0.0, 1.0)
    # 27 outputs on 27 of 64 PEs: one round; 54 bytes over 27 memories.
    assert (row.compute_cycles, row.local_memory_cycles) == (1, 1)


@pytest.mark.parametrize("layer", [POOL, ADD, GATE, RELU], ids=lambda layer: layer.name)
def test_what_stays_on_chip_costs_no_dram_and_nothing_else_changes(layer):
    words = float(layer.operands * layer.output_words)
    far, near = costed(layer, point(), words, 0.0), costed(layer, point(), 0.0, 1.0)
    assert near.dram_pj == near.io_cycles == near.input_bytes == near.output_bytes == 0
    assert far.dram_pj == 100 * words + 200 * layer.output_words
    assert (far.mac_pj, far.compute_cycles) == (near.mac_pj, near.compute_cycles)
    assert far.local_memory_pj == near.local_memory_pj + 3 * words  # they are written first
    first = far.first_weight_bytes, far.first_input_bytes
    assert (first, far.last_output_bytes) == ((0, words), layer.output_words)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Layer, HardwareRow, float, float]:
    small = st.integers(1, 7)
    kind = draw(st.sampled_from([LayerKind.POOL, LayerKind.ADD]))
    shape = {name: draw(small) for name in "gpqrs"}
    layer = Layer(name="drawn", kind=kind, operands=1 + (kind == LayerKind.ADD), **shape)
    hw = point(
        **{name: float(draw(small)) for name in ("pes_x", "pes_y", "lanes", "simd_units")},
        local_memory_bytes_per_cycle=float(draw(st.sampled_from([1, 3, 128]))),
        io_bytes_per_cycle=draw(st.sampled_from([0.3, 5.0])),
    )
    words = draw(st.sampled_from([0.0, 1.0, 2.0])) * layer.output_words
    return layer, hw, words, float(draw(st.booleans()))


def busiest(layer: Layer, hw: HardwareRow) -> int:
    """Operations of the unit with most to do when outputs are dealt out to PEs, then to units."""
    pes, units = int(hw.pes_x * hw.pes_y), int(hw.lanes * hw.simd_units)
    operations = np.zeros((pes, units), int)
    for output in range(layer.output_words):
        operations[output % pes, output // pes % units] += layer.r * layer.s
    return int(operations.max())


@given(drawn())
def test_cycles_are_those_of_the_busiest_unit_and_of_the_bytes(case):
    layer, hw, words, stays = case
    row = costed(layer, hw, words, stays)
    assert row.compute_cycles == busiest(layer, hw)
    working = min(hw.pes_x * hw.pes_y, layer.output_words)
    read = layer.output_words * layer.r * layer.s * layer.operands
    moved = read + layer.output_words + words
    assert row.local_memory_cycles == ceil(moved / (working * hw.local_memory_bytes_per_cycle))
    crossing = words + (0 if stays else layer.output_words)
    assert row.io_cycles == ceil(crossing / hw.io_bytes_per_cycle)
    parts = (row.compute_cycles, row.local_memory_cycles, row.io_cycles)
    assert row.cycles == max(parts) == parts[int(row.bound)]


@given(drawn())
def test_the_parts_of_the_energy_are_its_sum(case):
    row = costed(*case)
    parts = row.mac_pj + row.register_file_pj + row.local_memory_pj + row.dram_pj + row.leakage_pj
    assert row.energy_pj == pytest.approx(parts)
    assert min(row) >= 0


@given(drawn(), st.sampled_from([0.5, 2.0]))
def test_traffic_scales_with_the_width_of_activations_and_computing_does_not(case, word):
    layer, hw, words, stays = case
    bytes_, other = costed(*case), costed(layer, hw._replace(activation_bytes=word), words, stays)
    assert other.compute_cycles == bytes_.compute_cycles
    for name in ("local_memory_pj", "dram_pj", "input_bytes", "output_bytes", "last_output_bytes"):
        assert getattr(other, name) == word * getattr(bytes_, name)


@given(drawn())
def test_compiled_and_plain_cost_alike(case):
    layer, hw, words, stays = case
    plain = getattr(vector_cost, "py_func", vector_cost)
    assert plain(layer.row, hw, words, stays) == costed(layer, hw, words, stays)


def test_only_the_named_pairs_are_written():
    layers = np.array([LayerRow(*ADD.row), LayerRow(*POOL.row), LayerRow(*RELU.row)], np.int64)
    hardware = np.array([point(), point(pes_x=1.0)])
    stays = np.array([ResidencyRow(0.0, 1.0, 0.0)] * 3)
    words = np.array([1200.0, 784.0, 27.0])
    costs = np.full((3, len(CostRow._fields)), -1.0)
    solve_vectors(layers, hardware, np.array([[0, 0], [2, 1]]), stays, words, costs)
    assert CostRow(*costs[0]) == costed(ADD, point(), 1200.0, 1.0)
    assert (costs[1] == -1).all()
    assert CostRow(*costs[2]) == costed(RELU, point(pes_x=1.0), 27.0, 1.0)
