"""How a cost model is made: every number that a training run may choose."""

from __future__ import annotations

from dataclasses import dataclass

from nahas.errors import CostModelError
from nahas.vocabulary import Objective

HIDDEN = (256, 256, 256)
"""Units of the hidden layers (paper notes, section 5: recollection of low certainty)."""

VALIDITY = ("auto", "required", "off")
"""Whether the model says if a design can run: where samples allow it, always, or never."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a cost model is made; with the same seed and versions it comes out the same on a CPU.

    Only a time limit breaks that: how far a run comes in it depends on the machine.

    Attributes:
        samples: designs to draw.
        seed: of the draw, the split, the weights and the order of learning.
        objective: what the simulator's mapper minimises.
        members: models of an ensemble, each with its own weights and order of learning.
        validity: one of `VALIDITY`.
        hidden: units of the hidden layers.
        activation: of the hidden layers, by its Keras name.
        dropout: share of hidden units left out of a training step.
        epochs: passes over the training rows.
        batch: rows of one step.
        learning_rate: of AdamW, after the warm-up; it falls to 0 along a cosine.
        warm_up: share of the run in which the learning rate rises from 0.
        weight_decay: of AdamW; 0 is Adam.
        huber: deviations up to which an error counts by its square, beyond it by its size.
        patience: epochs without a better validation loss that end a member's run.
        steps: training steps of one call of the compiled function.
        time_limit_s: seconds of learning for all members; the learning rate reaches 0 by then.

    Raises:
        CostModelError: for a value that no run can have.
    """

    samples: int = 20_000
    seed: int = 0
    objective: Objective = Objective.LATENCY
    members: int = 1
    validity: str = "auto"
    hidden: tuple[int, ...] = HIDDEN
    activation: str = "silu"
    dropout: float = 0.0
    epochs: int = 60
    batch: int = 256
    learning_rate: float = 4e-3
    warm_up: float = 0.02
    weight_decay: float = 0.0
    huber: float = 0.1
    patience: int = 30
    steps: int = 100
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        rules = {
            "hidden": (bool(self.hidden) and min(self.hidden) >= 1, "units of one layer or more"),
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "huber": (self.huber > 0, "above 0"),
            "dropout": (0 <= self.dropout < 1, "at least 0 and below 1"),
            "warm_up": (0 <= self.warm_up < 1, "at least 0 and below 1"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "validity": (self.validity in VALIDITY, f"one of {', '.join(VALIDITY)}"),
            "time_limit_s": (self.time_limit_s is None or self.time_limit_s > 0, "above 0"),
        }
        for name in ("samples", "members", "epochs", "batch", "patience", "steps"):
            rules[name] = (getattr(self, name) >= 1, "at least 1")
        for name, (kept, allowed) in rules.items():
            if not kept:
                raise CostModelError(f"{name} is {getattr(self, name)!r}: it must be {allowed}")
