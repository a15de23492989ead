"""A cost model in the simulator's place: its predictions in the form of simulated costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nahas.cost import DesignCosts
from nahas.costmodel.model import CostModel, load
from nahas.energy import Tables
from nahas.errors import CostModelError
from nahas.spaces.joint import JointSpace
from nahas.spaces.space import ChoiceArray
from nahas.vocabulary import Objective, Reason

NOT_LEARNED = "not learned"
"""What the card says of validity where some designs cannot run and the model cannot tell."""

RUNS = 0.5
"""Probability from which on a design counts as one that can run."""


def load_for(
    path: str | Path, joint: JointSpace, objective: Objective, tables: Tables | None = None
) -> CostModel:
    """Read a cost model for searches of this space with this simulator.

    Raises:
        CostModelError: as `model.load`, and when the model learned mappings of another objective,
            or not which designs can run though some cannot.
    """
    model = load(path, joint, tables)
    if model.card.objective is not objective:
        learned, asked = model.card.objective.name.lower(), objective.name.lower()
        raise CostModelError(
            f"{path}: learned the costs of mappings for objective '{learned}', but the search asks "
            f"for '{asked}': pass --objective {learned}, or train another with "
            "'nahas train-costmodel'"
        )
    if model.card.validity == NOT_LEARNED:
        raise CostModelError(
            f"{path}: takes every design for one that can run (validity '{NOT_LEARNED}'), though "
            "some of its samples cannot: train another with --validity auto, or on more samples"
        )
    return model


def predicted_costs(model: CostModel, choices: ChoiceArray) -> DesignCosts:
    """Costs of choices [B, D] as a model has them; parameters are counted, not predicted.

    What the model thinks cannot run has infinite latency and energy and `Reason.PREDICTED`, as
    the simulator would have it.

    Raises:
        SpaceError: when the choices are not of the model's space.
    """
    predicted = model.predict(choices)
    runs = predicted.validity >= RUNS
    networks, _ = model.joint.split(choices)
    return DesignCosts(
        latency_ms=np.where(runs, predicted.latency_ms, np.inf),
        energy_mj=np.where(runs, predicted.energy_mj, np.inf),
        area_mm2=predicted.area_mm2,
        parameters=model.joint.network_tables.of(networks).parameters,
        reason=np.where(runs, Reason.OK, Reason.PREDICTED).astype(np.int64),
    )
