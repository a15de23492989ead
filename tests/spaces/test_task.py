"""Networks read for other images."""

from __future__ import annotations

import numpy as np
import pytest

from nahas import networks
from nahas.errors import NetworkError, SpaceError
from nahas.spaces.builder import read_layers
from nahas.spaces.named import NAMES, named
from nahas.spaces.own import network_space
from nahas.spaces.task import Task, for_task, function_for_task

CIFAR = Task(height=32, width=32, channels=3, classes=10)


@pytest.mark.parametrize("name", networks.NAMES)
def test_fixed_networks_classify_small_images(name: str) -> None:
    network = read_layers(name, function_for_task(networks.function(name), CIFAR))
    last = network.layers[-1]
    assert (last.k, last.p, last.q) == (10, 1, 1)
    assert min(layer.p for layer in network.layers[:-3] if layer.r == layer.s == 3) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_networks_of_spaces_classify_small_images(name: str) -> None:
    space = for_task(named(name), Task(height=28, width=28, channels=1, classes=7))
    for choice in space.space.sample(5, np.random.default_rng(0)):
        network = space.network(choice)
        assert network.layers[-1].k == 7
        assert network.layers[0].c == 1
        pooled = next(layer for layer in network.layers[::-1] if layer.name.endswith("global_pool"))
        assert pooled.r >= 2


def test_strides_of_the_first_layers_are_left_out_first() -> None:
    function = networks.function("mobilenet-v2")
    strides = {
        least: [
            layer.stride_p
            for layer in read_layers(
                "small",
                function_for_task(
                    function, Task(height=32, width=32, channels=3, classes=10, least_map=least)
                ),
            ).layers
            if layer.stride_p > 1 or layer.name == "0_conv_3x3"
        ]
        for least in (1, 2, 4)
    }
    assert strides == {1: [2] * 5, 2: [1] + [2] * 4, 4: [1] + [2] * 3}


@pytest.mark.parametrize(("resolution", "side"), [(224, 32), (240, 34), (260, 37), (300, 43)])
def test_a_child_alone_reads_images_as_large_as_in_its_space(resolution: int, side: int) -> None:
    space = named("s3-scaled")
    values = {**space.space.values(space.reference_choice), "resolution": resolution}
    function = networks.function(space.network_name(values))
    alone = read_layers("child", function_for_task(function, CIFAR)).layers
    assert alone[0].p == alone[0].q == side
    assert alone == for_task(space, CIFAR).network(space.space.choice(values)).layers


def test_the_task_of_the_space_changes_nothing() -> None:
    space = named("macro")
    same = for_task(space, CIFAR)
    for choice in space.space.sample(20, np.random.default_rng(1)):
        assert same.network(choice) == space.network(choice)


@pytest.mark.parametrize(
    ("field", "value"),
    [("height", 0), ("width", -1), ("channels", 0), ("classes", 1), ("least_map", 0)],
)
def test_impossible_tasks_are_refused(field: str, value: int) -> None:
    given = {"height": 32, "width": 32, "channels": 3, "classes": 10} | {field: value}
    with pytest.raises(NetworkError, match=field):
        Task(**given)


def strided(on, choose):
    x = on.conv(on.input(32, 32, 3), 16, kernel=3)
    for _ in range(choose("depth", (1, 3, 5))):
        x = on.conv(x, 16, kernel=3, stride=2)
    return on.dense(on.global_pool(x), 10)


def test_networks_that_would_leave_out_other_strides_are_refused() -> None:
    space = network_space(strided)
    large, small = (Task(height=side, width=side, channels=3, classes=10) for side in (64, 16))
    for index in range(3):
        choice = np.array([index])
        alone = read_layers("alone", function_for_task(space.function(choice), large))
        assert read_layers("alone", for_task(space, large).function(choice)) == alone
    for_task(space, small).network(np.array([1]))  # 8 times instead of 2: nothing is left out
    with pytest.raises(SpaceError, match="shrink images 32 times instead of 2, so on images of 16"):
        for_task(space, small).network(np.array([2]))


def test_images_smaller_than_the_last_map_are_refused() -> None:
    with pytest.raises(NetworkError, match="1 x 32 pixels are smaller"):
        Task(height=1, width=32, channels=3, classes=10)
