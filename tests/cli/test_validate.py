"""`nahas validate` beside data that is not there, and one comparison at a time."""

import json

import pytest

from nahas.trust import sister


@pytest.mark.parametrize(
    "given", [(), ("--dpu", "--peers"), ("--cases", "--dpu"), ("--devices", "--dpu")]
)
def test_one_comparison_at_a_time(nahas, tmp_path, given):
    file = tmp_path / "file.json"
    file.write_text("{}")
    paths = {"--dpu": tmp_path, "--devices": tmp_path, "--peers": file, "--cases": file}
    ran = nahas("validate", *(part for name in given for part in (name, paths[name])))
    assert ran.code == 2
    assert "give one of --cases FILE, --peers FILE, --dpu FOLDER, --devices FOLDER and" in ran.err


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


def test_edge_tpus_are_ranked_as_the_page_says(nahas, shared):
    folder = shared / "data" / "edge-devices"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    ran = nahas("validate", "--devices", folder, "--json")
    assert ran.code == 0
    found = {device["device"]: device for device in json.loads(ran.out)["devices"]}
    assert found["coral_usb_x86"]["kendall"] == pytest.approx(0.905, abs=5e-4)
    assert found["coral_usb_x86"]["macs_kendall"] == pytest.approx(0.823, abs=5e-4)
    for pixel in ("pixel4_edgetpu", "pixel6_edgetpu"):
        assert found[pixel]["spearman"] == pytest.approx(1.0)


@pytest.mark.parametrize(("tolerance", "code"), [(1e9, 0), (1e-9, 1)])
def test_a_sister_space_fails_where_no_ratio_holds(nahas, monkeypatch, tolerance, code):
    points = sister.every_accelerator()[:: 50_000 // 4]
    monkeypatch.setattr(sister, "TOLERANCE", tolerance)
    monkeypatch.setattr(sister, "every_accelerator", lambda: points)
    ran = nahas("validate", "--sister", "--json")
    assert ran.code == code
    assert json.loads(ran.out)["points"] == len(points)
    assert "mobilenet-v3-large" in nahas("validate", "--sister").out
