"""The Keras model of a user's own space agrees with its layers."""

import numpy as np
import pytest

from nahas.spaces.task import Task, for_task
from tests.children.test_graph import check_readings
from tests.spaces.test_own import chain, mine


@pytest.mark.parametrize("space", [mine, chain], ids=lambda space: space.name)
def test_readings_of_random_choices_agree(space):
    for choice in space.space.sample(3, np.random.default_rng(0)):
        check_readings(space.network(choice).name.replace("=", "_"), space.function(choice))
    task = for_task(space, Task(height=12, width=12, channels=1, classes=4))
    check_readings("for_a_task", task.function(choice))
