"""The recurrent policy against the obvious program: matrices, one row of the equations a line."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.kernels import recurrent
from nahas.kernels.recurrent import ascend, sample, slopes_of, squashed


class Drawn:
    """A policy of random shape, mask and weights, and a batch of it."""

    def __init__(self, seed, kind=np.float64):
        rng = np.random.default_rng(seed)
        steps, values, width, rows = rng.integers(1, [5, 6, 6, 8])
        self.allowed = rng.random((steps, values)) < 0.7
        self.allowed[np.arange(steps), rng.integers(values, size=steps)] = True
        self.first = 1 + values * np.arange(steps)
        self.sizes = (int(1 + steps * values), int(width), int(steps), int(values))
        parts = (self.sizes[0] * 4 * width, 4 * width**2, steps * width * values, steps * values)
        self.weights = rng.normal(size=sum(parts)).astype(kind)
        self.uniforms = rng.random((rows, steps))
        self.gains = rng.normal(size=rows).astype(kind)
        self.shares = (rng.random((rows, steps)) * (rng.random((rows, steps)) < 0.7)).astype(kind)
        self.noise = rng.uniform(-0.6, 0.6, (rows, steps))
        self.values = (self.first, self.allowed)

    def sampled(self, call=lambda kernel, *arguments: kernel(*arguments)):
        choices = np.full(self.uniforms.shape, -1)
        logs = np.empty(self.uniforms.shape, self.weights.dtype)
        call(sample, self.weights, self.sizes, self.values, self.uniforms, choices, logs)
        return choices, logs


def log_shares(weights, sizes, values, choices):
    """Log-probabilities [B, D, K] given the choices before each, by the equations."""
    tokens, width, steps, most = sizes
    first, allowed = values
    cuts = np.cumsum([tokens * 4 * width, 4 * width**2, steps * width * most])
    table, square, heads, biases = np.split(weights, cuts)
    table, square = table.reshape(tokens, -1), square.reshape(width, -1)
    heads, biases = heads.reshape(steps, width, most), biases.reshape(steps, most)
    hidden = cell = np.zeros((len(choices), width))
    found = []
    for d in range(steps):
        token = first[d - 1] + choices[:, d - 1] if d else np.zeros(len(choices), int)
        i, f, a, o = np.split(table[token] + hidden @ square, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        cell = f * cell + i * np.tanh(a)
        hidden = o * np.tanh(cell)
        logits = np.where(allowed[d], hidden @ heads[d] + biases[d], -np.inf)
        found.append(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))
    return np.stack(found, axis=1)


def of_choices(logs, choices):
    return np.take_along_axis(logs, choices[:, :, None], axis=2)[:, :, 0]


def objective(weights, policy, choices, before, clip, entropy_weight):
    logs = log_shares(weights, policy.sizes, policy.values, choices)
    ratio, gain = np.exp(of_choices(logs, choices) - before), policy.gains[:, None]
    clipped = np.clip(ratio, 1 - clip, 1 + clip)
    shares = np.exp(logs)
    entropy = -(shares * np.where(shares > 0, logs, 0.0)).sum(axis=2)
    worth = np.minimum(ratio * gain, clipped * gain) + entropy_weight * entropy
    return (policy.shares * worth).sum()


seeds = st.integers(0, 2**32 - 1)


class TestSquashed:
    def test_is_tanh(self, run):
        for x in np.linspace(-30, 30, 241):
            assert run(squashed, x) == pytest.approx(np.tanh(x), abs=2e-9)


class TestSample:
    def test_draws_by_the_distributions_of_the_equations(self, run):
        @given(seeds)
        @settings(max_examples=25)
        def check(seed):
            policy = Drawn(seed)
            choices, logs = policy.sampled(run)
            shares = np.exp(log_shares(policy.weights, policy.sizes, policy.values, choices))
            assert np.allclose(logs, np.log(of_choices(shares, choices)), atol=1e-7)
            assert policy.allowed[np.arange(choices.shape[1]), choices].all()
            after = of_choices(np.cumsum(shares, axis=2), choices)
            assert (policy.uniforms < after + 1e-7).all()
            assert (policy.uniforms > after - of_choices(shares, choices) - 1e-7).all()

        check()

    def test_stays_in_range_at_the_edges_of_the_unit_interval(self, run):
        policy = Drawn(3)
        for edge, last in ((0.0, False), (np.nextafter(1.0, 0.0), True), (1.0, True)):
            policy.uniforms[:] = edge
            choices, _ = policy.sampled(run)
            expected = policy.allowed.argmax(axis=1)
            if last:
                expected = policy.sizes[3] - 1 - policy.allowed[:, ::-1].argmax(axis=1)
            assert (choices == expected).all()

    def test_of_given_choices_says_how_probable_they_are(self, run):
        policy = Drawn(5)
        choices, logs = policy.sampled(run)
        given_ones = np.full(policy.uniforms.shape, -1.0)
        again, kept = np.empty_like(logs), choices.copy()
        run(sample, policy.weights, policy.sizes, policy.values, given_ones, kept, again)
        assert kept.tolist() == choices.tolist()
        assert again.tolist() == logs.tolist()


class TestSlopes:
    def test_are_those_of_finite_differences(self, run):
        @given(seeds)
        @settings(max_examples=20)
        def check(seed):
            policy = Drawn(seed)
            choices, logs = policy.sampled()
            before = logs + policy.noise
            batch = (choices, before, policy.gains, policy.shares)
            slopes = np.empty_like(policy.weights)
            of = (policy.weights, policy.sizes, policy.values, batch, (0.2, 0.3), slopes)
            total = run(slopes_of, *of)
            known = (policy, choices, before, 0.2, 0.3)
            assert total == pytest.approx(objective(policy.weights, *known), abs=1e-6)
            direction = np.random.default_rng(seed).normal(size=slopes.size)
            step = 1e-5 * direction
            ahead = objective(policy.weights + step, *known)
            behind = objective(policy.weights - step, *known)
            assert slopes @ direction == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-5)

        check()

    def test_are_those_of_finite_differences_weight_by_weight(self, run):
        policy = Drawn(7)
        choices, logs = policy.sampled()
        batch = (choices, logs + policy.noise, policy.gains, policy.shares)
        slopes = np.empty_like(policy.weights)
        run(slopes_of, policy.weights, policy.sizes, policy.values, batch, (0.2, 0.1), slopes)
        known = (policy, choices, logs + policy.noise, 0.2, 0.1)
        for i in range(slopes.size):
            step = np.zeros(slopes.size)
            step[i] = 1e-5
            up, down = (objective(policy.weights + s, *known) for s in (step, -step))
            assert slopes[i] == pytest.approx((up - down) / 2e-5, abs=1e-6)

    def test_in_single_precision_are_close(self):
        for seed in range(5):
            exact, single = Drawn(seed), Drawn(seed, np.float32)
            choices, logs = exact.sampled()
            found = []
            for policy in (exact, single):
                slopes = np.empty_like(policy.weights)
                batch = (choices, logs.astype(slopes.dtype), policy.gains, policy.shares)
                of = (policy.weights, policy.sizes, policy.values, batch, (0.2, 0.1), slopes)
                slopes_of(*of)
                found.append(slopes)
            assert np.allclose(*found, rtol=1e-3, atol=1e-4)

    def test_do_not_depend_on_threads(self):
        rng = np.random.default_rng(0)
        policy = Drawn(1, np.float32)
        rows = 3 * recurrent.MOST_ROWS + 5
        policy.uniforms = rng.random((rows, policy.sizes[2]))
        policy.gains = rng.normal(size=rows).astype(np.float32)
        policy.shares = np.full(policy.uniforms.shape, 0.01, np.float32)
        threads, found = numba.get_num_threads(), []
        try:
            for count in {1, threads}:
                numba.set_num_threads(count)
                choices, logs = policy.sampled()
                slopes = np.empty_like(policy.weights)
                batch = (choices, logs, policy.gains, policy.shares)
                of = (policy.weights, policy.sizes, policy.values, batch, (0.2, 0.1), slopes)
                slopes_of(*of)
                found.append((choices.tolist(), logs.tolist(), slopes.tolist()))
        finally:
            numba.set_num_threads(threads)
        assert all(of == found[0] for of in found)


class TestAscend:
    def test_is_adam(self, run):
        rng = np.random.default_rng(0)
        weights, moments = rng.normal(size=6), np.zeros((2, 6))
        expected, mean, square = weights.copy(), np.zeros(6), np.zeros(6)
        for step in range(1, 5):
            slopes = rng.normal(size=6)
            run(ascend, weights, slopes, moments, 0.01, step)
            mean, square = 0.9 * mean + 0.1 * slopes, 0.999 * square + 0.001 * slopes**2
            unbiased = mean / (1 - 0.9**step), square / (1 - 0.999**step)
            expected += 0.01 * unbiased[0] / np.sqrt(unbiased[1])
            assert weights == pytest.approx(expected, abs=1e-6)
