"""Sums over chains, rewards and the screen of the front, beside the obvious programs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nahas.cost import DesignCosts
from nahas.exact.optimum import goal
from nahas.kernels.exact import add_up, earns, judge, screen, step_in
from nahas.reward import PRESETS, Reward, Target

seeds = st.integers(0, 10_000)


@given(seeds)
def test_totals_are_sums_over_each_chain(run, seed):
    rng = np.random.default_rng(seed)
    networks, longest, links, width = 70, int(rng.integers(1, 6)), 4, int(rng.integers(1, 5))
    chains = np.array(sorted(rng.integers(0, links, (networks, longest)).tolist()), np.int32)
    lengths = np.full(networks, longest)
    shared = np.zeros(networks, np.int64)
    for i in range(1, networks):
        while shared[i] < longest and chains[i, shared[i]] == chains[i - 1, shared[i]]:
            shared[i] += 1
    order, columns = rng.permutation(networks), rng.permutation(width)
    cycles = rng.integers(1, 1000, (links, width)).astype(float)
    energy = rng.random((links, width))
    cycles[0] = energy[0] = np.inf
    totals = np.full((networks, width), np.nan), np.full((networks, width), np.nan)
    run(add_up, (order, chains, lengths, shared), (cycles, energy), columns, totals)
    for i in range(networks):
        for a in range(width):
            at = order[i], columns[a]
            assert totals[0][at] == sum(cycles[link, a] for link in chains[i])
            assert totals[1][at] == sum(energy[link, a] for link in chains[i])


@st.composite
def rewards(draw):
    metrics = draw(st.permutations(["latency_ms", "energy_mj", "area_mm2"]))
    targets = [
        Target(name, draw(st.floats(0.5, 20.0))) for name in metrics[: draw(st.integers(0, 3))]
    ]
    if draw(st.booleans()):
        return Reward.preset(draw(st.sampled_from(PRESETS)), targets)
    exponents = st.floats(-3.0, 0.0)
    return Reward(tuple(targets), draw(exponents), draw(exponents), adds=draw(st.booleans()))


positive = st.floats(0.1, 100.0)


@given(rewards(), st.floats(0.0, 100.0), positive, positive, positive)
def test_a_reward_is_that_of_the_class(run, reward, accuracy, latency, energy, area):
    one = DesignCosts(
        latency_ms=np.array([latency]),
        energy_mj=np.array([energy]),
        area_mm2=np.array([area]),
        parameters=np.array([1]),
        reason=np.array([0]),
    )
    expected = reward.of(np.array([accuracy]), one)[0]
    found = run(earns, np.array(goal(reward)), accuracy, latency, energy, area)
    assert abs(found - expected) <= 1e-12 * max(1.0, abs(expected))


@given(seeds, st.lists(rewards(), min_size=1, max_size=2))
def test_the_best_design_of_each_network_is_remembered(run, seed, asked):
    rng = np.random.default_rng(seed)
    shape = (3, 6)
    latency, energy = (rng.integers(1, 6, shape).astype(float) for _ in range(2))
    latency[rng.random(shape) < 0.2] = np.inf
    energy[np.isinf(latency)] = np.inf
    area, accuracy = rng.integers(1, 5, 6).astype(float), np.array([70.0, np.nan, 60.0])
    numbers, goals = rng.permutation(6), np.array([goal(reward) for reward in asked])
    best, met = np.zeros((len(asked), 2, 3, 5)), np.zeros((len(asked), 3), np.int64)
    small = rng.random((len(asked), 3)) < 0.8
    best[..., 0] = -np.inf
    for part in (slice(0, 4), slice(4, 6)):  # in two blocks
        costs = (latency[:, part].copy(), energy[:, part].copy(), area[part])
        networks = (np.tile(accuracy, (len(asked), 1)), small)
        run(judge, costs, networks, numbers[part], goals, best, met)
    for r, of in enumerate(goals):
        for n in (0, 2):
            seen = [
                (-float(run(earns, of, accuracy[n], latency[n, a], energy[n, a], area[a])),
                 energy[n, a], area[a], numbers[a],
                 bool(small[r, n])
                 and latency[n, a] <= of[0] and energy[n, a] <= of[1] and area[a] <= of[2])
                for a in range(6) if np.isfinite(latency[n, a])
            ]  # fmt: skip
            for kind, some in enumerate(([s for s in seen if s[4]], seen)):
                found = best[r, kind, n]
                if not some:
                    assert found[0] == -np.inf
                    continue
                first = min(some)
                assert abs(found[0] + first[0]) <= 1e-12 * abs(first[0])
                alike = [s for s in some if abs(s[0] - first[0]) <= 1e-13 * abs(first[0])]
                if all(s[0] == first[0] for s in alike):
                    assert tuple(found[1:4]) == min(s[1:4] for s in alike)
                    assert found[4] == len(alike)
                else:  # equal but for rounding, which may differ once compiled
                    assert tuple(found[1:4]) in [s[1:4] for s in alike]
            assert met[r, n] == sum(s[4] for s in seen)
    assert (best[:, :, 1, 0] == -np.inf).all()


@given(seeds, st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])))
def test_a_design_is_left_where_no_known_one_is_as_good(run, seed, used):
    rng = np.random.default_rng(seed)
    shape = (5, 70)
    latency, energy = (rng.integers(1, 8, shape).astype(float) for _ in range(2))
    latency[0, :3] = energy[0, :3] = np.inf
    accuracy = rng.integers(1, 4, 5).astype(float)
    order = np.argsort(-accuracy, kind="stable")[: rng.integers(1, 6)]
    count = int(rng.integers(0, 9))
    known = [rng.integers(1, 4, count).astype(float)]
    known += [rng.integers(1, 8, count).astype(float) * use for use in used]
    known = [column[np.argsort(-known[0], kind="stable")] for column in known]
    left = np.zeros(shape, np.bool_)
    run(screen, (latency, energy), accuracy, order, used, tuple(known), left)
    for n in range(5):
        for a in range(0, 70, 7):
            beaten = (
                any(
                    known[0][k] >= accuracy[n]
                    and known[1][k] <= latency[n, a] * used[0]
                    and known[2][k] <= energy[n, a] * used[1]
                    for k in range(count)
                )
                if np.isfinite(latency[n, a])
                else True
            )
            assert left[n, a] == (n in order and not beaten)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_a_staircase_keeps_what_nothing_is_as_good_as(run, points):
    stairs, count = np.empty((2, len(points) + 1)), 0
    for latency, energy in points:
        count = run(step_in, stairs, count, float(latency), float(energy))
    kept = {
        (x, y) for x, y in points
        if not any((a, b) != (x, y) and a <= x and b <= y for a, b in points)
    }  # fmt: skip
    assert [tuple(stair) for stair in stairs[:, :count].T] == sorted(kept)
