"""Find an accelerator by gradient descent, then ask the simulator whether that is true.

The network stays as it is. Every decision about the accelerator is a probability for each of its
values; a cost model says in which direction of these the latency falls, and the temperature of
the softmax falls until each decision is made. Several starts descend side by side.

Run: python examples/relaxed_search.py MODEL.keras
after: nahas train-costmodel --space mnasnet --output MODEL.keras
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from nahas.costmodel.predicted import load_for, predicted_costs
from nahas.costmodel.relaxed import RelaxedCost
from nahas.errors import NahasError
from nahas.hardware import preset
from nahas.spaces.joint import JointSpace
from nahas.spaces.named import named
from nahas.spaces.simulated import simulate_choices
from nahas.vocabulary import Objective

NETWORK = "mnasnet:e1k3l1-e6k3l2-e6k3l3-e6k3l3-e6k3l3-e6k3l3-e6k3l1"
AREA_SHARE = 0.6
ROOM = 0.9  # descents aim below the limit, by about what a small model errs
STARTS, STEPS = 16, 150
WARM, COLD = 2.0, 0.1


def main(model_file: str) -> None:
    """Descend, make up the mind, compare with the simulator and with random accelerators."""
    joint = JointSpace(named("mnasnet"))
    model = load_for(model_file, joint, Objective.LATENCY)
    network = joint.network_space.choice_named(NETWORK)
    baseline = joint.accelerator.choice(
        {d.name: getattr(preset("edge-baseline"), d.name) for d in joint.accelerator.decisions}
    )
    reference = simulate_choices(joint, np.concatenate([network, baseline])[None])
    limit = AREA_SHARE * float(reference.area_mm2[0])
    print(f"baseline: {reference.latency_ms[0]:.3f} ms; area at most {limit:.1f} mm^2")

    rng = np.random.default_rng(0)
    descended = descend(model.relaxed(), network, ROOM * limit, rng)
    drawn = joint.accelerator.sample(STARTS, rng)
    for name, accelerators in (("gradients", descended), ("random", drawn)):
        choices = np.concatenate([np.tile(network, (STARTS, 1)), accelerators], axis=1)
        predicted, true = predicted_costs(model, choices), simulate_choices(joint, choices)
        fits = (true.reason == 0) & (true.area_mm2 <= limit)
        if not fits.any():
            print(f"{name}: none of {STARTS} accelerators runs the network within the area")
            continue
        best = np.flatnonzero(fits)[np.argmin(true.latency_ms[fits])]
        print(
            f"{name}: {true.latency_ms[best]:.3f} ms (predicted {predicted.latency_ms[best]:.3f}), "
            f"{true.area_mm2[best]:.1f} mm^2 (predicted {predicted.area_mm2[best]:.1f}), "
            f"{fits.sum()} of {STARTS} fit: {joint.accelerator.values(accelerators[best])}"
        )


def descend(
    cost: RelaxedCost, network: np.ndarray, limit_mm2: float, rng: np.random.Generator
) -> np.ndarray:
    """Accelerators [STARTS, A] at the ends of descents of latency, within an area."""
    sizes = cost.joint.network_space.space.cardinalities
    made = np.concatenate([np.eye(n)[i] for n, i in zip(sizes, network, strict=True)])
    fixed = tf.constant(np.tile(1e3 * made, (STARTS, 1)), tf.float32)
    width = int(cost.joint.accelerator.cardinalities.sum())
    free = tf.Variable(0.1 * rng.normal(size=(STARTS, width)), dtype=tf.float32)
    adam = keras.optimizers.Adam(0.1)

    @tf.function
    def step(temperature: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            costs = cost(cost.probabilities(tf.concat([fixed, free], axis=1), temperature))
            too_large = tf.nn.relu(tf.math.log(costs["area_mm2"] / limit_mm2))
            cannot_run = 1 - costs["validity"]
            loss = tf.math.log(costs["latency_ms"]) + 20 * too_large + 20 * cannot_run
        adam.apply_gradients([(tape.gradient(loss, free), free)])

    for temperature in np.geomspace(WARM, COLD, STEPS):
        step(tf.constant(temperature, tf.float32))
    return cost.likeliest(tf.concat([fixed, free], axis=1))[:, len(network) :]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the model's file: python examples/relaxed_search.py MODEL.keras")
    try:
        main(sys.argv[1])
    except NahasError as error:
        sys.exit(f"error: {error}")
