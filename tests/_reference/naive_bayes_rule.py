"""The paper's formulas for the Bayes-optimal fair rule, row by row, and its program as one LP.

`cells[i][y][a]` is g_{y,a}(x_i) = P(Y = y, A = a | X = x_i); `families` lists the groups of each
sensitive feature (one list for intersectional groups).
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from scipy import optimize

RATES = {
    "demographic_parity": ("selection",),
    "equal_opportunity": ("true positive",),
    "predictive_equality": ("false positive",),
    "accuracy_parity": ("error",),
    "equalized_odds": ("true positive", "false positive"),
}


def naive_cells(joint, n_groups):
    """The cells of `JointProbabilities`, one entry at a time; an unknown group has no cell."""
    cells = np.zeros((len(joint), 2, n_groups))
    for i, eta in enumerate(joint.posterior):
        for y, label in enumerate((1 - eta, eta)):
            if joint.conditional is not None:
                for a in range(n_groups):
                    cells[i, y, a] = label * joint.conditional[i, y, a]
                continue
            for a in joint.codes[i]:
                if a >= 0:
                    cells[i, y, a] = label
    return cells


def naive_masses(cells, weight):
    """p_{y,a} = E g_{y,a}."""
    total = np.zeros(cells.shape[1:])
    for y in (0, 1):
        for a in range(cells.shape[2]):
            total[y, a] = (weight * cells[:, y, a]).sum()
    return total


def direction(rate, cells, p, group):
    """u(x) for every row and v of the table's row, for one group or a list of groups together."""
    members = [group] if np.isscalar(group) else list(group)
    negative = sum(cells[:, 0, a] for a in members)
    positive = sum(cells[:, 1, a] for a in members)
    p_negative, p_positive = (sum(p[y, a] for a in members) for y in (0, 1))
    both = p_negative + p_positive
    return {
        "selection": lambda: ((negative + positive) / both, 0.0),
        "true positive": lambda: (positive / p_positive, 0.0),
        "false positive": lambda: (negative / p_negative, 0.0),
        "error": lambda: ((negative - positive) / both, p_positive / both),
    }[rate]()


def comparisons(notion, families, contrast):
    """(rate, group, what it is compared with), in the order of the multipliers."""
    for rate in RATES[notion]:
        for family in families:
            if contrast == "population":
                yield from ((rate, a, family) for a in family)
            else:
                yield from ((rate, a, b) for a, b in combinations(family, 2))


def program(notion, cells, weight, families, measure, contrast, bound):
    """One-sided rows E[f row] <= limit, from the definitions of the two measures."""
    p = naive_masses(cells, weight)
    rows, limits = [], []
    for rate, first, second in comparisons(notion, families, contrast):
        u_a, v_a = direction(rate, cells, p, first)
        u, v = direction(rate, cells, p, second)
        if measure == "difference":
            rows += [u_a - u, u - u_a]
            limits += [bound - (v_a - v), bound + (v_a - v)]
        else:
            rows += [bound * u - u_a, bound * u_a - u]
            limits += [v_a - bound * v, v - bound * v_a]
    return np.array(rows), np.array(limits)


def best_objective(notion, eta, cells, weight, families, cost, measure, contrast, bound):
    """max E[f (eta - c)] within the bound, by HiGHS on all rows at once."""
    rows, limits = program(notion, cells, weight, families, measure, contrast, bound)
    # Weights of 1 / n are lost in HiGHS's absolute tolerances: bring them to 1.
    n = len(eta)
    scaled = n * weight
    solution = optimize.linprog(
        -scaled * (eta - cost), rows * scaled, limits * n, bounds=(0, 1), method="highs"
    )
    return -solution.fun / n


def rates_of(notion, cells, weight, decision, groups):
    """The notion's rates of one group, or of several together: E[f u] + v."""
    p = naive_masses(cells, weight)
    for rate in RATES[notion]:
        u, v = direction(rate, cells, p, groups)
        yield weight @ (decision * u) + v


def violation(notion, cells, weight, decision, families, measure, contrast):
    """Worst difference or ratio of a decision."""
    worst = 0.0 if measure == "difference" else 1.0
    for family in families:
        pairs = (
            [(a, family) for a in family] if contrast == "population" else combinations(family, 2)
        )
        for first, second in pairs:
            for one, other in zip(
                rates_of(notion, cells, weight, decision, first),
                rates_of(notion, cells, weight, decision, second),
                strict=True,
            ):
                if measure == "difference":
                    worst = max(worst, abs(one - other))
                elif max(one, other) > 0:
                    worst = min(worst, one / other if one < other else other / one)
    return worst


def margin(notion, eta, cells, p, families, cost, measure, contrast, bound, multipliers):
    """eta - c - sum lambda phi: Theorem 1 for differences, Theorem 2 for ratios."""
    result = eta - cost
    compared = comparisons(notion, families, contrast)
    for (rate, first, second), price in zip(compared, multipliers, strict=True):
        u_a, _ = direction(rate, cells, p, first)
        u, _ = direction(rate, cells, p, second)
        if measure == "difference":
            phi = u_a - u
        elif price > 0:
            phi = bound * u_a - u
        else:
            phi = -(bound * u - u_a)
        result = result - price * phi
    return result


def best_on_grid(
    notion, eta, cells, weight, families, cost, measure, contrast, bound, grid, slack=0.0
):
    """The paper's search: every vector of multipliers on a grid, the best one within the bound."""
    p = naive_masses(cells, weight)
    n_multipliers = len(list(comparisons(notion, families, contrast)))
    best = None
    for multipliers in product(grid, repeat=n_multipliers):
        z = margin(notion, eta, cells, p, families, cost, measure, contrast, bound, multipliers)
        decision = (z > 0).astype(float)
        worst = violation(notion, cells, weight, decision, families, measure, contrast)
        if worst <= bound + slack if measure == "difference" else worst >= bound - slack:
            objective = weight @ (decision * (eta - cost))
            best = objective if best is None else max(best, objective)
    return best


def best_thresholds(notion, eta, cells, weight, group, cost, bound):
    """The best pair of thresholds, one for each of two groups, within a difference."""
    best = -np.inf
    choices = [np.append(np.unique(eta[group == a]), -1.0) for a in (0, 1)]
    for low, high in product(*choices):
        decision = (eta > np.where(group == 0, low, high)).astype(float)
        worst = violation(notion, cells, weight, decision, [[0, 1]], "difference", "population")
        if worst <= bound:
            best = max(best, weight @ (decision * (eta - cost)))
    return best
