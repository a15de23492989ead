"""Shared weights: a path takes what its network has, and computes what it computes alone.

All of it holds on each backend of Keras that has operations; KERAS_BACKEND says which is tested.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.children import shared
from nahas.children.graph import keras_model
from nahas.children.operations import Rates, operations, same_padding
from nahas.children.quiet import import_keras
from nahas.children.shared import SharedBuilder, SharedWeights, run_links, survey
from nahas.spaces.blocks import Bottleneck, conv, fused_ibn, ibn
from nahas.spaces.builder import read_layers
from nahas.spaces.named import named
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.space import Decision, Space
from nahas.spaces.task import Task, for_task

SMALL = Task(height=8, width=8, channels=3, classes=4)
ON = operations()
SPACES = ("macro", "s1", "mnasnet", "s2", "s3", "s3-groups", "s3-scaled")


def images(count=6, task=SMALL, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, task.height, task.width, task.channels)).astype(np.float32)


def one_link(read=lambda values: values):
    """A space of a user: everything in one link, without parts."""

    def build(on, _, values):
        values = read(values)
        x = conv(on, on.input(16, 16, 3), 8, 3, 2)
        shape = Bottleneck(
            filters=8 if values["skip"] else 12, kernel=values["kernel"], expansion=values["width"]
        )
        x = ibn(on, x, shape)
        if values["twice"]:
            x = on.pool(x, kernel=2, stride=1, mode="average")
            x = on.activation(on.conv(x, 16, groups=values["groups"], part="again"), "hard_swish")
        return on.dense(on.global_pool(x), 4)

    decisions = (
        Decision("kernel", (3, 5)),
        Decision("width", (1, 2, 4), widths=True),
        Decision("skip", (False, True)),
        Decision("twice", (False, True)),
        Decision("groups", (1, 2)),
    )
    names = tuple(decision.name for decision in decisions)
    space = Space("own", decisions)
    return NetworkSpace(space, (Link(names, build),), lambda v: str(v), lambda _: None)


def fused_link():
    """A space of a bottleneck that is fused, of several groups, or not."""

    def build(on, _, values):
        x = conv(on, on.input(16, 16, 3), 8, 3, 2)
        shape = Bottleneck(filters=8, kernel=values["kernel"], expansion=2, groups=2, squeezed=4)
        x = fused_ibn(on, x, shape) if values["fused"] else ibn(on, x, shape)
        return on.dense(on.global_pool(x), 4)

    decisions = (Decision("kernel", (3, 5)), Decision("fused", (True, False)))
    links = (Link(("kernel", "fused"), build),)
    return NetworkSpace(Space("fused", decisions), links, lambda v: str(v), lambda _: None)


def run_alone(space, choice, weights, batch):
    """A network's logits, and the builder that ran it."""
    values = space.space.values(choice)
    mixture = [[{name: values[name] for name in link.decisions}] for link in space.links]
    builder = SharedBuilder(weights, batch)
    return run_links(builder, space.links, mixture), builder


keras = import_keras()


class Outline(NamedTuple):
    """A feature map of which only the shape is known."""

    height: int
    width: int
    channels: int

    @property
    def shape(self):
        return tuple(self)

    def __add__(self, other):
        assert self == other
        return self

    def __mul__(self, gate):
        assert gate == (1, 1, self.channels)
        return self


