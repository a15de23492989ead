"""The accelerator space: the paper's lists, and choices that become the right hardware."""

from dataclasses import fields

import numpy as np
import pytest

from nahas.datafiles import packaged, read_mapping
from nahas.energy import area_mm2
from nahas.errors import SpaceError
from nahas.hardware import Hardware, preset
from nahas.spaces.accelerator import (
    HARDWARE_SPACES,
    accelerator_space,
    hardware,
    hardware_space_name,
)
from nahas.spaces.space import Decision, Space


def test_the_space_has_the_papers_size_and_one_hot_width():
    space = accelerator_space()
    assert space.size == 50_000
    assert space.cardinalities.sum() == 33
    assert space.cardinalities.tolist() == [5, 5, 4, 4, 5, 5, 5]


def test_decisions_are_the_first_seven_hardware_fields_in_order():
    names = [decision.name for decision in accelerator_space().decisions]
    assert names == [field.name for field in fields(Hardware)][:7]


@pytest.mark.parametrize("file", ["accelerator_space.yaml", "accelerator_space_wide.yaml"])
def test_every_list_rises_and_has_a_source(file):
    for entry in read_mapping(packaged(file))["decisions"].values():
        assert entry["values"] == sorted(set(entry["values"]))
        assert entry["source"]


def test_the_baseline_is_a_point_of_the_space():
    names = [decision.name for decision in accelerator_space().decisions]
    baseline = preset("edge-baseline")
    values = {name: getattr(baseline, name) for name in names}
    assert hardware(values) == baseline


def test_random_choices_give_the_hardware_they_name():
    space = accelerator_space()
    for choice in space.sample(50, np.random.default_rng(0)):
        values = space.values(choice)
        chip = hardware(values)
        assert {name: getattr(chip, name) for name in values} == values
        assert chip.clock_mhz == 800
        assert np.array_equal(space.choice(values), choice)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"pes_x": 3}, r"decision 'pes_x' is 3: allowed are \[1, 2, 4, 6, 8\]"),
        ({"pes": 4}, r"unknown decision 'pes'; did you mean 'pes_"),
    ],
)
def test_values_outside_the_space_are_refused(edit, message):
    space = accelerator_space()
    values = space.values(np.zeros(7, dtype=np.int64))
    with pytest.raises(SpaceError, match=message):
        hardware(values | edit)
    with pytest.raises(SpaceError, match=r"no value for decisions \['io_gb_per_s'\]"):
        hardware({name: value for name, value in values.items() if name != "io_gb_per_s"})


def test_the_wide_space_holds_the_papers_and_more_of_memories_and_datapaths():
    paper, wide = accelerator_space("paper"), accelerator_space("wide")
    assert wide.size == 200_000
    assert paper == accelerator_space()
    longer = []
    for narrow, list_of in zip(paper.decisions, wide.decisions, strict=True):
        assert narrow.name == list_of.name
        assert set(narrow.values) <= set(list_of.values)
        if narrow != list_of:
            longer.append(narrow.name)
    assert longer == ["simd_units", "local_memory_mb"]


def test_the_tables_hold_every_corner_of_the_wide_space():
    wide = accelerator_space("wide")
    for corner in (0, -1):
        values = {decision.name: decision.values[corner] for decision in wide.decisions}
        assert area_mm2(hardware(values, wide)) > 0
    with pytest.raises(SpaceError, match="decision 'simd_units' is 2048: allowed are"):
        hardware(values)


def test_hardware_spaces_have_the_names_that_users_type():
    assert HARDWARE_SPACES == ("paper", "wide")
    for name in HARDWARE_SPACES:
        assert hardware_space_name(accelerator_space(name)) == name
    assert accelerator_space().name == "accelerator"  # in studies since before there were two
    assert hardware_space_name(Space("mine", (Decision("d", (1,)),))) == "mine"
    with pytest.raises(
        SpaceError,
        match=r"unknown hardware space 'wid'; did you mean 'wide'\? \(known are paper, wide\)",
    ):
        accelerator_space("wid")
