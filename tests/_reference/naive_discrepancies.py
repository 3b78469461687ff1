"""MMD and energy distance between (u, v) and (u, v~), pair by pair, in plain Python loops."""

import numpy as np


def joint_samples(u, v, fake):
    return [np.concatenate(pair) for pair in zip(u, v, strict=True)], [
        np.concatenate(pair) for pair in zip(u, fake, strict=True)
    ]


def mean_over_pairs(function, first, second, weight):
    n = len(first)
    share = np.full(n, 1 / n) if weight is None else np.asarray(weight) / np.sum(weight)
    return sum(
        share[i] * share[j] * function(first[i], second[j]) for i in range(n) for j in range(n)
    )


def two_sample(function, real, fake, weight):
    """E f(z, z') - 2 E f(z, z~) + E f(z~, z~')."""
    return (
        mean_over_pairs(function, real, real, weight)
        - mean_over_pairs(function, real, fake, weight)
        - mean_over_pairs(function, fake, real, weight)
        + mean_over_pairs(function, fake, fake, weight)
    )


def naive_energy_distance(u, v, fake, weight=None):
    real, copies = joint_samples(u, v, fake)
    return -two_sample(lambda a, b: np.sqrt(np.sum((a - b) ** 2)), real, copies, weight)


def lower_median_of_positive(rows):
    squared = sorted(
        value
        for a in rows
        for b in rows
        if (value := float(np.sum((np.asarray(a) - np.asarray(b)) ** 2))) > 0
    )
    return squared[(len(squared) - 1) // 2]


def naive_mmd_squared(u, v, fake, weight=None):
    width_v = lower_median_of_positive([*v, *fake])
    k = len(u[0])

    def kernel(a, b):
        du, dv = np.sum((a[:k] - b[:k]) ** 2), np.sum((a[k:] - b[k:]) ** 2)
        return np.exp(-du / 2 - dv / (2 * width_v))

    real, copies = joint_samples(u, v, fake)
    return two_sample(kernel, real, copies, weight)
