"""Gemmini: mappings as text, the program that ran them, and the comparisons."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from nahas.errors import InteropError, UsageError
from nahas.mapping import evaluate
from nahas.trust import gemmini_check
from nahas.trust.gemmini import RTL_FILE, TIMELOOP_FILE, parse_nest, read_rtl, row_of
from nahas.trust.gemmini_check import (
    compare_with_gemmini,
    compare_with_rtl,
    compare_with_timeloop,
    energy_words,
    reference_cycles,
)
from nahas.trust.gemmini_program import (
    CALIBRATED,
    cycles_of,
    load_constants,
    program_of,
    shape_of,
    side_of,
)
from nahas.vocabulary import Access, Dim, Level, Slot, Tensor

CONSTANTS = load_constants()
PLAIN = replace(
    CONSTANTS,
    values=CONSTANTS.values
    | dict.fromkeys(CALIBRATED, 0.0)
    | {"beat_cycles": 1.0, "stored_row_cycles": 1.0},
)
"""Nothing but beats, rows and groups: what a hand can count."""


def columns(mapping, cycles=1.0, energy=1.0, architecture=(), **shape):
    """A line of the data: dims and strides that are not given are 1."""
    names = ("N", "K", "C", "P", "Q", "R", "S", "Wstride", "Hstride", "Wdilation", "Hdilation")
    line = {f"prob.{name}": str(shape.get(name, 1)) for name in names}
    line |= {"mapping.mapping": mapping, "target.cycle": str(cycles), "target.energy": str(energy)}
    return line | {f"arch.{name}": str(value) for name, value in dict(architecture).items()}


def row(mapping, **given):
    return row_of(columns(mapping, **given))


class TestText:
    def test_levels_become_slots_and_x_the_array(self):
        text = "L3[WIO] K8 Q28 - L2[WI] N1 K4X - L1[O] K2 S7 R7 Q4 P7 C3X - L0[W] P16"
        assert str(parse_nest(text)) == (
            "DRAM K8 Q28 | LOCAL_MEMORY K2 S7 R7 Q4 P7 | LANE_ARRAY K4 C3 | REGISTER_FILE P16"
            " | REGISTER_FILE stores weights"
        )

    def test_tile_and_spread(self):
        made = row("L3[WIO] K2 - L2[WI] K4X - L1[O] K3 P5 C2X - L0[W] P2", K=24, C=2, P=10)
        assert made.dram == ((Dim.K, 2),)
        assert (made.tile[Dim.K], made.tile[Dim.P], made.tile[Dim.C]) == (12, 10, 2)
        assert (made.spread(Dim.K), made.spread(Dim.C)) == (4, 2)
        assert {loop.slot for loop in made.nest.loops if loop.is_spatial} == {Slot.LANE_ARRAY}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "does not have the form"),
            ("L3[WIO] K2 - L1[O] N1 - L2[WI] N1 - L0[W] N1", "does not have the form"),
            ("L3[WIO] K2 - L2[W] N1 - L1[O] N1 - L0[W] N1", "does not have the form"),
            ("L3[WIO] K2 - L2[WI] N1 - L1[O] N1 - L0[W] N1 - L0[W] N1", "does not have the form"),
            ("L3[WIO] Z2 - L2[WI] N1 - L1[O] N1 - L0[W] N1", "factor 'Z2' in L3"),
            ("L3[WIO] K0 - L2[WI] N1 - L1[O] N1 - L0[W] N1", "factor 'K0' in L3"),
            ("L3[WIO] K2  Q2 - L2[WI] N1 - L1[O] N1 - L0[W] N1", "factor '' in L3"),
            ("L3[WIO] K2 - L2[WI] K2 - L1[O] N1 - L0[W] N1", "a loop K2 between"),
            ("L3[WIO] K2 - L2[WI] C2X - L1[O] N1 - L0[W] N1", "L2 spreads C"),
            ("L3[WIO] K2X - L2[WI] N1 - L1[O] N1 - L0[W] N1", "L3 spreads K"),
        ],
    )
    def test_a_text_that_is_no_mapping_is_refused(self, text, said):
        with pytest.raises(InteropError, match=said):
            parse_nest(text)

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("prob.K", None, "'prob.K' is None"),
            ("prob.K", "2.5", "'prob.K' is '2.5', but it must be a whole number"),
            ("target.cycle", "many", "'target.cycle' is 'many'"),
            ("target.energy", "-1", "'target.energy' is '-1'"),
            ("mapping.mapping", None, "does not have the form"),
            ("prob.K", "3", "cover 2 of 3"),
        ],
    )
    def test_a_damaged_line_is_named(self, tmp_path, name, value, said):
        good = columns("L3[WIO] K2 - L2[WI] N1 - L1[O] N1 - L0[W] N1", K=2)
        bad = good | {name: value}
        if value is None:
            del bad[name]
            good = {key: good[key] for key in bad}
        write_rtl(tmp_path, [bad])
        with pytest.raises(InteropError, match=f"row 1: .*{said}"):
            read_rtl(tmp_path)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(InteropError, match=RTL_FILE):
            read_rtl(tmp_path)
        with pytest.raises(InteropError, match=TIMELOOP_FILE):
            compare_with_timeloop(tmp_path)
        with pytest.raises(UsageError, match="holds neither"):
            compare_with_gemmini(tmp_path)


class TestCounts:
    """Two positions, two columns, two rows of PEs: each count by hand."""

    made = row("L3[WIO] P2 - L2[WI] N1 K2X - L1[O] N1 C2X - L0[W] N1", K=2, C=2, P=2)

    def test_words_between_memories(self):
        counts = evaluate(self.made.layer, self.made.nest)
        assert counts.compute_cycles == 2
        assert counts.of(Level.DRAM, Tensor.WEIGHTS, Access.READS) == 4  # they stay
        assert counts.of(Level.DRAM, Tensor.INPUTS, Access.READS) == 4
        assert counts.of(Level.LOCAL_MEMORY, Tensor.INPUTS, Access.READS) == 4  # columns share
        assert counts.of(Level.REGISTER_FILE, Tensor.WEIGHTS, Access.FILLS) == 4
        assert counts.of(Level.LOCAL_MEMORY, Tensor.OUTPUTS, Access.UPDATES) == 4  # rows add up
        assert counts.of(Level.DRAM, Tensor.OUTPUTS, Access.UPDATES) == 4

    def test_what_energies_are_paid_for(self):
        counts = evaluate(self.made.layer, self.made.nest)
        assert energy_words(self.made, counts).tolist() == [8, 4, 4, 4, 0, 8, 4]

    @pytest.mark.parametrize(
        ("text", "scratchpad", "accumulator"),  # DRAM, scratchpad and accumulators bind in turn
        [
            ("L3[WIO] K2 C2 P2 - L2[WI] K4X - L1[O] N1 C4X - L0[W] N1", 64, 64),
            ("L3[WIO] P2 - L2[WI] K4X - L1[O] K2 C2 P8 C4X - L0[W] N1", 1, 64),
            ("L3[WIO] K2 C2 P2 - L2[WI] K4X - L1[O] P8 C4X - L0[W] N1", 64, 1),
        ],
    )
    def test_each_memory_has_its_own_bandwidth(self, text, scratchpad, accumulator):
        k, c, p = (math.prod(map(int, re.findall(rf"{dim}(\d+)", text))) for dim in "KCP")
        widths = {"mem2_shared_bandwidth": scratchpad, "mem1_shared_bandwidth": accumulator}
        made = row(text, K=k, C=c, P=p, architecture=widths)
        counts = evaluate(made.layer, made.nest)
        words = {
            (level, tensor): int(counts.counts[level, tensor].sum())
            for level in Level
            for tensor in Tensor
        }
        local, out = Level.LOCAL_MEMORY, Tensor.OUTPUTS
        needs = [
            counts.compute_cycles,
            -(-sum(words[Level.DRAM, tensor] for tensor in Tensor) // 8),
            -(-(words[local, Tensor.WEIGHTS] + words[local, Tensor.INPUTS]) // scratchpad),
            -(-(words[local, out] + int(counts.first_touches[local])) // (4 * accumulator)),
        ]
        assert reference_cycles(made, counts) == max(needs) > counts.compute_cycles


class TestProgram:
    def test_the_array_is_the_smallest_that_holds_what_is_spread(self):
        def side(k, c, **architecture):
            text = f"L3[WIO] N1 - L2[WI] N1 K{k}X - L1[O] N1 C{c}X - L0[W] N1"
            return side_of(row(text, K=k, C=c, architecture=architecture))

        assert [side(1, 1), side(3, 2), side(4, 16), side(10, 64)] == [2, 4, 16, 64]
        assert side(4, 4, meshX=128) == 4
        assert side(4, 4, meshX=16) == 16

    def test_a_convolution_in_one_tile(self):
        made = row("L3[WIO] N1 - L2[WI] K16X - L1[O] P4 Q4 C16X - L0[W] N1", K=16, C=16, P=4, Q=4)
        program = program_of(made, CONSTANTS)
        tiles = program.tiles
        at = {name: values[tiles.times > 0].tolist() for name, values in tiles._asdict().items()}
        assert at == {
            "times": [1],
            "beats": [16 + 16],  # pixels and rows of weights of 16 bytes
            "blocks": [1],
            "full_groups": [0],
            "short_groups": [4],
            "short_rows": [4],
            "stored_rows": [16],
        }
        assert (program.l2_misses, program.llc_misses) == (0, 0)
        # Four groups of four positions; the first takes as long as its weights: 16 cycles.
        assert cycles_of(program, PLAIN) == max(32, 16 + 3 * 4, 16)

    def test_padding_is_not_read_and_outputs_leave_once(self):
        made = row(
            "L3[WIO] C2 - L2[WI] K4X - L1[O] P4 Q4 R3 S3 C4X - L0[W] N1",
            K=4,
            C=8,
            P=4,
            Q=4,
            R=3,
            S=3,
        )
        tiles = program_of(made, CONSTANTS).tiles
        assert tiles.beats.tolist() == [16 + 9 * 4] * 2  # 4 x 4 of the 6 x 6 that it looks at
        assert sorted(tiles.stored_rows.tolist()) == [0, 16]
        assert tiles.full_groups.tolist() == [9 * 4] * 2

    def test_a_tile_beyond_the_input_wraps(self):
        """Filters of even size make one output more; its tile starts where no input is."""
        made = row(
            "L3[WIO] S4 R4 - L2[WI] N1 - L1[O] P2 Q2 - L0[W] N1", P=2, Q=2, R=4, S=4, K=1, C=1
        )
        tiles = program_of(made, CONSTANTS).tiles
        assert tiles.times.sum() == (2 * 4) ** 2  # three outputs in tiles of two
        assert tiles.beats.max() > 65_535

    def test_a_matmul_in_ragged_tiles(self):
        made = row("L3[WIO] C2 K2 - L2[WI] K16X - L1[O] C16 - L0[W] P20", K=32, C=32, P=20)
        program = program_of(made, CONSTANTS)
        tiles = program.tiles
        assert (program.side, program.is_matmul) == (16, True)
        times = tiles.times.tolist()
        # Tiles of 16 positions, 16 outputs and 16 inputs: 2 x 2 x 2, the second of 4 positions.
        assert sum(times) == 8
        assert sorted(set(tiles.beats.tolist())) == [4 + 16, 16 + 16]
        assert (tiles.stored_rows * tiles.times).sum() == 20 * 2

    def test_issuing_sets_the_pace_of_small_tiles(self):
        made = row("L3[WIO] Q8 P8 - L2[WI] K4X - L1[O] N1 C4X - L0[W] N1", K=4, C=4, P=8, Q=8)
        assert cycles_of(program_of(made, CONSTANTS), CONSTANTS) == pytest.approx(
            64 * CONSTANTS["issue_conv_cycles"]
        )

    def test_what_the_caches_miss_costs(self):
        text = "L3[WIO] Q8 K16 - L2[WI] K16X - L1[O] P64 Q8 C16X C16 - L0[W] N1"
        made = row(text, K=256, C=256, P=64, Q=64)
        program = program_of(made, CONSTANTS)
        assert program.l2_misses > 0
        cheap = replace(CONSTANTS, values=CONSTANTS.values | {"l2_miss_cycles": 0.0})
        assert cycles_of(program, cheap) < cycles_of(program, CONSTANTS)

    def test_every_constant_has_a_source_and_the_fitted_ones_say_so(self, tmp_path):
        text = (path := tmp_path / "constants.yaml").as_posix()
        path.write_text("constants:\n  beat_cycles: {value: 1.0}\n")
        with pytest.raises(InteropError, match=f"{text}: the constant 'beat_cycles' needs"):
            load_constants(path)
        assert set(CALIBRATED) < set(CONSTANTS.values)
        assert len(CONSTANTS.layers) == 12


def write_rtl(folder, lines):
    with (folder / RTL_FILE).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def write_timeloop(folder, lines):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    content = text.getvalue().encode()
    with tarfile.open(folder / TIMELOOP_FILE, "w:gz") as archive:
        member = tarfile.TarInfo("dataset.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def drawn(count, **given):
    """Lines of layers with a mapping each, all different."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        k, c, p, wide, inner = (int(2 ** rng.integers(0, 5)) for _ in range(5))
        loops = [f"K{k}", f"C{c}", f"P{p}"]
        order = " ".join(loops[i] for i in rng.permutation(3))
        text = f"L3[WIO] {order} - L2[WI] K4X - L1[O] K{wide} Q7 C4X - L0[W] P{inner}"
        yield columns(text, K=4 * k * wide, C=4 * c, P=p * inner, Q=7, **given)


