"""Layers of a batch of networks, gathered from links, are those of networks built one by one."""

import sys
from dataclasses import fields, replace
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.errors import NetworkError, SpaceError
from nahas.network import stacked
from nahas.simulate import simulate_designs
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import NAMES, named
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.simulated import BLOCK, simulate_choices
from nahas.spaces.space import Decision, Space
from nahas.spaces.tables import LayerTables
from nahas.vocabulary import Objective


def check_tables(space, choices):
    networks = [space.network(row) for row in choices]
    expected = stacked([network.table for network in networks])
    found = LayerTables(space).of(choices)
    for field in fields(expected):
        assert np.array_equal(getattr(expected, field.name), getattr(found.layers, field.name))
    assert found.parameters.tolist() == [network.parameters for network in networks]
    rows = [row.tobytes() for row in expected.rows]
    numbers = dict(zip(rows, found.numbers.tolist(), strict=True))
    assert [numbers[row] for row in rows] == found.numbers.tolist()
    assert len(set(numbers.values())) == len(numbers)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_gathered_layers_are_those_of_the_networks(name, seed, count):
    space = named(name)
    check_tables(space, space.space.sample(count, np.random.default_rng(seed)))


def widths():
    """Links whose width depends on the one before, that add nothing, and that only make input."""

    def add(on, x, values):
        return on.conv(x, on.channels(x) * values["times"], kernel=3)

    def maybe(on, x, values):
        return on.add(x, on.conv(x, on.channels(x))) if values["again"] else x

    links = (
        Link(("side",), lambda on, _, values: on.input(values["side"], values["side"], 3)),
        Link(("times",), add),
        Link(("again",), maybe),
        Link((), lambda on, x, _: on.conv(x, 8)),
    )
    decisions = (
        Decision("side", (8, 16)),
        Decision("times", (1, 2, 3)),
        Decision("again", (False, True)),
    )
    return NetworkSpace(Space("widths", decisions), links, str, lambda _: None)


def test_a_link_is_read_again_for_another_shape():
    space = widths()
    every = np.stack(np.unravel_index(np.arange(12), (2, 3, 2)), axis=1)
    check_tables(space, every)
    tables = LayerTables(space)
    tables.of(every[:1])
    known = tables.of(every[-1:]).layers.rows
    assert np.array_equal(known, space.network(every[-1]).table.rows)


def test_an_interrupt_while_a_link_is_read_leaves_nothing_wrong():
    space = named("mnasnet")
    choices = space.space.sample(6, np.random.default_rng(2))
    tables, whole = LayerTables(space), LayerTables(space).of(choices)
    for moment in range(40):
        calls = iter(range(moment + 1))
        broken = [replace(link, build=_interrupted(link.build, calls)) for link in space.links]
        tables._space = replace(space, links=tuple(broken))
        try:
            found = tables.of(choices)
        except KeyboardInterrupt:
            continue
        assert np.array_equal(found.layers.rows, whole.layers.rows)
        assert np.array_equal(found.layers.operands, whole.layers.operands)
        break
    else:
        raise AssertionError("it never came to an end")


def _interrupted(build, calls):
    def stopped(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return build(*arguments)

    return stopped


def test_threads_share_what_is_known():
    space = named("mnasnet")
    choices = space.space.sample(60, np.random.default_rng(3))
    expected = LayerTables(space).of(choices).parameters
    tables, every = LayerTables(space), []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            Thread(target=lambda: every.append(tables.of(choices).parameters)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(every) == 4
    assert all(np.array_equal(found, expected) for found in every)


def test_no_networks_have_no_layers():
    found = LayerTables(named("macro")).of(np.zeros((0, 8), np.int64))
    assert found.layers.starts.tolist() == [0]
    assert len(found.layers.rows) == len(found.parameters) == 0


def test_one_choice_stands_for_every_different_network():
    space = named("macro")
    every = np.stack(np.unravel_index(np.arange(6561), (3,) * 8), axis=1)
    rows = LayerTables(space).different(every)
    some = np.random.default_rng(5).choice(len(every), 300, replace=False)
    built = [space.network(every[row]) for row in np.concatenate([rows, some])]
    shapes = [
        (tuple(layer.row for layer in net.layers), net.inputs, net.parameters) for net in built
    ]
    assert len(set(shapes[: len(rows)])) == len(rows) < len(every)
    assert set(shapes[len(rows) :]) <= set(shapes[: len(rows)])
    assert np.all(np.diff(rows) > 0)


def test_choices_of_another_space_are_refused():
    with pytest.raises(SpaceError, match="has 8 decisions"):
        LayerTables(named("macro")).of(np.zeros((1, 7), np.int64))


def test_a_link_that_cannot_be_simulated_is_named():
    def wide(on, x, _):
        return on.conv(x, 2**21)

    first = Link((), lambda on, *_: on.input(8, 8, 3))
    space = NetworkSpace(
        Space("wide", (Decision("one", (1,)),)), (first, Link(("one",), wide)), str, lambda _: None
    )
    with pytest.raises(NetworkError, match=r"'wide one'.*too large to count"):
        LayerTables(space).of(np.zeros((1, 1), np.int64))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("objective", [Objective.LATENCY, Objective.EDP])
def test_costs_are_those_of_the_designs_one_by_one(name, objective):
    joint = JointSpace(named(name))
    choices = joint.space.sample(24, np.random.default_rng(3))
    choices[12:, -7:] = choices[:12, -7:]  # accelerators twice, so that layers are shared
    expected = simulate_designs(*joint.designs(choices), objective)
    found = simulate_choices(joint, choices, objective)
    for field in fields(expected):
        assert np.array_equal(getattr(expected, field.name), getattr(found, field.name))


def test_costs_stand_in_the_order_of_the_choices_over_several_blocks():
    joint = JointSpace(named("macro"))
    few = joint.space.sample(7, np.random.default_rng(4))
    many = np.tile(few, (BLOCK // 7 + 2, 1))
    once, often = simulate_choices(joint, few), simulate_choices(joint, many)
    assert np.array_equal(often.latency_ms, np.resize(once.latency_ms, len(many)))
    assert len(simulate_choices(joint, few[:0]).latency_ms) == 0
