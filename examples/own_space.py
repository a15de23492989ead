"""Declare a space of one's own in a few lines, and search it together with the accelerator.

The network chooses its depth, and for each block that is there its kind; a bottleneck chooses its
kernel and expansion too. The score here is made up: it only shows how one gives accuracies of
one's own. With images, accuracies are measured:

    nahas cosearch --space examples/own_space.py:tiny --accuracy train --data fashion-mnist

Run: python examples/own_space.py [TRIALS]
"""

import sys

import numpy as np

from nahas.problem import Search, problem_of
from nahas.spaces.blocks import Bottleneck, ibn
from nahas.spaces.own import network_space
from nahas.strategies import searched


def stem(on, choose):
    """The first part of a chain begins the network."""
    return on.conv(on.input(32, 32, 3), choose("width", (16, 24, 32), widths=True), kernel=3)


def blocks(on, x, choose):
    """A later part reads the tensor of the one before it."""
    width = on.channels(x)
    for block in range(choose("depth", (2, 3, 4))):
        if choose(f"kind{block}", ("plain", "bottleneck")) == "plain":
            x = on.conv(x, width, kernel=3)
        else:
            kernel = choose(f"kernel{block}", (3, 5))
            expansion = choose(f"expansion{block}", (2, 4), widths=True)
            shape = Bottleneck(filters=width, kernel=kernel, expansion=expansion, stride=1)
            x = ibn(on, x, shape)
    return on.pool(x, kernel=2, stride=2)


def head(on, x, _choose):
    """A part may choose nothing."""
    return on.dense(on.global_pool(x), 10)


tiny = network_space(stem, blocks, head, name="tiny", reference={"depth": 3})


class MadeUp:
    """Any object with a label and this function gives accuracies, of choices [B, D]."""

    label = "a made-up score that grows with parameters; no accuracy"

    def accuracy(self, choices: np.ndarray) -> np.ndarray:
        """A score of each network [B]."""
        return np.array([10 * np.log10(tiny.network(choice).parameters) for choice in choices])


def main(trials: int) -> None:
    """Show the space, then search it."""
    for decision in tiny.space.decisions:
        print(f"decision {decision.name}: {', '.join(map(str, decision.values))}")
    drawn = tiny.space.sample(1000, np.random.default_rng(0))
    print(
        f"{tiny.space.size:,} choices; of a random one {tiny.applicable(drawn).mean():.0%} applies"
    )
    search = Search(trials=trials, latency="2x", area="1x", seed=0)
    found = searched(problem_of(search, accuracy=MadeUp(), network_space=tiny), search)
    print(f"score: {found.accuracy_label}")
    for name, design in (("baseline", found.baseline), *(("best", d) for d in found.best[:1])):
        print(
            f"{name}: {design.accuracy:.2f}, {design.latency_ms:.4f} ms, "
            f"{design.area_mm2:.1f} mm^2, {design.network}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
