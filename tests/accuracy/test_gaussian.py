"""The Gaussian process against its textbook equations."""

import numpy as np
import pytest

from nahas.accuracy.gaussian import Process, condition, covariance, likeliest, loss


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def slow_covariance(a, b, amplitude):
    return np.array(
        [[amplitude**2 * np.exp(-sum((p - q) ** 2) / 2) for q in b] for p in a], dtype=float
    )


def test_covariance_is_the_formula(rng):
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    np.testing.assert_allclose(covariance(a, b, 1.7), slow_covariance(a, b, 1.7), rtol=1e-12)


def test_covariance_of_a_row_with_itself_is_the_variance(rng):
    a = rng.normal(size=(6, 3)) * 1e3
    np.testing.assert_allclose(np.diag(covariance(a, a, 2.0)), 4.0, rtol=1e-6)
    assert covariance(a, a, 2.0).max() <= 4.0


def test_loss_is_the_log_density_of_a_normal_distribution(rng):
    from scipy.stats import multivariate_normal

    features, targets = rng.normal(size=(12, 2)), rng.normal(size=12)
    scales, amplitude, noise = np.array([0.8, 1.3]), 1.5, 0.4
    k = slow_covariance(features * scales, features * scales, amplitude)
    density = multivariate_normal(np.zeros(12), k + noise**2 * np.eye(12)).logpdf(targets)
    value, _ = loss(np.log([amplitude, noise, *scales]), features, targets)
    assert value == pytest.approx(-density / 12 - 0.5 * np.log(2 * np.pi))


def test_gradient_is_that_of_finite_differences(rng):
    features, targets = rng.normal(size=(30, 4)), rng.normal(size=30)
    logs = rng.normal(size=6) * 0.5
    _, gradient = loss(logs, features, targets)
    step = 1e-6
    for i in range(len(logs)):
        shift = step * np.eye(len(logs))[i]
        high, low = (
            loss(logs + shift, features, targets)[0],
            loss(logs - shift, features, targets)[0],
        )
        assert gradient[i] == pytest.approx((high - low) / (2 * step), abs=1e-7)


def test_a_process_without_noise_goes_through_its_points(rng):
    features, targets = rng.normal(size=(15, 2)), rng.normal(size=15)
    process = Process(np.array([1.0, 1.0]), 2.0, 1e-4)
    weights = condition(process, features, targets)
    np.testing.assert_allclose(covariance(features, features, 2.0) @ weights, targets, atol=1e-4)


def test_likelihood_finds_noise_and_the_features_that_matter(rng):
    features = rng.normal(size=(250, 3))
    targets = np.sin(2 * features[:, 0]) + 0.5 * features[:, 1] + rng.normal(0, 0.1, 250)
    targets -= targets.mean()
    found = likeliest(features, targets, Process(np.full(3, 0.3), 1.0, 0.5), 60)
    assert found.noise == pytest.approx(0.1, rel=0.15)
    assert found.scales[0] > found.scales[1] > 5 * found.scales[2]
