"""`nahas validate` beside data that is not there, and one comparison at a time."""

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
