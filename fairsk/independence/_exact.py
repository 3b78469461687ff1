"""Sums of independent draws, conditioned on their total: exact samplers that need no chain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import fft
from scipy.optimize import brentq
from scipy.special import expit, gammaln, xlog1py, xlogy


class ConditionalBernoulli:
    r"""Independent Bernoulli variables conditioned on their sum, drawn exactly.

    With two classes, equation (7) of FairICP gives every row i the odds
    :math:`q(1 \mid a_i) / q(0 \mid a_i)`, and the number of ones is fixed. Drawing all rows until
    the sum is right accepts about one of :math:`2.5 \sigma` draws, where :math:`\sigma^2` is the
    variance of the sum: hundreds. Here the first half of the rows is drawn, and accepted with the
    probability that the second half makes up the rest, divided by its maximum, which accepts two
    of three draws; then the second half is treated in the same way. The distribution of the sum of
    each half comes from convolutions, made once.

    Parameters
    ----------
    logits : ndarray of shape (n,)
        Log-odds of a one, up to a common constant, which the conditioning removes.
    total : int
        The sum, between 0 and n.

    Raises
    ------
    ValueError
        If a log-odds is NaN, or infinite ones make the sum impossible.

    Examples
    --------
    >>> bernoulli = ConditionalBernoulli(np.array([-1.0, 0.0, 2.0]), 2)
    >>> bernoulli.draw(np.random.default_rng(0)).tolist()
    [False, True, True]
    """

    def __init__(self, logits: np.ndarray, total: int) -> None:
        _check_possible(logits, np.ones(len(logits), dtype=np.int64), total)
        self.n_rows = len(logits)
        self.total = total
        # Any order is right; a random one gives halves of like variance. It is always the same.
        self._order = np.random.default_rng(0).permutation(self.n_rows)
        size = 1 << max(self.n_rows - 1, 0).bit_length()
        # Filled up to a power of two, in front, with rows that are never one.
        self._probabilities = np.zeros(size)
        self._probabilities[size - self.n_rows :] = _tilted(logits, total)[self._order]
        self._tails = _sums_of_tails(self._probabilities)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw which rows are one; bool of shape (n,)."""
        size = len(self._probabilities)
        ones = np.zeros(size, dtype=bool)
        start, rest = 0, self.total
        for pmf in self._tails:
            stop = size - len(pmf) + 1
            odds = pmf / pmf.max()
            while True:
                draw = rng.random(stop - start) < self._probabilities[start:stop]
                left = rest - int(np.count_nonzero(draw))
                if 0 <= left < len(odds) and rng.random() < odds[left]:
                    break
            ones[start:stop], start, rest = draw, stop, left
        ones[start:] = rest
        result = np.empty(self.n_rows, dtype=bool)
        result[self._order] = ones[size - self.n_rows :]
        return result


def _check_possible(logits: np.ndarray, sizes: np.ndarray, total: int) -> None:
    """Refuse what no draw can satisfy, which rejection would look for without end."""
    if np.isnan(logits).any():
        raise ValueError(f"{int(np.isnan(logits).sum())} of the log-odds are NaN.")
    least, most = int(sizes[np.isposinf(logits)].sum()), int(sizes[~np.isneginf(logits)].sum())
    if not least <= total <= most:
        raise ValueError(
            f"The sum cannot be {total}: the density makes {least} of the rows certainly one and "
            f"{int(sizes.sum()) - most} certainly zero, of {int(sizes.sum())}."
        )


def _tilted(logits: np.ndarray, total: int) -> np.ndarray:
    """Probabilities with the given log-odds ratios whose mean sum is the total."""
    # Only finite log-odds can be moved; the others are decided.
    finite = logits[np.isfinite(logits)]
    rest = total - int(np.count_nonzero(np.isposinf(logits)))
    if not 0 < rest < len(finite):
        probabilities = np.isposinf(logits).astype(float)
        probabilities[np.isfinite(logits)] = float(rest > 0)
        return probabilities
    reach = float(np.abs(finite).max()) + np.log(len(finite)) + 1.0
    # The shift decides how many draws are accepted, not their distribution: no need to be exact.
    shift = brentq(lambda c: expit(finite + c).sum() - rest, -reach, reach, xtol=1e-6)
    return expit(logits + shift)