class Outlines:
    """Operations, and weights, that know shapes alone, so that large spaces cost nothing."""

    def __init__(self):
        self.on = self

    def cut(self, _name, shape):
        return shape

    def images(self, _images, height, width):
        return Outline(height, width, 3)

    def shape(self, x):
        return x

    def conv(self, x, kernel, *, stride, groups, **_):
        assert kernel[2] * groups == x.channels
        return Outline(-(-x.height // stride), -(-x.width // stride), kernel[3])

    def depthwise(self, x, kernel, *, stride, **_):
        assert kernel[2:] == (x.channels, 1)
        return Outline(-(-x.height // stride), -(-x.width // stride), x.channels)

    def normalize(self, x, scale, offset):
        assert scale == offset == (x.channels,)
        return x

    def bias(self, x, bias):
        assert bias == (x.channels,)
        return x

    def dense(self, x, kernel, bias):
        assert kernel == (x.channels, *bias)
        return Outline(1, 1, *bias)

    def pool(self, x, *, stride, **_):
        return Outline(-(-x.height // stride), -(-x.width // stride), x.channels)

    def global_pool(self, x):
        return Outline(1, 1, x.channels)

    def activation(self, x, _name):
        return x


@cache
def space_of(name):
    """A space read for the small task."""
    return one_link() if name == "own" else for_task(named(name), SMALL)


@cache
def survey_of(name):
    """The largest shapes of its weights."""
    return survey(space_of(name))


@settings(max_examples=10)
@pytest.mark.parametrize("name", [*SPACES, "own"])
@given(seed=st.integers(0, 10_000))
def test_a_path_takes_the_weights_of_its_network_and_no_others(name, seed):
    space = space_of(name)
    choice = space.space.sample(1, np.random.default_rng(seed))[0]
    _, builder = run_alone(space, choice, Outlines(), None)
    network = read_layers("network", space.function(choice))
    assert sum(use.parameters for use in builder.uses) == network.parameters
    assert sum(use.macs for use in builder.uses) == network.macs - vector_work(network)
    taken = [key for use in builder.uses for key in zip(use.weights, use.shapes, strict=True)]
    assert len(taken) == len(set(taken)), "two layers of one network share a weight"
    assert set(taken) == set(builder.taken)
    if name != "s3-scaled":  # whose survey takes seconds
        assert all(np.less_equal(shape, survey_of(name)[of]).all() for of, shape in taken)


class TestSharing:
    """What two networks of one position share: the weights that both take some of."""

    @staticmethod
    def shared(*blocks):
        """The second block of `s3-groups`, as each of two networks has it."""
        space, taken = space_of("s3-groups"), []
        for block in blocks:
            network = "-".join(["e3k3", block, *["e6k3"] * 14])
            choice = space.choice_named(f"s3-groups:{network}")
            _, builder = run_alone(space, choice, Outlines(), None)
            weights = {weight for use in builder.uses for weight in use.weights}
            taken.append({weight for weight in weights if weight.startswith("02.")})
        return {weight.split(".", 1)[1] for weight in set.intersection(*taken)}

    def test_kernels_of_a_bottleneck_share_both_its_convolutions(self):
        parts = {name.split(".")[0] for name in self.shared("e6k3", "e6k5")}
        assert parts == {"expand0", "project0"}

    def test_widths_share_all(self):
        for narrow, wide in (("e3k5x0.5", "e6k5x1.5"), ("fe3k5g2", "fe6k5x0.5g2")):
            assert self.shared(narrow, wide) == self.shared(narrow, narrow)

    @pytest.mark.parametrize("other", ["e6k3", "fe6k5", "fe6k3g2"])
    def test_other_expansions_share_no_projection(self, other):
        """It would read features that have nothing in common but their number."""
        assert self.shared("fe6k3", other) == set()


def vector_work(network):
    """What `Network.macs` counts for layers without weights."""
    return sum(layer.macs for layer in network.layers if not layer.parameters)


@pytest.mark.parametrize("name", ["macro", "mnasnet", "fused", "own"])
def test_a_path_computes_what_its_network_computes_alone(name):
    space = fused_link() if name == "fused" else space_of(name)
    weights = SharedWeights(space, ON, arrays={})  # which grow as they are met
    rng = np.random.default_rng(1)
    for choice in space.space.sample(1 if name == "mnasnet" else 2, rng):
        size = 16 if name in ("own", "fused") else 8
        batch = images(6, Task(height=size, width=size, channels=3, classes=4))
        logits, builder = run_alone(space, choice, weights, batch)
        model = keras_model(space.function(choice))
        taken = iter([ON.array(builder.taken[key]) for key in builder.taken])
        for layer in model.layers:
            for weight in layer.trainable_weights:
                weight.assign(next(taken))
        alone = keras.ops.convert_to_numpy(model(batch, training=True))
        largest = float(np.abs(alone).max())
        assert ON.array(logits) == pytest.approx(alone, abs=1e-3 * largest)


class TestSurvey:
    def test_finds_the_largest_of_every_weight(self):
        shapes = survey_of("s1")
        assert shapes["03.expand0.conv1.kernel"] == (1, 1, 24, 144)
        assert shapes["03.depthwise0.depthwise7.kernel"] == (7, 7, 144, 1)
        assert shapes["18.dense0.dense.kernel"] == (1280, 4)

    def test_of_too_many_combinations_looks_at_the_edges(self, monkeypatch):
        whole = survey(one_link())
        monkeypatch.setattr(shared, "MOST_READINGS", 10)
        monkeypatch.setattr(shared, "RANDOM_READINGS", 5)
        assert survey(one_link()) == whole

    def test_what_it_has_not_met_grows_and_keeps_what_is_there(self, monkeypatch):
        monkeypatch.setattr(shared, "MOST_READINGS", 1)
        monkeypatch.setattr(shared, "RANDOM_READINGS", 0)
        narrow = one_link(lambda values: {**values, "width": 1 + values["kernel"] % 3 // 2})
        weights = SharedWeights(narrow, ON)
        name, task = "00.project0.conv1.kernel", Task(height=16, width=16, channels=3, classes=4)
        choice = narrow.space.choice(
            {"kernel": 5, "width": 1, "skip": True, "twice": True, "groups": 2}
        )
        before = {key: ON.array(value) for key, value in weights.variables.items()}
        wide = one_link()
        wanted = wide.space.choice(
            {"kernel": 5, "width": 4, "skip": True, "twice": True, "groups": 2}
        )
        _, builder = run_alone(narrow, choice, weights, images(2, task))
        weights.update(
            builder.taken, [on * 1.0 for on in builder.taken.values()], Rates(0, 0.9, 0.9)
        )
        run_alone(wide, wanted, weights, images(2, task))
        grown = ON.array(weights.variables[name])
        assert grown.shape[2] == 32 > before[name].shape[2]
        kept = before[name].shape
        assert (grown[:, :, : kept[2], : kept[3]] == before[name]).all()
        assert {tuple(slot.shape) for slot in weights.slots[name]} == {grown.shape}

    def test_weights_depend_on_seed_and_name_alone(self):
        first, second, other = (SharedWeights(one_link(), ON, seed).arrays() for seed in (3, 3, 4))
        name = "00.expand0.conv1.kernel"
        assert (first[name] == second[name]).all()
        assert (first[name] != other[name]).any()


class TestOperations:
    def test_gradients_are_slopes(self):
        on, space = ON, one_link()
        weights = SharedWeights(space, on)
        batch = images(4, Task(height=16, width=16, channels=3, classes=4))
        labels = np.array([0, 1, 2, 3], np.int32)
        choice = np.array([1, 1, 0, 1, 1])

        def forward():
            logits, builder = run_alone(space, choice, weights, batch)
            forward.keys = list(builder.taken)
            return on.loss(logits, labels, 0.1), list(builder.taken.values())

        loss, _, gradients = on.gradients(forward)
        of = dict(zip(forward.keys, gradients, strict=True))
        name = "00.dense0.dense.kernel"
        slope = on.array(of[name, (16, 4)])[3, 2]
        array = weights.arrays()
        array[name][3, 2] += 1e-2
        weights.assign(array)
        changed, _, _ = on.gradients(forward)
        assert (changed - loss) / 1e-2 == pytest.approx(slope, rel=0.05, abs=2e-4)

    @pytest.mark.parametrize("decay", [None, 0.9])
    @pytest.mark.parametrize("part", [(4, 3), (2, 3)])
    def test_updates_are_those_of_the_equations(self, decay, part):
        on, rng = ON, np.random.default_rng(0)
        start = rng.standard_normal((4, 3))
        variable = on.variable(start)
        slots = tuple(on.variable(np.zeros((4, 3))) for _ in range(1 if decay is None else 2))
        value, moment, square = start.copy(), np.zeros((4, 3)), np.zeros((4, 3))
        inside = tuple(slice(length) for length in part)
        for rate in (0.5, 0.2):
            gradient = rng.standard_normal(part)
            on.update(
                [variable],
                [on.cut(on.variable(gradient), part)],
                [slots],
                Rates(rate, 0.8, decay, l2=0.01),
            )
            step = gradient + 0.01 * value[inside]
            if decay is not None:
                square[inside] = decay * square[inside] + (1 - decay) * step**2
                step = step / np.sqrt(square[inside] + 1.0)
            moment[inside] = 0.8 * moment[inside] + rate * step
            value[inside] -= moment[inside]
        assert on.array(variable) == pytest.approx(value, abs=1e-5)

    def test_sums_what_operations_take_of_one_weight(self):
        on = ON
        parts = [on.variable(np.ones((2, 1))), on.variable(np.full((1, 3), 2.0))]
        assert on.array(on.summed(parts, (2, 3))).tolist() == [[3, 2, 2], [1, 0, 0]]

    def test_resizes_images_that_a_network_reads_otherwise(self):
        on = ON
        assert on.shape(on.images(images(2), 12, 10)) == (12, 10, 3)
        assert on.shape(on.images(images(2), 8, 8)) == (8, 8, 3)

    @pytest.mark.parametrize(("kernel", "stride", "groups"), [(3, 2, 1), (5, 1, 2), (2, 2, 1)])
    def test_convolves_and_pools_as_keras_does(self, kernel, stride, groups):
        on, batch = ON, images(2)[..., :2]
        weight = np.random.default_rng(0).standard_normal((kernel, kernel, 2 // groups, 4))
        weight = weight.astype(np.float32)
        x = on.images(batch, 8, 8)
        made = on.conv(x, on.variable(weight), stride=stride, groups=groups, dilation=1)
        layer = keras.layers.Conv2D(4, kernel, stride, "same", groups=groups, use_bias=False)
        layer.build(batch.shape)
        layer.set_weights([weight])
        assert map_of(on, made) == pytest.approx(keras.ops.convert_to_numpy(layer(batch)), abs=1e-4)
        for mode, pool in (("max", "MaxPooling2D"), ("average", "AveragePooling2D")):
            if mode == "average" and on.name == "torch":
                continue  # Keras itself counts what it pads there, unlike on TensorFlow
            pooled = on.pool(x, kernel=kernel, stride=stride, mode=mode)
            expected = getattr(keras.layers, pool)(kernel, stride, "same")(batch)
            assert map_of(on, pooled) == pytest.approx(
                keras.ops.convert_to_numpy(expected), abs=1e-5
            )


def map_of(on, x):
    """A feature map as [B, H, W, C]."""
    array = on.array(x)
    return array if on.name == "tensorflow" else array.transpose(0, 2, 3, 1)


def test_pads_as_tensorflow():
    assert same_padding(8, 3, 2, 1) == (0, 1)
    assert same_padding(7, 5, 1, 2) == (4, 4)
    assert math.prod(same_padding(8, 1, 2, 1)) == 0


def test_the_operations_are_those_of_kerass_backend():
    assert operations().name == keras.backend.backend()
