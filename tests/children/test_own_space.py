"""A user's own space: Keras model and shared weights agree with its layers; edits are noticed."""

import dataclasses

import numpy as np
import pytest

from nahas.children.operations import operations
from nahas.children.shared import SharedWeights
from nahas.children.supernet import Supernet, SupernetRecipe
from nahas.children.supernet_files import WEIGHTS, load_supernet, save_supernet
from nahas.children.train_supernet import SupernetRun, train_supernet
from nahas.errors import TrainingError
from nahas.spaces.own import network_space
from nahas.spaces.task import Task, for_task
from tests.children.test_graph import check_readings
from tests.children.test_shared import images, run_alone, vector_work
from tests.children.test_supernet import stripes
from tests.spaces.test_own import chain, mine

TASK = Task(height=8, width=8, channels=3, classes=4)


@pytest.mark.parametrize("space", [mine, chain], ids=lambda space: space.name)
def test_readings_of_random_choices_agree(space):
    small = for_task(space, TASK)
    weights = SharedWeights(small, operations())
    for choice in space.space.sample(3, np.random.default_rng(0)):
        check_readings(space.network(choice).name.replace("=", "_"), space.function(choice))
        _, builder = run_alone(small, choice, weights, images(2, TASK))
        network = small.network(choice)
        assert sum(use.parameters for use in builder.uses) == network.parameters
        assert sum(use.macs for use in builder.uses) == network.macs - vector_work(network)
    check_readings("for_a_task", small.function(choice))


def stem(on, choose):
    return on.conv(on.input(8, 8, 1), choose("filters", (4, 8)), kernel=3)


def test_operation_warm_up_leaves_out_what_has_another_shape():
    def head(on, x, choose):
        y = on.depthwise(x, kernel=choose("kernel", (3, 5)))
        return on.dense(on.global_pool(y), 2)

    dataset = stripes()
    supernet = Supernet.new(network_space(stem, head, name="mixed"), dataset.task)
    before = supernet.weights.arrays()
    mixture = supernet.warmed(
        np.ones(2, np.int64), np.random.default_rng(0), operations=1.0, filters=0.0
    )
    assert [own["filters"] for own in mixture[0]] == [8, 4]  # the first one's shape is kept
    batch = next(iter(dataset.batches("train", batch=8)))
    assert np.isfinite(supernet.step(batch, mixture, SupernetRecipe().rates(0.5), 0.1))
    after = supernet.weights.arrays()
    for name in ("00.conv0.conv3", "01.depthwise0.depthwise3", "01.depthwise0.depthwise5"):
        assert (before[f"{name}.kernel"] != after[f"{name}.kernel"]).any()


def test_shared_weights_of_a_function_that_was_edited_are_refused(tmp_path):
    def space(more):
        def head(on, x, choose):
            for _ in range(more):
                x = on.conv(x, 8, kernel=3)
            return on.dense(on.global_pool(x), 2)

        return network_space(stem, head, name="edited")

    dataset, path = stripes(), tmp_path / WEIGHTS
    recipe = SupernetRecipe(epochs=1, batch=16)
    supernet = Supernet.new(space(0), dataset.task)
    card = train_supernet(supernet, dataset, recipe, run=SupernetRun(folder=tmp_path))
    load_supernet(path, space(0), dataset.task)
    with pytest.raises(TrainingError, match="holds weights for networks"):
        load_supernet(path, space(1), dataset.task)
    save_supernet(path, supernet.weights, dataclasses.replace(card, networks_sha256=""))
    load_supernet(path, space(0), dataset.task)
    with pytest.raises(TrainingError, match=r"has no weight 01\.conv0\.conv3\.kernel"):
        load_supernet(path, space(1), dataset.task)
