"""Conditional permutations word for word from the FairICP paper: by enumeration, and by loops."""

import itertools
import math

import numpy as np


def inverse(permutation):
    result = [0] * len(permutation)
    for i, value in enumerate(permutation):
        result[value] = i
    return tuple(result)


def icp_probabilities(log_q):
    """Equation (7): P(pi) proportional to the product over i of q(Y[pi^-1(i)] | A[i]).

    ``log_q[i, j]`` is log q(Y_j | A_i). Returns {pi: probability}; the copy is A[pi].
    """
    return _normalised(len(log_q), lambda pi: _product(log_q, inverse(pi)))


def cp_probabilities(log_q):
    """Equation (6): P(pi) proportional to the product over i of q(A[pi(i)] | Y[i]).

    ``log_q[i, j]`` is log q(A_j | Y_i).
    """
    return _normalised(len(log_q), lambda pi: _product(log_q, pi))


def _product(log_q, pi):
    return math.exp(sum(log_q[i, pi[i]] for i in range(len(pi))))


def _normalised(n, weight):
    weights = {pi: weight(pi) for pi in itertools.permutations(range(n))}
    total = sum(weights.values())
    return {pi: value / total for pi, value in weights.items()}


def pairwise_sampler(log_q, n_steps, rng):
    """Algorithm 3 from the identity; returns pi, of which the copy is A[pi]."""
    n = len(log_q)
    state = list(range(n))
    for _ in range(n_steps):
        rows = rng.permutation(n)
        for k in range(n // 2):
            i, j = int(rows[2 * k]), int(rows[2 * k + 1])
            odds = math.exp(
                log_q[i, state[j]] + log_q[j, state[i]] - log_q[i, state[i]] - log_q[j, state[j]]
            )
            if rng.random() < odds / (1 + odds):
                state[i], state[j] = state[j], state[i]
    return inverse(state)


def restricted_distribution(log_q):
    """Probabilities of the original order and of every swap, among these alone (section 3.1.1)."""
    n = len(log_q)
    odds = [1.0]
    for i in range(n):
        for j in range(i + 1, n):
            odds.append(math.exp(log_q[i, j] + log_q[j, i] - log_q[i, i] - log_q[j, j]))
    return np.array(odds) / sum(odds)
