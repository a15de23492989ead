"""How a child network is trained: every number that a training may choose."""

from __future__ import annotations

from dataclasses import dataclass

from nahas.errors import TrainingError

OPTIMIZERS = ("sgd", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a child is trained. With equal recipe, data, versions and threads it comes out the same.

    That holds on a CPU; a time limit alone breaks it.

    Attributes:
        epochs: passes over the train part.
        batch: images of a step.
        optimizer: 'sgd', with Nesterov's momentum, or 'rmsprop', with a decay of 0.9, an epsilon
            of 1 and momentum, as MnasNet and TuNAS train.
        learning_rate: after the warm-up; it falls to 0 along a cosine.
        warm_up: share of the steps in which the learning rate rises from 0.
        momentum: of the optimizer.
        weight_decay: share of a weight that a step takes away, times the learning rate; biases
            and normalisations are spared.
        label_smoothing: share of the label that is spread over all classes.
        dropout: share of the features that a step hides from the last layer.
        ema_decay: of the average over all steps that takes the place of the weights when they
            are measured or kept; 0 averages nothing.
        mixed_precision: compute in bfloat16 on a GPU; a CPU always computes in float32.
        augment: crop and mirror images at random.
        seed: of the weights, the order of images and their changes.

    Raises:
        TrainingError: for a value that no training can have.
    """

    epochs: int = 3
    batch: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    warm_up: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.005
    label_smoothing: float = 0.1
    dropout: float = 0.0
    ema_decay: float = 0.0
    mixed_precision: bool = False
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        rules = {
            "optimizer": (self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
            "learning_rate": (0 < self.learning_rate < float("inf"), "above 0 and finite"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "seed": (self.seed >= 0, "at least 0"),
        }
        for name in ("epochs", "batch"):
            rules[name] = (getattr(self, name) >= 1, "at least 1")
        for name in ("warm_up", "momentum", "label_smoothing", "dropout", "ema_decay"):
            rules[name] = (0 <= getattr(self, name) < 1, "at least 0 and below 1")
        for name, (kept, allowed) in rules.items():
            if not kept:
                raise TrainingError(
                    f"recipe: {name} is {getattr(self, name)!r}, but it must be {allowed}"
                )


PROXY = Recipe()
"""The proxy: few epochs, which rank networks before they are trained in full (paper notes, 6.1).
Its numbers were tuned on CIFAR-10; docs/children.md says how far it comes."""

FULL = Recipe(
    epochs=350,
    batch=128,
    optimizer="rmsprop",
    learning_rate=0.008,
    warm_up=0.014,
    weight_decay=1e-3,
    dropout=0.2,
    ema_decay=0.999,
    mixed_precision=True,
)
"""Training of a network that was found, as Google's MnasNet (paper notes, 6.1): 350 epochs of
RMSProp along a cosine, 5 of them warm-up, label smoothing 0.1, dropout 0.2, learning rate 0.064 for
batches of 1024, here 0.008 for 128. The averages' decay is for some ten thousand steps."""
