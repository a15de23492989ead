"""Hardware: what is refused, what presets are, and files that come back unchanged."""

import errno
import math
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.datafiles import packaged, read_mapping
from nahas.errors import HardwareError
from nahas.hardware import (
    BITS,
    MAY_BE_NONE,
    PRESETS,
    Hardware,
    hardware_from,
    load_hardware,
    preset,
    save_hardware,
)

BASELINE = preset("edge-baseline")
INTEGER_FIELDS = [field.name for field in fields(Hardware) if field.type == "int"]


@pytest.mark.parametrize("name", [field.name for field in fields(Hardware)])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 10**400, True, "4", None])
def test_a_number_that_no_chip_has_is_refused_by_name(name, value):
    if name in MAY_BE_NONE and value == 0 and value is not False:
        return
    with pytest.raises(HardwareError, match=f"^{name} is .*must be a number above 0") as refused:
        replace(BASELINE, **{name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", INTEGER_FIELDS)
def test_a_count_must_be_whole(name):
    with pytest.raises(HardwareError, match=f"^{name} is 2.5, but it must be a whole number$"):
        replace(BASELINE, **{name: 2.5})


@pytest.mark.parametrize(("name", "allowed"), BITS.items())
def test_a_width_that_the_template_lacks_is_refused(name, allowed):
    message = f"^{name} is 12, but it must be one of {', '.join(map(str, allowed))}$"
    with pytest.raises(HardwareError, match=message):
        replace(BASELINE, **{name: 12})


def test_words_are_int8_with_int32_sums_unless_a_file_says_otherwise(tmp_path):
    assert BASELINE.widths == (8, 8, 32)
    path = tmp_path / "int4.yaml"
    save_hardware(BASELINE, path)
    path.write_text(path.read_text().replace("weight_bits: 8", "weight_bits: 4"))
    assert load_hardware(path).widths == (4, 8, 32)


@pytest.mark.parametrize("name", ["local_memory_mb", "register_file_kb"])
def test_a_memory_below_one_byte_is_refused(name):
    with pytest.raises(HardwareError, match=f"^{name} is 1e-09, which is below one byte$"):
        replace(BASELINE, **{name: 1e-9})


def test_derived_numbers_of_the_baseline():
    assert BASELINE.pes == 16
    assert BASELINE.macs_per_cycle == 16_384
    assert BASELINE.local_memory_bytes == 2 * 1024 * 1024
    assert BASELINE.register_file_bytes == 32 * 1024
    assert BASELINE.io_bytes_per_cycle == 25.0


@pytest.mark.parametrize(
    ("name", "tops"),
    # paper notes 3.3; coral by its rating
    [
        ("edge-baseline", 26.21),
        ("edgetpu-v1", 26.21),
        ("edgetpu-v2", 8.73),
        ("edgetpu-v3", 8.73),
        ("coral", 4.0),
        ("pixel-4", 25.87),
        ("pixel-6", 8.73),
    ],
)
def test_presets_reach_their_published_peak(name, tops):
    assert preset(name).peak_tops == pytest.approx(tops, abs=0.005)


def test_coral_holds_eight_megabytes_of_parameters_beside_its_narrow_memories():
    coral = preset("coral")
    assert coral.pes * coral.parameter_memory_bytes == 8 * 1024 * 1024
    assert coral.local_memory_bytes - coral.parameter_memory_bytes == 196_608


def test_a_template_without_activation_units_is_the_default():
    assert replace(BASELINE, activation_units=0) == BASELINE


def test_parameter_memory_may_be_none_but_not_all_of_local_memory():
    assert replace(BASELINE, parameter_memory_mb=0) == BASELINE
    with pytest.raises(HardwareError, match=r"^parameter_memory_mb is 2, but it is a part of"):
        replace(BASELINE, parameter_memory_mb=2)
    with pytest.raises(HardwareError, match=r"^parameter_memory_mb is 3, but .* below its 2$"):
        replace(BASELINE, parameter_memory_mb=3)


def test_the_preset_file_has_every_name_every_field_and_a_source_for_each_number():
    content = read_mapping(packaged("hardware_presets.yaml"))
    assert content.pop("schema_version") == 1
    assert tuple(content) == PRESETS
    for entries in content.values():
        assert list(entries) == [field.name for field in fields(Hardware) if field.name not in BITS]
        assert all(len(entry["source"]) > 20 for entry in entries.values())


def test_an_unknown_preset_lists_presets_and_the_closest():
    with pytest.raises(HardwareError, match=r"'edge-basline'; did you mean 'edge-baseline'\?") as e:
        hardware_from("edge-basline")
    assert all(name in str(e.value) for name in PRESETS)


def test_a_name_or_a_path_is_accepted(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    save_hardware(preset("coral"), path)
    assert hardware_from("coral") == hardware_from(str(path)) == preset("coral")
    monkeypatch.chdir(tmp_path)
    assert hardware_from("mine.yaml") == preset("coral")
    path.rename(tmp_path / "plain")
    assert hardware_from("plain") == preset("coral")


def test_a_path_that_is_not_there_is_not_taken_for_a_preset(tmp_path):
    with pytest.raises(HardwareError, match=r"gone\.yaml: cannot be read \(No such file"):
        hardware_from(str(tmp_path / "gone.yaml"))


positive = st.floats(1e-3, 1e6)
counts = st.integers(1, 1000)


NUMBERS = {f.name: counts if f.type == "int" else positive for f in fields(Hardware)}
WIDTHS = {name: st.sampled_from(allowed) for name, allowed in BITS.items()}


@given(st.builds(Hardware, **NUMBERS | WIDTHS | {"parameter_memory_mb": st.floats(0, 9e-4)}))
def test_what_is_saved_is_what_is_loaded(tmp_path_factory, hardware):
    path = tmp_path_factory.getbasetemp() / "roundtrip.yaml"
    save_hardware(hardware, path)
    assert load_hardware(path) == hardware


def test_the_datapath_constants_may_be_left_out(tmp_path):
    path = tmp_path / "seven.yaml"
    seven = list(asdict(BASELINE).items())[:7]
    path.write_text("schema_version: 1\n" + "".join(f"{k}: {v}\n" for k, v in seven))
    assert load_hardware(path) == BASELINE


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("pes_x: 4", "pesx: 4"), r":pesx is not a hardware parameter; did you mean 'pes_x'\?$"),
        (("pes_x: 4\n", ""), r":pes_x is missing$"),
        (("pes_x: 4", "pes_x: 0"), r":pes_x is 0, but it must be a number above 0"),
        (("io_gb_per_s: 20", "io_gb_per_s: -1"), r":io_gb_per_s is -1, but it must be"),
        (("io_gb_per_s: 20", "io_gb_per_s: .nan"), r":io_gb_per_s is nan, but it must be"),
        (("schema_version: 1", "schema_version: 2"), r":schema_version is 2, but .* reads 1$"),
        (("schema_version: 1\n", ""), r": has no schema_version, but .* reads schema_version 1$"),
        (
            ("pes_x: 4\n", "pes_x: 4\npes_x: 8\n"),
            r":3: pes_x stands twice, first in line 2",
        ),
        (("pes_x: 4", "pes_x: {a: 1, a: 2}"), r":2: a stands twice, first in line 2"),
        (("pes_x: 4", "pes_x: !!python/name:os.sep 4"), r":2: is not a YAML text file \("),
        (("pes_x: 4", "pes_x: [4"), r":3: is not a YAML text file \(expected ',' or ']'"),
        (("pes_x: 4", "pes_x 4"), r":3: is not a YAML text file \(could not find expected ':'"),
        (("pes_x: 4", "pes_x: [4]"), r":pes_x is \[4\], but it must be a number"),
    ],
)
def test_a_bad_file_gets_one_sentence_with_file_and_key(tmp_path, edit, message):
    path = tmp_path / "edited.yaml"
    save_hardware(BASELINE, path)
    before = path.read_text()
    path.write_text(before.replace(*edit))
    assert path.read_text() != before
    with pytest.raises(HardwareError, match=message) as refused:
        load_hardware(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds nothing, but a mapping"),
        (b"a: &a [*a]\n", "has no schema_version"),
        (b"- 1\n- 2\n", "holds a list, but a mapping"),
        (b"\xff\xfe\x00", "is not a YAML text file"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content, message):
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    with pytest.raises(HardwareError, match=message):
        load_hardware(path)


@pytest.mark.parametrize(
    ("text", "value"), [("2e1", 20), ("5E-1", 0.5), ("1.5e1", 15), (".5e1", 5)]
)
def test_a_number_may_have_an_exponent(tmp_path, text, value):
    path = tmp_path / "mine.yaml"
    save_hardware(BASELINE, path)
    path.write_text(path.read_text().replace("io_gb_per_s: 20", f"io_gb_per_s: {text}"))
    assert load_hardware(path).io_gb_per_s == value


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.yaml"
    with pytest.raises(HardwareError, match=r"x\.yaml: cannot be written \(") as refused:
        save_hardware(BASELINE, path)
    assert "\n" not in str(refused.value)


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "kept.yaml"
    save_hardware(BASELINE, path)

    def full(self, *args, **kwargs):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(HardwareError, match="No space left on device"):
        save_hardware(preset("coral"), path)
    monkeypatch.undo()
    assert load_hardware(path) == BASELINE
    assert list(tmp_path.iterdir()) == [path]
