"""The Keras model of a user's own space, and its shared weights, agree with its layers."""

import numpy as np
import pytest

from nahas.children.operations import operations
from nahas.children.shared import SharedWeights
from nahas.spaces.task import Task, for_task
from tests.children.test_graph import check_readings
from tests.children.test_shared import images, run_alone, vector_work
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
