"""Penalties as the paper writes them for two groups, and for more group by group, in loops."""

import math


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def cross_entropy(logit, y):
    """Minus the log of the probability of the label."""
    return -math.log(sigmoid(logit) if y == 1 else 1 - sigmoid(logit))


# Equations 2, 4 and 6 and the worst loss of equation 7: p, y, a and losses as lists, a in {0, 1}.


def equation_2(loss, a):
    plus = [v for v, g in zip(loss, a, strict=True) if g == 1]
    minus = [v for v, g in zip(loss, a, strict=True) if g == 0]
    return abs(sum(plus) / len(plus) - sum(minus) / len(minus))


def equation_4(p, y, a):
    rows = list(zip(p, y, a, strict=True))
    n_plus, n_minus = sum(a), sum(1 - g for g in a)
    fpr = abs(
        sum(h * (1 - t) * g for h, t, g in rows) / n_plus
        - sum(h * (1 - t) * (1 - g) for h, t, g in rows) / n_minus
    )
    fnr = abs(
        sum((1 - h) * t * g for h, t, g in rows) / n_plus
        - sum((1 - h) * t * (1 - g) for h, t, g in rows) / n_minus
    )
    return fpr + fnr


def equation_6(p, a):
    plus = sum(g * h for h, g in zip(p, a, strict=True)) / sum(a)
    minus = sum((1 - g) * h for h, g in zip(p, a, strict=True)) / sum(1 - g for g in a)
    return -min(plus / minus, minus / plus)


def worst_loss(loss, a):
    return max(
        sum(v for v, h in zip(loss, a, strict=True) if h == g) / sum(h == g for h in a)
        for g in set(a)
    )


# Any number of groups, weights, and rows that do not count; a group of None is unknown.


def group_mean(values, group, weight, counts, which):
    """Weighted mean over the rows of some groups that count; None where there are none."""
    rows = [i for i in range(len(values)) if group[i] in which and counts[i]]
    mass = sum(weight[i] for i in rows)
    return sum(weight[i] * values[i] for i in rows) / mass if mass > 0 else None


def naive_contrast(values, group, weight, counts=None, *, contrast="groups"):
    """Largest minus smallest mean of a group, or mean absolute deviation from that of all."""
    counts = [True] * len(values) if counts is None else counts
    groups = sorted({g for g in group if g is not None})
    means = [group_mean(values, group, weight, counts, {g}) for g in groups]
    means = [m for m in means if m is not None]
    if len(means) < 2:
        return 0.0
    if contrast == "groups":
        return max(means) - min(means)
    overall = group_mean(values, group, weight, counts, set(groups))
    return sum(abs(m - overall) for m in means) / len(means)


def naive_auc_gap(logit, y, group, weight):
    """Largest minus smallest mean sigmoid of the difference between a one and a zero."""
    found = []
    for g in sorted({g for g in group if g is not None}):
        rows = [i for i in range(len(y)) if group[i] == g]
        pairs = [(i, j) for i in rows for j in rows if y[i] == 1 and y[j] == 0]
        mass = sum(weight[i] * weight[j] for i, j in pairs)
        if mass > 0:
            above = sum(weight[i] * weight[j] * sigmoid(logit[i] - logit[j]) for i, j in pairs)
            found.append(above / mass)
    return max(found) - min(found) if len(found) > 1 else 0.0
