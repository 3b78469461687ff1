"""Rows for the curvature: drawn by what they add to it, without bias."""

import numpy as np
import pytest

from fairsk.curvature import LinearScoreModel, TrainingObjective
from fairsk.curvature._row_sample import draw_rows, inclusion_probabilities


@pytest.mark.parametrize("seed", range(20))
def test_probabilities_are_proportional_up_to_one_and_sum_to_the_rows(seed):
    rng = np.random.default_rng(seed)
    amounts = rng.lognormal(sigma=rng.uniform(0, 4), size=int(rng.integers(3, 60)))
    amounts[rng.random(len(amounts)) < 0.2] = 0.0
    n_rows = int(rng.integers(1, len(amounts) + 1))
    probability = inclusion_probabilities(amounts, n_rows)
    assert probability.sum() == pytest.approx(min(n_rows, np.count_nonzero(amounts)), rel=1e-12)
    assert (probability[amounts == 0] == 0).all() and probability.max() <= 1
    shared = (probability > 0) & (probability < 1)
    if shared.any():
        scale = probability[shared] / amounts[shared]
        np.testing.assert_allclose(scale, scale[0], rtol=1e-12)
        # Those with probability one would have more than one at that scale.
        certain = probability == 1
        assert (amounts[certain] * scale[0] >= 1 - 1e-12).all()


def test_draws_have_their_probabilities_and_a_fixed_size():
    rng = np.random.default_rng(0)
    probability = inclusion_probabilities(np.array([9.0, 5.0, 1.0, 1.0, 2.0, 0.0, 0.5]), 3)
    draws = [draw_rows(probability, rng) for _ in range(4_000)]
    assert all(len(set(rows.tolist())) == 3 for rows in draws)
    found = np.bincount(np.concatenate(draws), minlength=7) / len(draws)
    # Four standard errors of a share of 4,000 draws.
    np.testing.assert_allclose(found, probability, atol=4 * 0.5 / np.sqrt(4_000))


def confident_problem(n=6_000, p=5, seed=0):
    """Most rows are far from the boundary, so that few of them bend the loss."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    model = LinearScoreModel(np.linspace(-6, 12, p), 0.5)
    y = (rng.random(n) < 0.5).astype(int)
    weight = rng.uniform(0.2, 1.0, n)
    return TrainingObjective(model, X, y, weight / weight.sum(), np.zeros(p + 1))


@pytest.mark.parametrize("kind", ["gauss_newton", "hessian"])
def test_the_curvature_of_a_sample_is_unbiased(kind):
    objective = confident_problem()
    exact = objective.gauss_newton_matrix()
    samples = [objective.subsample(300, seed, kind).gauss_newton_matrix() for seed in range(200)]
    error = np.std(samples, axis=0) / np.sqrt(len(samples))
    # The total curvature, in the corner, is exact: rounding alone is left there.
    assert (abs(np.mean(samples, axis=0) - exact) <= 4.5 * error + 1e-13).all()


def test_rows_drawn_by_curvature_tell_more_than_as_many_at_random():
    objective = confident_problem()
    exact = objective.gauss_newton_matrix()
    rng = np.random.default_rng(0)

    def error(matrix):
        return np.linalg.norm(matrix - exact) / np.linalg.norm(exact)

    def at_random():
        rows = rng.choice(len(objective.y), 300, p=objective.weight)
        even = np.full(300, 1 / 300)
        return TrainingObjective(
            objective.model, objective.X[rows], objective.y[rows], even, objective.ridge
        )

    drawn = [error(objective.subsample(300, s).gauss_newton_matrix()) for s in range(30)]
    random = [error(at_random().gauss_newton_matrix()) for _ in range(30)]
    assert np.mean(drawn) < 0.6 * np.mean(random)


def test_as_many_rows_as_there_are_is_the_objective_itself():
    objective = confident_problem(n=40)
    assert objective.subsample(40, 0) is objective
    assert objective.subsample(1_000, 0) is objective
