"""Every way of drawing permutations has the distribution of equations (6) and (7) of FairICP."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from fairsk.independence import (
    Conditional,
    ConditionalDensity,
    ConditionalPermutation,
    ExponentialFamilyConditional,
    GaussianConditional,
    InverseConditionalPermutation,
    KnownGaussianDensity,
    TableConditional,
    _chain,
    _sampler,
)
from fairsk.independence._chain import PairwiseChain
from fairsk.independence._engines import BinaryEngine, CellEngine, ChainEngine, choose_engine
from tests._reference.naive_conditional_permutation import (
    cp_probabilities,
    icp_probabilities,
    inverse,
    pairwise_sampler,
)
from tests.independence._chi_square import SMALLEST_PVALUE, chi_square_pvalue


class LogTable(Conditional):
    """log q(y_j | a_i) from a matrix, with targets that are their own index: any density at all."""

    def __init__(self, log_q):
        self.log_q = log_q

    @property
    def n_rows(self):
        return len(self.log_q)

    def log_prob(self, target, rows):
        return self.log_q[rows, target.astype(int)]


class LogTableWithOdds(LogTable):
    def log_odds(self, target, position_i, position_j, index_i, index_j):
        return super().log_odds(target, position_i, position_j, index_i, index_j)


def log_q_of(conditional, target):
    n = conditional.n_rows
    return np.column_stack(
        [conditional.log_prob(target[np.full(n, j)], np.arange(n)) for j in range(n)]
    )


def gaussian(n, rng):
    # Far from zero, where squares of the target would cancel.
    return GaussianConditional(1e3 + rng.normal(size=n), np.full(n, 0.8)), 1e3 + rng.normal(size=n)


def heteroscedastic(n, rng):
    return GaussianConditional(rng.normal(size=n), rng.uniform(0.5, 2, n)), rng.normal(size=n)


def family(n, rng):
    natural = rng.normal(size=(n, 3))
    powers = ExponentialFamilyConditional(
        lambda y: np.column_stack([y, y**2, np.sin(y)]), natural, np.zeros(n)
    )
    return powers, rng.normal(size=n)


def table(n, rng):
    probabilities = rng.dirichlet(np.ones(3), size=n)
    # Three classes, with ties among the targets.
    target = np.array(["a", "b", "c"])[np.arange(n) % 3]
    return TableConditional(np.array(["a", "b", "c"]), np.log(probabilities)), target


def general(n, rng):
    return LogTable(1.5 * rng.normal(size=(n, n))), np.arange(n)


def general_with_odds(n, rng):
    return LogTableWithOdds(1.5 * rng.normal(size=(n, n))), np.arange(n)


def binary(n, rng):
    p = rng.uniform(0.1, 0.9, size=n)
    return TableConditional(np.array([0, 1]), np.log(np.column_stack([1 - p, p]))), np.arange(n) % 2


def cells(n_cells, n_classes):
    def make(n, rng):
        distinct = np.log(rng.dirichlet(np.ones(n_classes), size=n_cells))
        target = np.arange(n) % n_classes
        return TableConditional(np.arange(n_classes), distinct[np.arange(n) // 2 % n_cells]), target

    make.__name__ = f"cells_{n_cells}x{n_classes}"
    return make


def expected_of(conditional, target):
    """Distribution of the state: the target of each given row."""
    return cp_probabilities(log_q_of(conditional, target))


CHAINS = [gaussian, heteroscedastic, family, table, general, general_with_odds]


@pytest.mark.parametrize("make", CHAINS)
@pytest.mark.parametrize("n", [4, 5])
def test_steps_of_the_chain_keep_the_distribution(make, n):
    # States drawn from the distribution and moved by a few steps must have it still, whatever the
    # number of steps: this tells a wrong step apart with few steps and many draws.
    rng = np.random.default_rng(n)
    conditional, target = make(n, rng)
    expected = expected_of(conditional, target)
    chain = PairwiseChain(conditional, target, steps_per_order=2)
    states = np.array(list(expected))
    starts = rng.choice(len(states), p=list(expected.values()), size=4000)
    draws = [chain.run(states[s], 3, rng, backward=bool(s % 2)) for s in starts]
    assert chi_square_pvalue(draws, expected) > SMALLEST_PVALUE


@pytest.mark.parametrize("make", [gaussian, table, general])
def test_the_chain_forgets_its_start(make):
    rng = np.random.default_rng(7)
    conditional, target = make(5, rng)
    chain = PairwiseChain(conditional, target)
    draws = [chain.run(np.arange(5), 25, rng) for _ in range(1000)]
    assert chi_square_pvalue(draws, expected_of(conditional, target)) > SMALLEST_PVALUE


def test_pieces_of_a_step(monkeypatch):
    # With pieces of two pairs, a step is cut as a large sample is.
    monkeypatch.setattr(_chain, "PIECE", 2)
    rng = np.random.default_rng(3)
    conditional, target = gaussian(6, rng)
    expected = expected_of(conditional, target)
    chain = PairwiseChain(conditional, target, steps_per_order=2)
    states = np.array(list(expected))
    starts = rng.choice(len(states), p=list(expected.values()), size=4000)
    draws = [chain.run(states[s], 2, rng) for s in starts]
    assert chi_square_pvalue(draws, expected) > SMALLEST_PVALUE


@pytest.mark.parametrize("n", [2, 3, 6, 7, 20, 21])
def test_pairs_of_a_step_are_disjoint_and_change_with_the_offset(n):
    met = set()
    for offset in range(n - n // 2):
        pairs = [
            (i, j)
            for low, high in _chain._paired_slices(n, offset)
            for i, j in zip(range(*low.indices(n)), range(*high.indices(n)), strict=True)
        ]
        rows = [row for pair in pairs for row in pair]
        assert len(pairs) == n // 2 and len(set(rows)) == len(rows)
        met |= set(pairs)
    # Over the offsets, each row of the first half meets each of the second.
    assert met == {(i, j) for i in range(n // 2) for j in range(n // 2, n)}


EXACT = [(binary, BinaryEngine), (cells(2, 2), CellEngine), (cells(3, 2), CellEngine)]


@pytest.mark.parametrize(("make", "engine"), [*EXACT, (cells(2, 3), CellEngine)])
@pytest.mark.parametrize("n", [5, 6])
def test_exact_draws(make, engine, n):
    rng = np.random.default_rng(n)
    conditional, target = make(n, rng)
    if engine is CellEngine:
        _, cell = np.unique(conditional.log_probabilities, axis=0, return_inverse=True)
        drawer = CellEngine(conditional, target, cell.ravel())
    else:
        drawer = BinaryEngine(conditional, target)
    assert drawer.is_exact
    hub = drawer.hub(1, rng)
    draws = [drawer.draw(hub, 1, rng) for _ in range(4000)]
    assert chi_square_pvalue(draws, expected_of(conditional, target)) > SMALLEST_PVALUE


def test_chain_over_tables():
    rng = np.random.default_rng(0)
    conditional, target = cells(3, 3)(6, rng)
    _, cell = np.unique(conditional.log_probabilities, axis=0, return_inverse=True)
    engine = CellEngine(conditional, target, cell.ravel())
    assert not engine.is_exact
    hub = engine.hub(20, rng)
    draws = [engine.draw(hub, 6, rng) for _ in range(1200)]
    assert chi_square_pvalue(draws, expected_of(conditional, target)) > SMALLEST_PVALUE


def test_choice_of_the_algorithm():
    rng = np.random.default_rng(0)
    names = {
        cells(2, 5): "cells",
        cells(9, 2): "cells",
        cells(3, 4): "cell_chain",
        gaussian: "chain",
    }
    for make, name in names.items():
        assert choose_engine(*make(1000, rng)).name == name
    # 1,000 distinct rows are no few cells.
    assert choose_engine(*binary(1000, rng)).name == "binary"
    assert choose_engine(*table(1000, rng)).name == "chain"
    assert isinstance(choose_engine(*binary(1000, rng), "chain"), ChainEngine)
    with pytest.raises(ValueError, match="'exact' needs a target with two classes"):
        choose_engine(*table(1000, rng), "exact")


# ------------------------------------------------------------- the copy, with the inverse


@pytest.fixture
def small_samples(monkeypatch):
    monkeypatch.setattr(_sampler, "MIN_ROWS", 2)


A = np.array([-1.2, 0.1, 0.4, 1.5, 2.0])
Y = np.array([0.3, -1.0, 1.9, 0.8, 1.1])


def oracle(slope):
    return FrozenEstimator(KnownGaussianDensity(lambda given: slope * given[:, 0], 0.9))


@pytest.mark.usefixtures("small_samples")
def test_inverse_conditional_permutation_is_equation_7():
    sampler = InverseConditionalPermutation(oracle(1.3), n_steps=20, random_state=0).fit(A, Y)
    draws = sampler.sample(2000, random_state=1)
    log_q = log_q_of(GaussianConditional(1.3 * A, np.full(5, 0.9)), Y)
    expected = icp_probabilities(log_q)
    assert chi_square_pvalue(draws, expected) > SMALLEST_PVALUE
    # Without the inverse the copy is wrong, and this test would show it.
    wrong = [inverse(tuple(draw)) for draw in draws]
    assert chi_square_pvalue(wrong, expected) < 1e-10


@pytest.mark.usefixtures("small_samples")
def test_conditional_permutation_is_equation_6():
    sampler = ConditionalPermutation(oracle(0.7), n_steps=20, random_state=0).fit(A, Y)
    draws = sampler.sample(2000, random_state=2)
    log_q = log_q_of(GaussianConditional(0.7 * Y, np.full(5, 0.9)), A)
    expected = cp_probabilities(log_q)
    assert chi_square_pvalue(draws, expected) > SMALLEST_PVALUE
    wrong = [inverse(tuple(draw)) for draw in draws]
    assert chi_square_pvalue(wrong, expected) < 1e-10


class KnownTable(ConditionalDensity):
    discrete_target = True

    def _fit(self, given, target, sample_weight):
        pass

    def condition(self, given):
        logits = np.column_stack([np.zeros(len(given)), 2 * np.asarray(given)[:, 0]])
        return TableConditional(
            np.array(["no", "yes"]), logits - np.log(np.exp(logits).sum(axis=1))[:, None]
        )

    def sample(self, given, random_state=None):
        raise NotImplementedError


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("algorithm", ["auto", "chain"])
def test_binary_target_of_the_public_sampler(algorithm):
    y = np.array(["no", "yes", "yes", "no", "yes"])
    sampler = InverseConditionalPermutation(
        FrozenEstimator(KnownTable()), n_steps=20, algorithm=algorithm, random_state=0
    ).fit(A, y)
    draws = sampler.sample(2000, random_state=3)
    expected = icp_probabilities(log_q_of(KnownTable().condition(A[:, None]), y))
    assert chi_square_pvalue(draws, expected) > SMALLEST_PVALUE


def test_naive_sampler_agrees_with_the_enumeration():
    # The literal algorithm 3 has the distribution that the others are held against.
    rng = np.random.default_rng(0)
    log_q = rng.normal(size=(4, 4))
    draws = [pairwise_sampler(log_q, 20, rng) for _ in range(3000)]
    assert chi_square_pvalue(draws, icp_probabilities(log_q)) > SMALLEST_PVALUE
