"""A simulator of four lines, smooth enough to learn from few designs."""

import numpy as np

from nahas.cost import DesignCosts
from nahas.spaces.conditions import Condition, Conditions
from nahas.spaces.joint import JointSpace
from nahas.spaces.networks import Link, NetworkSpace
from nahas.spaces.space import Decision, Space

INPUT = Link((), lambda on, *_: on.input(4, 4, 1))


def tiny_joint(name="tiny", kernels=(3, 5)):
    """Two network decisions, of which `kernel` changes nothing where `depth` is 0."""

    def layers(on, x, values):
        for _ in range(values["depth"]):
            x = on.conv(x, 8, kernel=values["kernel"])
        return x

    decisions = (Decision("depth", (0, 1, 2)), Decision("kernel", kernels))
    link = Link(("depth", "kernel"), layers)
    space = Space(name, decisions)
    used = Conditions(space, (Condition("kernel", "depth", (1, 2)),))
    return JointSpace(NetworkSpace(space, (INPUT, link), str, never, used))


def never(*_):
    raise AssertionError("a cost model's samples are labelled by the fake")


def joint_of(networks, accelerators):
    """Decisions of these numbers of values; each of a network's is the width of a layer."""

    def layer(name):
        return Link((name,), lambda on, x, values: on.conv(x, 1 + values[name]))

    sides = {"n": networks, "a": accelerators}
    decisions = {
        side: tuple(Decision(f"{side}{i}", tuple(range(n))) for i, n in enumerate(numbers))
        for side, numbers in sides.items()
    }
    links = (INPUT, *(layer(decision.name) for decision in decisions["n"]))
    of_networks = NetworkSpace(Space("networks", decisions["n"]), links, str, never)
    return JointSpace(of_networks, Space("accelerators", decisions["a"]))


def fake_costs(joint):
    """Costs by formula; accelerators with the smallest register file cannot run."""

    def simulate(choices):
        values = [joint.space.values(row) for row in choices]
        work = np.array([4.0 + v["depth"] * v["kernel"] for v in values])
        macs = np.array(
            [v["pes_x"] * v["pes_y"] * v["simd_units"] * v["compute_lanes"] for v in values]
        )
        feasible = np.array([v["register_file_kb"] > 8 for v in values])
        latency = work / macs**0.8 + 0.1 / np.array([v["io_gb_per_s"] for v in values])
        return DesignCosts(
            latency_ms=np.where(feasible, latency, np.inf),
            energy_mj=np.where(feasible, work * (1 + latency), np.inf),
            area_mm2=0.001 * macs + np.array([v["local_memory_mb"] for v in values]),
            parameters=np.ones(len(choices), dtype=np.int64),
            reason=np.where(feasible, 0, 1).astype(np.int64),
        )

    return simulate
