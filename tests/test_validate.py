from __future__ import annotations

import copy
import json
from pathlib import Path

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
        (("expected", "energy_pj_mac"), "energy_pj_mac"),
        (("problem", "macs"), "macs"),
        (("expected", "levels", "RF", "Weights", "partition_words"), "RF Weights partition_words"),
        (("expected", "levels", "RF", "Inputs", "partition_words"), "RF Inputs partition_words"),
        (
            ("expected", "levels", "GLB", "Inputs", "temporal_reductions_per_instance"),
            "GLB Inputs temporal_reductions_per_instance",
        ),
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


def test_a_tensor_said_not_to_be_kept_is_found(written):
    (made,) = validate(
        written(with_value(False, "expected", "levels", "RF", "Inputs", "kept"))
    ).comparisons
    assert [quantity.name for quantity in made.differences] == ["RF Inputs kept"]


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


HUGE = 10**400
"""JSON takes it, a double does not."""


def variant(**keys):
    limits = {"dram_read_bandwidth": 0.5}
    return {"bandwidth_words_per_cycle_per_instance": limits, "cycles": 16, **keys}


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
    ("pool", ("problem", "kind"), "'kind' is 'pool', but it must be one of conv, depthwise"),
    (["conv"], ("problem", "kind"), "'kind' is ['conv'], but it must be a text"),
    (1, ("problem", "stride"), "problem: the key 'stride' is unknown; did you mean 'stride_q'?"),
    (4, ("problem", "G"), "problem: the key 'G' is unknown; known are kind, N, K"),
    ([], ("mapping", "L2_temporal"), "'L2_temporal' is unknown; did you mean 'GLB_temporal'?"),
    ([], ("mapping", "keep", "L2"), "keep: the key 'L2' is unknown; known are DRAM, GLB, RF"),
    (["Weights", "Inputs"], ("mapping", "keep", "DRAM"), "keep: 'DRAM' is ['Weights', 'Inputs']"),
    ({}, ("expected", "levels", "L2"), "levels: the key 'L2' is unknown; known are DRAM"),
    ({}, ("expected", "levels", "RF", "Psums"), "levels: RF: the key 'Psums' is unknown"),
    (
        3,
        ("expected", "levels", "RF", "Inputs", "reads"),
        "'reads' is unknown; did you mean 'reads_",
    ),
    (3, ("expected", "compute_cycle"), "did you mean 'compute_cycles'?"),
    (3, ("energy_pj_per_word", "noc"), "energy_pj_per_word: the key 'noc' is unknown"),
    (3, ("energy_pj_per_word", "glb", "write"), "glb: the key 'write' is unknown; known are read"),
    (1.0, ("expected", "utilization"), "'arch' does not give all of pe_x, pe_y, macs_per_pe"),
    ({"pe_x": 0}, ("arch",), "arch: 'pe_x' is 0, but it must be a whole number from 1"),
    (HUGE, ("energy_pj_per_word", "rf"), "but it must be a number from 0 to 1e+100"),
    (HUGE, ("energy_pj_per_word", "glb", "read"), "glb: 'read' is 1000"),
    (1e308, ("energy_pj_per_word", "rf"), "'rf' is 1e+308, but it must be a number from 0 to"),
    (HUGE, ("expected", "energy_pj_total"), "but it must be a number from 0 to 1e+100"),
    (HUGE, ("expected", "computes"), "but it must be a number from 0 to 1e+100"),
    (HUGE, ("problem", "P"), "but it must be a whole number from 1 to"),
    ("a\ud800", ("id",), "case 1: 'id' is 'a\\ud800', but it must be a text that can be printed"),
    ([], ("expected", "levels"), "expected: 'levels' is [], but it must be an object"),
    ([["P"]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['P'], but a loop is"),
    ([["X", 3]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['X', 3]"),
    ([["P", True]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['P', True]"),
    ([["P", HUGE]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['P', 1000"),
    ([["P", 0]], ("mapping", "GLB_temporal"), "'GLB_temporal' holds ['P', 0]"),
    ([["P", 2]], ("mapping", "GLB_temporal"), "case 'by hand': layer 'conv': the loops over P"),
    (["Psums"], ("mapping", "keep", "RF"), "'RF' holds 'Psums', but a level keeps Weights"),
    ([["Weights"]], ("mapping", "keep", "GLB"), "'GLB' holds ['Weights'], but a level keeps"),
    ("on", ("mapping", "neighbour_links"), "is 'on', but it must be true or false"),
    (-1.0, ("energy_pj_per_word", "rf"), "'rf' is -1.0, but it must be a number from 0 to"),
    ("x", ("energy_pj_per_word", "glb"), "'glb' is 'x', but it must be an object or a whole"),
    (float("nan"), ("expected", "energy_pj_total"), "'energy_pj_total' is nan"),
    ("3", ("expected", "levels", "RF", "Outputs", "partition_words"), "'partition_words' is '3'"),
    (7, ("expected", "bandwidth_variants"), "'bandwidth_variants' is 7"),
    ([7], ("expected", "bandwidth_variants"), "bandwidth_variants 1 is not an object"),
    (
        [{"bandwidth_words_per_cycle_per_instance": {"l2_read_bandwidth": 1}, "cycles": 1}],
        ("expected", "bandwidth_variants"),
        "'l2_read_bandwidth' is unknown; did you mean 'glb_read_bandwidth'?",
    ),
    *(
        (
            [{"bandwidth_words_per_cycle_per_instance": {"rf_read_bandwidth": limit}, "cycles": 1}],
            ("expected", "bandwidth_variants"),
            f"'rf_read_bandwidth' is {said}",
        )
        for limit, said in ((0, "0"), (1e-320, "1e-320"), (HUGE, "10000"))
    ),
    (
        [variant(per_level={"L2": {"cycles": 1}})],
        ("expected", "bandwidth_variants"),
        "per_level: the key 'L2' is unknown",
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
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"cases": [{"id": "x", "note": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, message):
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InteropError, match=message):
        validate(path)


def test_what_is_nested_within_reason_is_named_in_short(written):
    deep = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(InteropError, match=r"'GLB' holds \[\[\[\[\[\[") as raised:
        validate(written(with_value(deep, "mapping", "keep", "GLB")))
    assert len(str(raised.value)) < 300


def test_free_keys_stay_free(written):
    case = with_value({"name": "mine", "word_bits": 8}, "arch")
    case |= {"made": {"L2": 3}, "explicit_tile_check": {"agrees_with_timeloop": False}}
    (made,) = validate(written(case)).comparisons
    assert made.verdict is Verdict.AGREES


ARCH = {"pe_x": 2, "pe_y": 1, "macs_per_pe": 1, "glb_words": 4 + 4 + 6, "rf_words": 2 + 2 + 1}


def test_a_mapping_that_just_fits_its_array_agrees(written):
    case = with_value(ARCH, "arch")
    case["expected"]["utilization"] = 1.0
    (made,) = validate(written(case)).comparisons
    assert made.verdict is Verdict.AGREES
    assert "utilization" in {quantity.name for quantity in made.quantities}


@pytest.mark.parametrize(
    ("size", "value", "said"),
    [
        ("pe_x", 1, "GLB_spatial_x spreads over 2, but pe_x is 1"),
        ("glb_words", 13, "the tiles that GLB keeps take 14, but glb_words is 13"),
        ("rf_words", 4, "the tiles that RF keeps take 5, but rf_words is 4"),
    ],
)
def test_a_mapping_that_does_not_fit_its_array_differs(written, capsys, size, value, said):
    path = written(with_value(ARCH | {size: value}, "arch"))
    (made,) = validate(path).comparisons
    assert made.differences == ()
    assert made.misfits == (said,)
    assert made.verdict is Verdict.DIFFERS
    code, out, _ = ran(capsys, "--cases", path)
    assert code == 1
    assert f"does not fit: by hand: {said}" in out


def test_dots_wider_than_the_datapath_do_not_fit(written):
    case = with_value([["P", 3]], "mapping", "RF_spatial_x")
    case["mapping"]["GLB_temporal"] = []
    (made,) = validate(written(case | {"arch": {"macs_per_pe": 2}})).comparisons
    assert made.misfits == ("RF_spatial_x spreads over 3, but macs_per_pe is 2",)


def test_utilization_agrees_as_far_as_it_is_printed(written):
    case = with_value(ARCH | {"pe_x": 3}, "arch")
    for told, verdict in ((0.6667, Verdict.AGREES), (0.6665, Verdict.DIFFERS)):
        case["expected"]["utilization"] = told
        (made,) = validate(written(case)).comparisons
        assert made.verdict is verdict


def test_levels_of_a_variant_are_compared_one_by_one(written):
    levels = {
        "DRAM": {"cycles": 16, "throttling": 0.38},
        "GLB": {"cycles": 6, "throttling": 1.0},
        "RF": {"cycles": 6},
    }
    case = with_value([variant(per_level=levels)], "expected", "bandwidth_variants")
    (made,) = validate(written(case)).comparisons
    assert made.differences == ()
    levels["GLB"] = {"cycles": 7, "throttling": 0.9}
    (made,) = validate(written(case)).comparisons
    assert [q.name for q in made.differences] == [
        "cycles at dram_read=0.5: GLB",
        "cycles at dram_read=0.5: GLB throttling",
    ]


def test_a_level_that_is_not_used_takes_no_cycles_of_its_own(written):
    case = with_value([], "mapping", "keep", "RF")
    levels = {"RF": {"cycles": 0, "throttling": 1.0}}
    case["expected"]["bandwidth_variants"] = [variant(per_level=levels)]
    (made,) = validate(written(case)).comparisons
    found = {q.name: q for q in made.quantities}
    assert found["cycles at dram_read=0.5: RF"].agrees


def test_what_no_rule_derives_is_said_not_to_be_compared(written, capsys):
    case = with_value([["P", 3]], "mapping", "GLB_spatial_x")
    case["mapping"]["GLB_temporal"] = [["K", 2]]
    for level in ("GLB", "RF"):
        case["expected"]["levels"][level]["Inputs"]["partition_words"] = 4
        case["expected"]["levels"][level]["Weights"]["partition_words"] = 4
    (made,) = validate(written(case)).comparisons
    assert made.not_compared == ("RF Inputs partition_words",)
    found = {q.name: q.ours for q in made.quantities}
    assert found["GLB Inputs partition_words"] == found["RF Weights partition_words"] == 4
    _, out, _ = ran(capsys, "--cases", written(case), "--verbose")
    assert "not compared: RF Inputs partition_words" in out
    assert "1 numbers given but not compared" in out


def test_only_refused_cases_compare_nothing(written, capsys):
    linked = written(with_value(True, "mapping", "neighbour_links"))
    with pytest.raises(InteropError, match="every case is refused, so nothing was compared"):
        ran(capsys, "--cases", linked, "--json")
    assert json.loads(capsys.readouterr().out)["totals"] == {"agree": 0, "differ": 0, "refused": 1}


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


def test_every_key_of_the_document_is_documented(written, capsys):
    text = (Path(__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    _, out, _ = ran(capsys, "--cases", written(CASE), "--json")
    document = json.loads(out)
    (case,) = document["cases"]
    for part in (document, case, document["totals"], case["quantities"][0]):
        assert [key for key in part if f"`{key}`" not in text] == []