class TestComparisons:
    def test_rows_that_follow_the_equations_are_predicted(self, tmp_path):
        lines = list(drawn(40))
        for line in lines:
            predicted = cycles_of(program_of(row_of(line), CONSTANTS), CONSTANTS)
            line["target.cycle"] = repr(predicted)
        write_rtl(tmp_path, lines)
        found = compare_with_gemmini(tmp_path)
        assert found.timeloop is None
        assert found.rtl.rows == 40
        assert found.rtl.predicted.spearman == pytest.approx(1.0)
        assert found.rtl.predicted.median_error == 0.0
        assert found.rtl.compute.spearman < 1.0
        assert [(each.side, each.rows) for each in found.rtl.sides] == [(4, 40)]
        assert json.loads(json.dumps(found.document()))["rtl"]["within_10_percent"] == 1.0

    def test_layers_that_were_fitted_on_are_left_out(self):
        rows = [
            replace(row_of(line), cycles=float(number + 1)) for number, line in enumerate(drawn(20))
        ]
        fitted = replace(CONSTANTS, layers=frozenset(shape_of(made) for made in rows[:5]))
        found = compare_with_rtl(rows, fitted)
        assert found.rows + found.fitted_rows == 20
        assert found.fitted_rows >= 5
        everything = replace(CONSTANTS, layers=frozenset(shape_of(made) for made in rows))
        with pytest.raises(UsageError, match="nothing to compare"):
            compare_with_rtl(rows, everything)

    def test_a_single_row_has_no_rank(self):
        found = compare_with_rtl([row_of(line) for line in drawn(1)])
        assert (found.predicted.spearman, found.predicted.kendall) == (None, None)

    def test_energies_that_are_linear_in_our_counts_are_found(self, tmp_path):
        lines = []
        for number in range(3):
            widths = {"mem2_shared_bandwidth": 8 + number, "mem1_shared_bandwidth": 2}
            lines += list(drawn(60, architecture=widths))
        per_word = np.array([1.0, 2.0, 3.0, 4.0, 100.0, 110.0, 120.0])
        for line in lines:
            made = row_of(line)
            counts = evaluate(made.layer, made.nest)
            line["target.cycle"] = str(reference_cycles(made, counts))
            line["target.energy"] = repr(float(energy_words(made, counts) @ per_word))
        write_timeloop(tmp_path, lines)
        found = compare_with_timeloop(tmp_path, 2)
        assert (found.architectures, found.rows) == (2, 120)
        assert found.exact == found.within_1_percent == 120
        assert 0 < found.energy_rows < 120
        assert found.energy_worst < 1e-6
        assert compare_with_timeloop(tmp_path, 0).architectures == 3

    def test_an_archive_without_the_rows_is_named(self, tmp_path):
        with tarfile.open(tmp_path / TIMELOOP_FILE, "w:gz"):
            pass
        with pytest.raises(InteropError, match=r"dataset\.csv"):
            compare_with_timeloop(tmp_path)


class TestSharedData:
    @pytest.fixture
    def folder(self, shared):
        folder = shared / "data" / "gemmini-rtl"
        if not folder.is_dir():
            pytest.skip(f"{folder} is not there")
        return folder

    def test_rtl_is_ranked_on_layers_held_out(self, folder):
        from scipy.stats import spearmanr

        rows = [made for made in read_rtl(folder) if shape_of(made) not in CONSTANTS.layers]
        assert len(rows) > 1000
        predicted = [cycles_of(program_of(made, CONSTANTS), CONSTANTS) for made in rows]
        assert spearmanr(predicted, [made.cycles for made in rows]).statistic >= 0.97

    def test_timeloop_agrees(self, folder, monkeypatch):
        monkeypatch.setattr(gemmini_check, "SEED", 1)
        found = compare_with_timeloop(folder, 1)
        assert found.within_1_percent >= 0.99 * found.rows
        assert found.energy_median_error < 0.01