def _sums_of_tails(probabilities: np.ndarray) -> list[np.ndarray]:
    """Distribution of the sum of the last half of the rows, the last quarter, ..., the last row.

    Bottom up: neighbours are convolved, all of a level at once. The error of the transform, about
    1e-16 of the largest probability, is far below what any number of draws could show.
    """
    tail = probabilities[len(probabilities) // 2 :]
    if not len(tail) or len(probabilities) == 1:
        return []
    level = np.column_stack([1.0 - tail, tail])
    tails = [level[-1]]
    while len(level) > 1:
        level = _convolve_rows(level[0::2], level[1::2])
        tails.append(level[-1])
    return tails[::-1]


def _convolve_rows(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    width = first.shape[1] + second.shape[1] - 1
    if first.shape[1] <= 17:
        result = np.zeros((len(first), width))
        for shift in range(second.shape[1]):
            result[:, shift : shift + first.shape[1]] += first * second[:, shift, None]
        return result
    length = fft.next_fast_len(width, real=True)
    product = fft.rfft(first, length) * fft.rfft(second, length)
    return fft.irfft(product, length)[:, :width].clip(min=0.0)


def conditional_binomials(
    sizes: np.ndarray, logits: np.ndarray, total: int, rng: np.random.Generator
) -> np.ndarray:
    """Independent binomials conditioned on their sum, drawn exactly.

    All but the one with the largest variance are drawn, and accepted with the probability that it
    makes up the rest, divided by its maximum.

    Parameters
    ----------
    sizes : ndarray of int of shape (m,)
        Number of trials of each.
    logits : ndarray of shape (m,)
        Log-odds of a success, up to a common constant.
    total : int
        The sum, between 0 and that of the sizes.
    rng : Generator

    Returns
    -------
    ndarray of int of shape (m,)
    """
    _check_possible(logits, sizes, total)
    open_ = sizes > 0
    if not open_.all():
        counts = np.zeros(len(sizes), dtype=np.int64)
        if open_.any():
            counts[open_] = conditional_binomials(sizes[open_], logits[open_], total, rng)
        return counts
    if total == 0 or len(sizes) == 1:
        return np.full(len(sizes), total, dtype=np.int64)
    if total == sizes.sum():
        return sizes.astype(np.int64)
    p = _tilted_binomials(sizes, logits, total)
    last = int(np.argmax(sizes * p * (1 - p)))
    others = np.arange(len(sizes)) != last
    mode = min(int((sizes[last] + 1) * p[last]), int(sizes[last]))
    highest = _log_binomial(np.array([mode]), sizes[last], p[last])[0]
    for batch in _batch_sizes():
        draws = rng.binomial(sizes[others], p[others], size=(batch, len(sizes) - 1))
        left = total - draws.sum(axis=1)
        possible = (left >= 0) & (left <= sizes[last])
        odds = np.zeros(batch)
        log_odds = _log_binomial(left[possible], sizes[last], p[last]) - highest
        odds[possible] = np.exp(np.minimum(log_odds, 0.0))
        accepted = np.flatnonzero(rng.random(batch) < odds)
        if len(accepted):
            # The first one: which of several is chosen must not depend on their values.
            row = accepted[0]
            break
    counts = np.empty(len(sizes), dtype=np.int64)
    counts[others], counts[last] = draws[row], left[row]
    return counts


def _batch_sizes() -> Iterator[int]:
    size = 4
    while True:
        yield size
        size = min(2 * size, 1024)


def _tilted_binomials(sizes: np.ndarray, logits: np.ndarray, total: int) -> np.ndarray:
    """Probabilities with the given log-odds ratios whose expected sum is the total."""
    finite = np.isfinite(logits)
    rest = total - int(sizes[np.isposinf(logits)].sum())
    movable = int(sizes[finite].sum())
    if not 0 < rest < movable:
        p = np.isposinf(logits).astype(float)
        p[finite] = float(rest > 0)
        return p
    low, high = logits[finite], sizes[finite]
    reach = float(np.abs(low).max()) + np.log(movable) + 1.0
    shift = brentq(lambda c: high @ expit(low + c) - rest, -reach, reach, xtol=1e-4)
    return expit(logits + shift)


def _log_binomial(count: np.ndarray, size: int, p: float) -> np.ndarray:
    choose = gammaln(size + 1) - gammaln(count + 1) - gammaln(size - count + 1)
    return choose + xlogy(count, p) + xlog1py(size - count, -p)
