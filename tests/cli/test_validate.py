"""`nahas validate` beside data that is not there, and one comparison at a time."""

import json

import pytest


@pytest.mark.parametrize(
    "given", [(), ("--dpu", "--peers"), ("--cases", "--dpu"), ("--devices", "--dpu")]
)
def test_one_comparison_at_a_time(nahas, tmp_path, given):
    file = tmp_path / "file.json"
    file.write_text("{}")
    paths = {"--dpu": tmp_path, "--devices": tmp_path, "--peers": file, "--cases": file}
    ran = nahas("validate", *(part for name in given for part in (name, paths[name])))
    assert ran.code == 2
    assert "give one of --cases FILE, --peers FILE, --dpu FOLDER, --rtl FOLDER" in ran.err


def test_help_names_every_comparison_first(nahas):
    first = " ".join(nahas("validate", "--help").out.split("\n\n")[1].split())
    for word in ("Timeloop", "other mappers", "RTL", "devices", "sister space"):
        assert word in first


def test_the_last_line_says_on_how_many_pairs_ours_is_no_worse(nahas, tmp_path):
    layer = {"kind": "conv", "N": 1, "K": 8, "C": 4, "P": 5, "Q": 5, "R": 3, "S": 3}
    layer |= {"stride": 1, "dilation": 1}
    hardware = {"id": "HA", "pe_y": 4, "pe_x": 4, "simd": 2, "lanes": 1, "word_bits": 8}
    hardware |= {"rf_bytes_per_pe": 64, "buffer_bytes": 2048, "buffer_bytes_per_cycle": 32}
    hardware |= {"dram_bytes_per_cycle": 4}
    content = {
        "layers": [layer | {"id": "L01"}, layer | {"id": "new"}],
        "hardware": [hardware],
        "energy_pj_per_word": {"HA": {"DRAM": 100.0, "buffer": 6.0, "rf": 1.0, "mac": 0.2}},
    }
    path = tmp_path / "two.json"
    path.write_text(json.dumps(content))
    out = nahas("validate", "--peers", path).out
    assert out.splitlines()[-1] == (
        "1 of 1 pairs no worse than any other mapper, 1 of them with fewer cycles; "
        "1 more pairs that no other mapper was run on"
    )
    totals = json.loads(nahas("validate", "--peers", path, "--json").out)["totals"]
    assert totals == {"pairs": 2, "compared": 1, "no_worse": 1, "fewer_cycles": 1, "worse": 0}


def test_a_folder_without_the_measurements_is_named(nahas, tmp_path):
    ran = nahas("validate", "--dpu", tmp_path)
    assert ran.code == 2
    assert "measured.csv.gz" in ran.err


def test_measured_networks_are_ranked_as_the_page_says(nahas, shared):
    folder = shared / "data" / "accel-nasbench"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    ran = nahas("validate", "--dpu", folder)
    assert ran.code == 0
    assert "0.903" in ran.out
    assert "0.895" in ran.out
