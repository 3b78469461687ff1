"""MinDiff's regularisers as the paper writes them, pair by pair, in plain Python loops."""

import math


def kernel(name, length):
    if name == "gaussian":
        return lambda a, b: math.exp(-((a - b) ** 2) / length**2)
    return lambda a, b: math.exp(-abs(a - b) / length)


def mean_kernel(k, first, second):
    return sum(k(a, b) for a in first for b in second) / (len(first) * len(second))


def naive_mmd(inside, outside, k):
    """Squared MMD, V-statistic; zero where a side is empty."""
    if not len(inside) or not len(outside):
        return 0.0
    return (
        mean_kernel(k, inside, inside)
        - 2 * mean_kernel(k, inside, outside)
        + mean_kernel(k, outside, outside)
    )


def naive_regularisers(p, Y, member, k, *, overconditioned, positives=False):
    """R[t][m] of equation 4, or of equation 8: predictions, labels, memberships as lists of rows.

    A membership of None is unknown. With ``positives`` the condition is a label of one instead.
    """
    n, n_tasks, n_groups = len(p), len(p[0]), len(member[0])

    def counts(i, t):
        label = max(Y[i]) if overconditioned else Y[i][t]
        return label == (1 if positives else 0)

    return [
        [
            naive_mmd(
                [p[i][t] for i in range(n) if member[i][m] == 1 and counts(i, t)],
                [p[i][t] for i in range(n) if member[i][m] == 0 and counts(i, t)],
                k,
            )
            for m in range(n_groups)
        ]
        for t in range(n_tasks)
    ]
