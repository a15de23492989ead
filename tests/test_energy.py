"""Energy and area: the computed points are met, between them the law holds, outside is refused."""

import csv
from dataclasses import astuple, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.datafiles import packaged
from nahas.energy import (
    CONSTANTS,
    CONSTANTS_FILE,
    SRAM_FILE,
    access_energies,
    area_mm2,
    load_tables,
    mac_energy_pj,
    packaged_tables,
)
from nahas.errors import EnergyError
from nahas.hardware import preset
from nahas.spaces.accelerator import accelerator_space, hardware

BASELINE = preset("edge-baseline")
NODES = (22, 32, 45)


def rows_of(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", [SRAM_FILE, CONSTANTS_FILE])
def test_every_row_has_a_source(name):
    rows = rows_of(packaged(name))
    assert rows
    assert all(len(row["source"]) > 20 for row in rows)


def test_the_sram_table_is_the_shared_cacti_run(shared):
    ours = {
        (row["technology_nm"], row["size_kb"]): [
            row[name]
            for name in ("read_pj_per_byte", "write_pj_per_byte", "area_mm2", "leakage_mw")
        ]
        for row in rows_of(packaged(SRAM_FILE))
    }
    theirs = {
        (row["tech_nm"], row["size_KB"]): [
            row[name] for name in ("read_pJ_per_B", "write_pJ_per_B", "area_mm2", "leak_mW")
        ]
        for row in rows_of(shared / "reference" / "cacti_sram.csv")
        if row["width_bits"] == "512"
    }
    assert ours == theirs


def test_arithmetic_follows_the_sources_it_names():
    """0.2 + 0.1 pJ of Horowitz, scaled by the factors a V^2 + b V + c of Stillmaker and Baas."""
    factors = {
        node: a * 0.9**2 + b * 0.9 + c
        for node, (a, b, c) in {
            45: (1.018, -0.3107, 0.1539),
            32: (0.8367, -0.4341, 0.1701),
            20: (0.373, -0.1582, 0.04104),
        }.items()
    }
    share = 0.7972  # log(32 / 22) / log(32 / 20)
    factors[22] = factors[32] ** (1 - share) * factors[20] ** share
    for node in NODES:
        energy = packaged_tables().constant("mac_energy", node)
        assert energy == pytest.approx(0.3 * factors[node] / factors[45], rel=2e-3)
        area = packaged_tables().constant("mac_area", node)
        assert area == pytest.approx((397 + 278) * (node / 40) ** 2, rel=1e-4)


def test_baseline_at_22_nm_is_what_the_notes_compute():
    energies = access_energies(BASELINE)
    assert energies.local_memory_read_pj_per_byte == 2.7005
    assert energies.local_memory_write_pj_per_byte == 2.8027
    assert energies.register_file_read_pj_per_byte == 0.1602
    assert energies.register_file_write_pj_per_byte == 0.3699
    assert energies.dram_read_pj_per_byte == energies.dram_write_pj_per_byte == 64
    assert energies.leakage_mw == pytest.approx(16 * 0.2939 + 64 * 0.0054)


def test_area_is_its_parts_and_about_36_mm2_for_the_baseline():
    local, registers, macs = 16 * 1.99970, 64 * 0.02758, 16_384 * 204.19e-6
    assert area_mm2(BASELINE) == pytest.approx(local + registers + macs)
    assert area_mm2(BASELINE) == pytest.approx(36, rel=0.05)  # paper notes 10.4


def test_area_adds_up_over_pes_and_lanes():
    assert area_mm2(replace(BASELINE, pes_x=8)) == pytest.approx(2 * area_mm2(BASELINE))
    one, two, four = (area_mm2(replace(BASELINE, compute_lanes=n)) for n in (1, 2, 4))
    assert four - two == pytest.approx(2 * (two - one))


@pytest.mark.parametrize("node", NODES)
def test_a_byte_costs_more_the_farther_it_comes(node):
    energies = access_energies(replace(BASELINE, technology_nm=node))
    assert (
        0
        < energies.register_file_read_pj_per_byte
        < energies.local_memory_read_pj_per_byte
        < energies.dram_read_pj_per_byte
    )


def test_an_older_node_costs_more_energy_and_area_but_leaks_less():
    chips = [replace(BASELINE, technology_nm=node) for node in NODES]
    areas = [area_mm2(chip) for chip in chips]
    energies = [access_energies(chip) for chip in chips]
    assert areas == sorted(areas)
    for name in ("mac_pj", "vector_op_pj", "register_file_read_pj_per_byte"):
        values = [getattr(energy, name) for energy in energies]
        assert values == sorted(values)
    assert energies[0].leakage_mw > energies[2].leakage_mw  # itrs-lstp, as computed by CACTI


@pytest.mark.parametrize("node", NODES)
@given(share=st.floats(0, 1), step=st.integers(0, 9))
def test_between_two_sizes_lies_a_power_law(node, share, step):
    tables = packaged_tables()
    low, high = tables.srams[node][step : step + 2]
    size = low.size_kb ** (1 - share) * high.size_kb**share
    size = min(max(size, low.size_kb), high.size_kb)
    found = astuple(tables.sram(size, node))
    expected = [
        a ** (1 - share) * b**share for a, b in zip(astuple(low), astuple(high), strict=True)
    ]
    assert found == pytest.approx(expected)


def test_every_accelerator_of_the_space_is_inside_the_tables():
    decisions = {d.name: d.values for d in accelerator_space().decisions}
    sizes = product(decisions["local_memory_mb"], decisions["register_file_kb"], NODES)
    for local, registers, node in sizes:
        chip = replace(
            BASELINE, local_memory_mb=local, register_file_kb=registers, technology_nm=node
        )
        assert area_mm2(chip) > 0
        assert all(value > 0 for value in astuple(access_energies(chip)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"technology_nm": 28}, "^technology_nm is 28, but the energy tables hold 22, 32, 45 nm"),
        (
            {"register_file_kb": 4},
            "^register_file_kb is 4, but the SRAM table at 22 nm holds 8 to 4096 KB$",
        ),
        ({"local_memory_mb": 5}, "^local_memory_mb is 5, but the SRAM table"),
        (
            {"local_memory_mb": 0.001},
            r"^local_memory_mb is 0\.001, but the SRAM table at 22 nm holds 0\.0078125 to 4 MB$",
        ),
    ],
)
@pytest.mark.parametrize("function", [access_energies, area_mm2])
def test_outside_the_tables_is_refused(function, change, message):
    with pytest.raises(EnergyError, match=message):
        function(replace(BASELINE, **change))


