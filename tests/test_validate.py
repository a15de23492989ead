from __future__ import annotations

import copy
import json

import pytest

from nahas.cli.validate import validate as command
from nahas.errors import InteropError
from nahas.interop.timeloop import read_cases
from nahas.validate import Verdict, validate
from nahas.vocabulary import Dim, Level, Slot, Tensor

# Two filters on one input row of four words; the row slides through the register file. Small
# enough to be counted by hand: k outermost, then p; the register file holds one window.
WEIGHTS = {"reads": 4, "fills": 0, "updates": 0}
CASE = {
    "id": "by hand",
    "note": "a key that is not read",
    "problem": {"kind": "conv", "N": 1, "K": 2, "C": 1, "P": 3, "Q": 1, "R": 2, "S": 1},
    "energy_pj_per_word": {
        "dram": 10,
        "glb": {"read": 2.0, "fill": 3.0, "update": 4.0},
        "rf": 1.0,
        "mac": 0.5,
    },
    "mapping": {
        "GLB_temporal": [["P", 3]],
        "GLB_spatial_x": [["K", 2]],
        "RF_temporal": [["R", 2]],
        "keep": {"GLB": ["Weights", "Inputs", "Outputs"], "RF": ["Weights", "Inputs", "Outputs"]},
    },
    "expected": {
        "compute_cycles": 6,
        "computes": 12,
        "utilized_macs": 2,
        "energy_pj_total": 10 * (4 + 4 + 6) + 2 * (4 + 4) + 3 * (4 + 4) + 4 * 6 + 54 + 6,
        "levels": {
            "DRAM": {
                "Weights": {"reads_total": 4, "fills_total": 0, "updates_total": 0},
                "Inputs": {"reads_total": 4, "fills_total": 0, "updates_total": 0},
                "Outputs": {"reads_total": 0, "fills_total": 0, "updates_total": 6},
            },
            "GLB": {
                "Weights": {"reads_total": 4, "fills_total": 4, "updates_total": 0},
                "Inputs": {"reads_total": 4, "fills_total": 4, "updates_total": 0},
                "Outputs": {"reads_total": 0, "fills_total": 0, "updates_total": 6},
            },
            "RF": {
                "Weights": {"reads_total": 12, "fills_total": 4, "updates_total": 0},
                "Inputs": {"reads_total": 12, "fills_total": 8, "updates_total": 0},
                "Outputs": {
                    "reads_total": 6,
                    "fills_total": 0,
                    "updates_total": 12,
                    "utilized_instances": 2,
                    "updates_per_instance": 6,
                    "partition_words": 3,
                    "temporal_reductions_per_instance": 3,
                },
            },
        },
        "bandwidth_variants": [
            {"bandwidth_words_per_cycle_per_instance": {"dram_read_bandwidth": 0.5}, "cycles": 16}
        ],
    },
}


def with_value(value, *keys, case=CASE):
    """A copy of the case in which one key is another value, or is gone where `value` is None."""
    changed = copy.deepcopy(case)
    part = changed
    for key in keys[:-1]:
        part = part[key]
    if value is None:
        del part[keys[-1]]
    else:
        part[keys[-1]] = value
    return changed


@pytest.fixture
def written(tmp_path):
    def write(*cases):
        path = tmp_path / "cases.json"
        path.write_text(json.dumps({"made_by": "hand", "cases": list(cases)}))
        return path

    return write


def test_a_case_counted_by_hand_agrees(written):
    (made,) = validate(written(CASE)).comparisons
    assert made.differences == ()
    assert made.verdict is Verdict.AGREES
    assert made.layer == "K2 P3 R2"
    assert {"energy_pj", "cycles at dram_read=0.5", "GLB Inputs reads"} <= {
        quantity.name for quantity in made.quantities
    }


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (("expected", "compute_cycles"), "compute_cycles"),
        (("expected", "utilized_macs"), "utilized_macs"),
        (("expected", "energy_pj_total"), "energy_pj"),
        (("expected", "levels", "GLB", "Inputs", "reads_total"), "GLB Inputs reads"),
        (("expected", "levels", "RF", "Outputs", "partition_words"), "RF Outputs partition_words"),
        (("expected", "bandwidth_variants", 0, "cycles"), "cycles at dram_read=0.5"),
    ],
)
def test_a_number_that_differs_is_found_alone(written, keys, name):
    (made,) = validate(written(with_value(17, *keys))).comparisons
    assert [quantity.name for quantity in made.differences] == [name]
    assert made.verdict is Verdict.DIFFERS


