"""What trains on small images is, layer by layer, what the layer reading says of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.spaces.named import NAMES, named
from nahas.spaces.task import Task, for_task
from tests.children.test_graph import check_readings

TASKS = st.builds(
    Task,
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    channels=st.sampled_from([1, 3]),
    classes=st.integers(2, 12),
    least_map=st.integers(1, 8),
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=1)
@given(task=TASKS, seed=st.integers(0, 2**32))
def test_readings_of_random_choices_for_random_tasks_agree(name, task, seed):
    space = for_task(named(name), task)
    (choice,) = space.space.sample(1, np.random.default_rng(seed))
    check_readings(space.network(choice).name, space.function(choice))