def write(folder, name, edit=None):
    rows = rows_of(packaged(name))
    if edit:
        rows = edit(rows)
    with (folder / name).open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def test_the_fingerprint_is_of_the_numbers_alone(tmp_path):
    def shuffled(rows):
        return [row | {"source": "mine"} for row in reversed(rows)]

    write(tmp_path, SRAM_FILE, shuffled)
    assert load_tables(tmp_path).fingerprint == packaged_tables().fingerprint
    assert len(packaged_tables().fingerprint) == 16

    def dearer(rows):
        rows[0]["read_pj_per_byte"] = "0.12"
        return rows

    write(tmp_path, SRAM_FILE, dearer)
    assert load_tables(tmp_path).fingerprint != packaged_tables().fingerprint


def test_a_users_constants_replace_ours(tmp_path):
    def dearer(rows):
        return [row | {"value": str(2 * float(row["value"]))} for row in rows]

    write(tmp_path, CONSTANTS_FILE, dearer)
    ours, theirs = access_energies(BASELINE), access_energies(BASELINE, load_tables(tmp_path))
    assert theirs.mac_pj == 2 * ours.mac_pj
    assert theirs.dram_read_pj_per_byte == 128
    assert theirs.local_memory_read_pj_per_byte == ours.local_memory_read_pj_per_byte