def test_counts_without_extrapolation_are_the_ones_to_hold_to(written):
    totals = {
        level: {
            tensor: {name: words[f"{name}_total"] for name in ("reads", "fills", "updates")}
            for tensor, words in tensors.items()
        }
        for level, tensors in CASE["expected"]["levels"].items()
    }
    wrong = with_value(99, "expected", "levels", "GLB", "Inputs", "reads_total")
    for key in (("energy_pj_total",), ("bandwidth_variants", 0, "cycles")):
        wrong = with_value(1234, "expected", *key, case=wrong)
    wrong["expected"]["levels"]["GLB"]["Inputs"]["reads_per_instance"] = 99
    wrong["totals_without_extrapolation"] = totals
    (made,) = validate(written(wrong)).comparisons
    assert made.differences == ()
    assert "default counts of GLB Inputs are extrapolated wrongly" in made.remarks[0]
    costs = {quantity.name: quantity.expected for quantity in made.quantities}
    assert costs["cycles at dram_read=0.5"] == 16
    assert costs["energy_pj"] == CASE["expected"]["energy_pj_total"]


def test_neighbour_links_are_refused_by_name(written):
    (made,) = validate(written(with_value(True, "mapping", "neighbour_links"))).comparisons
    assert made.verdict is Verdict.REFUSED
    assert made.reason == "neighbour links"
    assert made.quantities == ()


def test_a_depthwise_problem_has_its_channels_as_groups(written):
    case = with_value({"kind": "depthwise", **dict.fromkeys("NPQRS", 1), "C": 4}, "problem")
    case["mapping"] |= {"GLB_temporal": [["C", 4]], "GLB_spatial_x": [], "RF_temporal": []}
    (read,) = read_cases(written(case))
    assert (read.layer.g, read.layer.k, read.layer.c) == (4, 1, 1)
    assert [(loop.slot, loop.dim) for loop in read.mapping.loops] == [(Slot.LOCAL_MEMORY, Dim.G)]


def test_what_is_read_of_a_case(written):
    case = with_value(["Outputs"], "mapping", "keep", "RF")
    (read,) = read_cases(written(case))
    assert read.mapping.keep[Level.REGISTER_FILE] == {Tensor.OUTPUTS}
    assert read.pj_per_word.tolist() == [[10, 10, 10], [2, 3, 4], [1, 1, 1]]
    assert read.mac_pj == 0.5
    assert (read.layer.stride_p, read.layer.dilation_r) == (1, 1)


