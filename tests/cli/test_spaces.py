"""Every space of nahas can be searched and its networks simulated by name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nahas.problem import REFERENCES, Search, problem_of
from nahas.spaces.named import NAMES, named
from nahas.strategies import searched
from tests.cli.conftest import Nahas
from tests.fakes import FakeAccuracy


def test_every_space_has_a_reference() -> None:
    assert tuple(REFERENCES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_search_sets_out_from_the_reference_and_names_what_it_finds(name: str) -> None:
    # PPO where decisions do not all apply; it takes seconds to begin.
    controller = "ppo" if name == "s3-groups" else "random"
    search = Search(space=name, controller=controller, trials=12, batch=4, latency="4x", area=None)
    result = searched(problem_of(search, accuracy=FakeAccuracy()), search)
    assert result.baseline.network == REFERENCES[name]
    assert len(result.trials) == 12
    assert np.isfinite(result.trials.accuracy).all()
    space = named(name)
    for design in result.best:
        choice = space.choice_named(design.network)
        assert space.network(choice).name == design.network


@pytest.mark.parametrize("name", NAMES)
def test_its_networks_are_simulated_by_name(nahas: Nahas, name: str) -> None:
    ran = nahas("simulate", REFERENCES[name], "--json")
    assert ran.code == 0
    space = named(name)
    network = space.network(space.choice_named(REFERENCES[name]))
    assert json.loads(ran.out)["total"]["macs"] == network.macs