def change(**values):
    return lambda rows: [rows[0] | values, *rows[1:]]


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        (SRAM_FILE, change(area_mm2="-1"), r"sram.csv:2: area_mm2 is '-1', but it must be"),
        (SRAM_FILE, change(leakage_mw="nan"), r"sram.csv:2: leakage_mw is 'nan'"),
        (SRAM_FILE, change(size_kb="big"), r"sram.csv:2: size_kb is 'big'"),
        (SRAM_FILE, change(source=" "), r"sram.csv:2: 'source' is empty"),
        (SRAM_FILE, lambda rows: [rows[0], *rows], r"has 8 KB at 22 nm twice"),
        (SRAM_FILE, lambda rows: rows[:1], r"has one size at 22 nm"),
        (
            SRAM_FILE,
            lambda rows: [{"size_kb": rows[0]["size_kb"]}],
            r"lacks the columns \['technology_nm'",
        ),
        (CONSTANTS_FILE, change(quantity="mac_enrgy"), r"'mac_enrgy'; did you mean 'mac_energy'"),
        (CONSTANTS_FILE, change(unit="nJ"), r"mac_energy is in 'nJ', but pJ is due"),
        (CONSTANTS_FILE, lambda rows: rows[1:], r"has no mac_energy at 22 nm, a node of"),
        (CONSTANTS_FILE, lambda rows: [rows[0], *rows], r"mac_energy at 22 nm stands twice"),
    ],
)
def test_a_damaged_table_is_named_with_its_line(tmp_path, name, edit, message):
    write(tmp_path, name, edit)
    with pytest.raises(EnergyError, match=message) as refused:
        load_tables(tmp_path)
    assert "\n" not in str(refused.value)


def test_an_empty_table_and_an_unreadable_one_are_refused(tmp_path):
    with pytest.raises(EnergyError, match=r"holds neither sram.csv nor energy_constants.csv"):
        load_tables(tmp_path)
    (tmp_path / SRAM_FILE).write_text("")
    with pytest.raises(EnergyError, match="lacks the columns"):
        load_tables(tmp_path)
    (tmp_path / SRAM_FILE).write_bytes(b"\xff\xfe,\n")
    with pytest.raises(EnergyError, match="cannot be read"):
        load_tables(tmp_path)


def test_constants_are_complete_at_the_three_nodes():
    constants = packaged_tables().constants
    assert set(constants) == {(name, node) for name in CONSTANTS for node in NODES}
    assert set(packaged_tables().srams) == set(NODES)


def test_areas_of_the_space_lie_on_both_sides_of_the_baseline():
    space = accelerator_space()
    ends = [area_mm2(hardware({d.name: d.values[end] for d in space.decisions})) for end in (0, -1)]
    assert ends[0] < 1 < area_mm2(BASELINE) < 300 < ends[1]


@pytest.mark.parametrize(
    ("widths", "share"),
    [((8, 8, 32), 1.0), ((4, 4, 32), 1 / 2), ((16, 16, 32), 3.0), ((8, 8, 16), 5 / 6)],
)
def test_a_multiplier_scales_with_both_widths_and_an_adder_with_the_sums(widths, share):
    int8 = packaged_tables().constant("mac_energy", 45)
    assert mac_energy_pj(45, widths) == pytest.approx(share * int8)


@pytest.mark.parametrize(("widths", "share"), [((4, 4, 16), 1 / 3), ((16, 8, 24), 19 / 12)])
def test_an_accelerator_takes_the_energies_of_its_widths(widths, share):
    weight, activation, partial_sum = widths
    narrow = replace(
        BASELINE, weight_bits=weight, activation_bits=activation, partial_sum_bits=partial_sum
    )
    energies, int8 = access_energies(narrow), access_energies(BASELINE)
    assert energies.mac_pj == mac_energy_pj(22, widths) == pytest.approx(share * int8.mac_pj)
    assert energies.vector_op_pj == mac_energy_pj(22, (activation, activation, partial_sum))
    assert energies.leakage_mw == int8.leakage_mw


def test_narrow_multipliers_are_smaller_by_aladdins_rule():
    narrow = replace(BASELINE, weight_bits=4, activation_bits=4, partial_sum_bits=16)
    saved = 1 - (397 / 4 + 278 / 2) / 675
    macs = BASELINE.pes * BASELINE.compute_lanes * BASELINE.simd_units * BASELINE.macs_per_simd
    mm2 = macs * packaged_tables().constant("mac_area", 22) * 1e-6
    assert area_mm2(BASELINE) - area_mm2(narrow) == pytest.approx(saved * mm2)