WRONG = [
    (None, ("id",), "case 1: 'id' is missing"),
    (None, ("problem", "K"), "case 'by hand': problem: 'K' is missing"),
    (None, ("mapping",), "case 'by hand': 'mapping' is missing"),
    (None, ("mapping", "keep", "GLB"), "keep: 'GLB' is missing"),
    (None, ("energy_pj_per_word", "mac"), "energy_pj_per_word: 'mac' is missing"),
    (None, ("expected", "compute_cycles"), "expected: 'compute_cycles' is missing"),
    (
        None,
        ("expected", "levels", "RF", "Inputs", "fills_total"),
        "levels: RF: Inputs: 'fills_total' is missing",
    ),
    ("8", ("problem", "P"), "problem: 'P' is '8', but it must be a whole number"),
    (True, ("problem", "P"), "problem: 'P' is True, but it must be a whole number"),
    (0, ("problem", "P"), "'P' is 0, but it must be a whole number from 1 to"),
    (2**60, ("expected", "compute_cycles"), "but it must be a whole number from 1 to"),
    ("pool", ("problem", "kind"), "'kind' is 'pool', but it is one of conv, depthwise"),
    ([], ("expected", "levels"), "expected: 'levels' is [], but it must be an object"),
    ([["P"]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['P'], but a loop is"),
    ([["X", 3]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['X', 3]"),
    ([["P", 0]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['P', 0]"),
    ([["P", 2]], ("mapping", "GLB_temporal"), "case 'by hand': layer 'conv': the loops over P"),
    (["Psums"], ("mapping", "keep", "RF"), "'RF' holds 'Psums', but a level keeps Weights"),
    ("on", ("mapping", "neighbour_links"), "is 'on', but it must be true or false"),
    (-1.0, ("energy_pj_per_word", "rf"), "'rf' is -1.0, but it must be a number from 0 on"),
    ("x", ("energy_pj_per_word", "glb"), "'glb' is 'x', but it must be an object or a whole"),
    (float("nan"), ("expected", "energy_pj_total"), "'energy_pj_total' is nan"),
    ("3", ("expected", "levels", "RF", "Outputs", "partition_words"), "'partition_words' is '3'"),
    (7, ("expected", "bandwidth_variants"), "'bandwidth_variants' is 7"),
    ([7], ("expected", "bandwidth_variants"), "bandwidth_variants 1 is not an object"),
    (
        [{"bandwidth_words_per_cycle_per_instance": {"l2_read_bandwidth": 1}, "cycles": 1}],
        ("expected", "bandwidth_variants"),
        "'l2_read_bandwidth' is no bandwidth of DRAM, GLB or RF",
    ),
    (
        [{"bandwidth_words_per_cycle_per_instance": {"rf_read_bandwidth": 0}, "cycles": 1}],
        ("expected", "bandwidth_variants"),
        "'rf_read_bandwidth' is 0.0, but it must be a number above 0",
    ),
]


@pytest.mark.parametrize(("value", "keys", "message"), WRONG, ids=lambda part: str(part)[:40])
def test_a_missing_or_wrong_key_is_one_sentence_with_its_place(written, value, keys, message):
    path = written(with_value(value, *keys))
    with pytest.raises(InteropError) as raised:
        validate(path)
    assert message in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no object with 'cases'"),
        ("{}", "'cases' is missing"),
        ('{"cases": []}', "'cases' is empty"),
        ('{"cases": [1]}', "case 1 of 'cases' is not an object"),
        ("\xff", "is not JSON"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, message):
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InteropError, match=message):
        validate(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InteropError, match="cannot be read: No such file"):
        validate(tmp_path / "absent.json")


def ran(capsys, *arguments):
    code = command.main([str(argument) for argument in arguments], standalone_mode=False)
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


def test_the_command_prints_a_table_and_exits_with_0(written, capsys):
    link = with_value(True, "mapping", "neighbour_links") | {"id": "linked"}
    code, out, _ = ran(capsys, "--cases", written(CASE, link))
    assert code == 0
    assert "refused: neighbour links" in out
    assert "1 agree, 0 differ, 1 refused" in out
    assert "GLB Inputs reads" not in out


def test_the_command_shows_every_number_when_asked(written, capsys):
    code, out, _ = ran(capsys, "--cases", written(CASE), "--verbose")
    assert code == 0
    assert "by hand: LOCAL_MEMORY P3 | LANE_ARRAY K2 | REGISTER_FILE R2" in out
    assert "GLB Inputs reads" in out


def test_the_command_shows_what_differs_and_exits_with_1(written, capsys):
    wrong = with_value(17, "expected", "levels", "GLB", "Inputs", "reads_total")
    code, out, _ = ran(capsys, "--cases", written(CASE, wrong | {"id": "wrong"}))
    assert code == 1
    assert "1 agree, 1 differ, 0 refused" in out
    line = next(line for line in out.splitlines() if "GLB Inputs reads" in line)
    assert line.split() == ["GLB", "Inputs", "reads", "4", "17", "differs"]


def test_json_is_one_document_with_every_number(written, capsys):
    wrong = with_value(17, "expected", "computes") | {"id": "wrong"}
    link = with_value(True, "mapping", "neighbour_links") | {"id": "linked"}
    code, out, _ = ran(capsys, "--cases", written(CASE, wrong, link), "--json")
    document = json.loads(out)
    assert code == 1
    assert document["schema_version"] >= 1
    assert document["totals"] == {"agree": 1, "differ": 1, "refused": 1}
    assert [case["verdict"] for case in document["cases"]] == ["agrees", "differs", "refused"]
    assert document["cases"][2]["reason"] == "neighbour links"
    found = {q["name"]: q for q in document["cases"][1]["quantities"]}
    expected = {"name": "computes", "ours": 12, "expected": 17, "agrees": False}
    assert found["computes"] == expected
