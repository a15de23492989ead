"""What other mappers are told of a pair, and the bound that both answers are held against."""

import pytest
import yaml

from nahas.kernels.records import CostRow, HardwareRow, LayerRow
from nahas.tile_bench import source_of
from nahas.tile_bench.solve import room, solve_part
from nahas.tile_bench.verify import rows_of
from nahas.trust import compare, in_accelforge, in_zigzag, other_mapper
from nahas.vocabulary import Objective


def layer(**dims):
    ones = {name: 1 for name in LayerRow._fields if name != "kind"}
    return LayerRow(kind=0, **(ones | dims))


@pytest.fixture(scope="module")
def pairs():
    return compare.known_to_both(source_of(0).pairs(0, 300))


@pytest.fixture
def hardware(pairs):
    return rows_of(pairs, 0)[1]


class Loader(yaml.SafeLoader):
    """Reads tags such as !Memory as what they tag."""


Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_mapping(node, deep=True))


def told_to_accelforge(row, hardware):
    return yaml.load(in_accelforge.specification(row, hardware), Loader)  # noqa: S506 - a SafeLoader


def test_neither_leakage_nor_residency_is_compared(pairs):
    leakage = HardwareRow._fields.index("leakage_pj_per_cycle")
    used = pairs.points[pairs.pairs[:, 1]]
    assert (used[:, leakage] == 0).all()
    assert (pairs.stays == 0).all()
    costs = solve_part(pairs, slice(None), Objective.LATENCY, room(300))[0]
    assert (costs[:, CostRow._fields.index("leakage_pj")] == 0).all()


def test_no_optimum_is_below_the_bound(pairs):
    cycles = solve_part(pairs, slice(None), Objective.LATENCY, room(300))[0][:, 0]
    bounds = [compare.bound_cycles(*rows_of(pairs, index)[:2]) for index in range(300)]
    assert (cycles >= bounds).all()
    assert (cycles < [1.01 * bound + 1 for bound in bounds]).mean() > 0.2


def test_accelforge_gets_energies_and_bandwidths_per_bit(hardware):
    nodes = told_to_accelforge(layer(k=8, c=4), hardware)["arch"]["nodes"]
    memories = {node["name"]: node for node in nodes if "size" in node}
    assert list(memories) == ["MainMemory", "LocalMemory", "RegisterFile"]
    read, write = memories["LocalMemory"]["actions"]
    assert read["energy"] * 8 == pytest.approx(hardware.local_memory_read_pj_per_byte)
    assert write["energy"] * 8 == pytest.approx(hardware.local_memory_write_pj_per_byte)
    assert read["throughput"] == write["throughput"] == 8 * hardware.local_memory_bytes_per_cycle
    assert memories["MainMemory"]["actions"][0]["throughput"] == 8 * hardware.io_bytes_per_cycle
    assert int(memories["RegisterFile"]["size"]) == 8 * hardware.register_file_bytes
    assert memories["RegisterFile"]["bits_per_value"] == {"O": 32}


def test_accelforge_spreads_what_the_template_may_spread(hardware):
    nodes = told_to_accelforge(layer(k=8, c=4, p=7, q=7), hardware)["arch"]["nodes"]
    spread = {axis["name"]: axis for node in nodes for axis in node.get("spatial", ())}
    fans = {name: axis["fanout"] for name, axis in spread.items()}
    assert fans == dict(zip(("x", "y", "lane", "simd", "dot"), hardware[:5], strict=True))
    bounds = {name: axis["loop_bounds"][0]["expression"] for name, axis in spread.items()}
    assert bounds["x"] == bounds["y"] == "~(k | p | q)"
    assert (bounds["lane"], bounds["simd"], bounds["dot"]) == ("~(k | c | q)", "~(k)", "~(c)")


@pytest.mark.parametrize(
    ("row", "inputs"),
    [
        (layer(k=8, c=4, p=7, q=5), {"C": "c", "H": "p", "W": "q"}),
        (layer(g=8, p=7, q=5, r=3, s=3), {"G": "g", "H": "p + r", "W": "q + s"}),
        (
            layer(c=4, p=7, q=7, r=3, s=3, stride_p=2, stride_q=2, dilation_r=3, dilation_s=3),
            {"C": "c", "H": "p * 2 + r * 3", "W": "q * 2 + s * 3"},
        ),
        (layer(k=1000, c=1280), {"C": "c"}),
    ],
)
def test_accelforge_reads_inputs_where_the_window_lies(hardware, row, inputs):
    workload = told_to_accelforge(row, hardware)["workload"]
    einsum = workload["einsums"][0]["tensor_accesses"]
    assert einsum[0] == {"name": "I", "projection": inputs}
    used = [dim for dim in "gkcpqrs" if getattr(row, dim) > 1]
    assert list(workload["iteration_space_shape"]) == used
    assert einsum[2]["output"]


def test_a_layer_of_one_word_still_has_a_loop(hardware):
    workload = told_to_accelforge(layer(), hardware)["workload"]
    assert workload["iteration_space_shape"] == {"k": "0 <= k < 1"}


def test_zigzag_gets_energies_of_a_whole_transfer(hardware):
    told = in_zigzag.accelerator(hardware)
    assert told["operational_array"]["sizes"] == [int(size) for size in hardware[:5]]
    names = list(told["memories"])
    assert names == ["register_file", "local_memory", "dram"]  # it reads them from the inside
    for name, memory in told["memories"].items():
        width = memory["ports"][0]["bandwidth_max"]
        per_byte = memory["r_cost"] / width * 8
        assert per_byte == pytest.approx(getattr(hardware, f"{name}_read_pj_per_byte"))
    local = told["memories"]["local_memory"]
    assert local["size"] == 8 * hardware.local_memory_bytes
    assert local["ports"][0]["bandwidth_max"] == 8 * hardware.local_memory_bytes_per_cycle
    assert "I1" not in told["memories"]["register_file"]["operands"]


def test_zigzag_gets_strides_and_dilations():
    told = in_zigzag.workload(layer(g=8, p=7, q=5, r=3, s=3, stride_p=2, dilation_s=2))[0]
    assert told["dimension_relations"] == ["iy=2*oy+1*fy", "ix=1*ox+2*fx"]
    sizes = dict(zip(told["loop_dims"], told["loop_sizes"], strict=True))
    assert sizes == {"B": 1, "G": 8, "K": 1, "C": 1, "OY": 7, "OX": 5, "FY": 3, "FX": 3}


def test_every_mapper_has_an_adapter():
    for name in compare.INSTALL:
        adapter = other_mapper.adapter(name)
        assert callable(adapter.prepare)
        assert callable(adapter.best)
