"""What the test of equalized odds found, for one model and for several."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fairsk.independence._density_check import DensityCheck

# A density that fits fails its check with this probability.
CHECK_LEVEL = 0.01


@dataclass(frozen=True)
class EqualizedOddsTest:
    """Result of `equalized_odds_test` for one model.

    Attributes
    ----------
    statistic : float
        On the data; large means dependent.
    pvalue : float
        ``(1 + #{t_k >= t}) / (n_permutations + 1)``.
    permuted_statistics : ndarray of shape (n_permutations,)
        On the copies.
    statistic_name : str
    resampling : str
        How copies were made: ``"within_label"``, ``"icp"`` or ``"cp"``.
    n_rows : int
        Rows tested.
    n_missing : int
        Rows left out since a sensitive feature is missing.
    density_check : DensityCheck or None
        Whether the density fits the rows tested, where copies rest on one. Where its p-value is
        small, that of the test is not to be trusted.
    """

    statistic: float
    pvalue: float
    permuted_statistics: np.ndarray = field(repr=False)
    statistic_name: str
    resampling: str
    n_rows: int
    n_missing: int
    density_check: DensityCheck | None = field(repr=False)

    @property
    def n_permutations(self) -> int:
        return len(self.permuted_statistics)

    def reject(self, alpha: float = 0.05) -> bool:
        """Whether equalized odds is rejected at a level."""
        check_level(alpha)
        return self.pvalue <= alpha

    def __str__(self) -> str:
        copies = self.permuted_statistics
        return "\n".join(
            [
                f"Test of equalized odds on {_rows(self.n_rows, self.n_missing)}",
                f"{self.statistic_name} = {self.statistic:.4g}; on {self.n_permutations} copies "
                f"{copies.mean():.4g} on average, {copies.max():.4g} at most",
                f"p = {self.pvalue:.3g}",
                *_about_copies(self.resampling, self.density_check),
            ]
        )


@dataclass(frozen=True)
class EqualizedOddsTests:
    """Result of `equalized_odds_test` for several models, tested on the same copies.

    Attributes
    ----------
    results : dict of str to EqualizedOddsTest
        One model's own test each, without correction.
    adjusted_pvalues : dict of str to float
        Models whose adjusted p-value is at most alpha are rejected; the probability that any of
        the fair ones is among them is at most alpha.
    correction : {"holm", "max"}
    """

    results: dict[str, EqualizedOddsTest]
    adjusted_pvalues: dict[str, float]
    correction: str

    @property
    def statistic(self) -> dict[str, float]:
        """The statistic of each model."""
        return {name: result.statistic for name, result in self.results.items()}

    @property
    def pvalue(self) -> dict[str, float]:
        """The p-value of each model, not corrected."""
        return {name: result.pvalue for name, result in self.results.items()}

    def reject(self, alpha: float = 0.05) -> dict[str, bool]:
        """Which models are rejected, with a family-wise error of at most alpha."""
        check_level(alpha)
        return {name: value <= alpha for name, value in self.adjusted_pvalues.items()}

    def __getitem__(self, model: str) -> EqualizedOddsTest:
        return self.results[model]

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        first = next(iter(self.results.values()))
        width = max(len("model"), *(len(name) for name in self.results))
        lines = [
            f"Test of equalized odds of {len(self)} models on "
            f"{_rows(first.n_rows, first.n_missing)}, {first.n_permutations} copies",
            f"{'model':{width}}  {first.statistic_name:>9}  {'p':>6}  {'adjusted':>8}",
        ]
        for name, result in self.results.items():
            lines.append(
                f"{name:{width}}  {result.statistic:9.4g}  {result.pvalue:6.3g}  "
                f"{self.adjusted_pvalues[name]:8.3g}"
            )
        how = "Holm" if self.correction == "holm" else "largest statistic, step-down"
        lines.append(f"Adjusted for {len(self)} models ({how}).")
        return "\n".join([*lines, *_about_copies(first.resampling, first.density_check)])


def check_level(alpha: float) -> None:
    """Refuse a level outside (0, 1)."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha!r}.")


def adjust_max(statistics: np.ndarray) -> np.ndarray:
    """Step-down p-values of the largest statistic (Westfall and Young).

    Parameters
    ----------
    statistics : ndarray of shape (n_models, 1 + n_permutations)
        The data first. Each model is standardised over data and copies alike, which keeps them
        exchangeable.

    Returns
    -------
    ndarray of shape (n_models,)
    """
    centred = statistics - statistics.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    scaled = centred / np.where(spread > 0, spread, 1.0)
    order = np.argsort(-scaled[:, 0], kind="stable")
    # The largest among a model and those after it, for every copy.
    largest = np.maximum.accumulate(scaled[order][::-1], axis=0)[::-1]
    own = scaled[order, 0]
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(permutation_pvalues(own, largest[:, 1:]))
    return adjusted


def permutation_pvalues(observed: np.ndarray, permuted: np.ndarray) -> np.ndarray:
    """``(1 + #{t_k >= t}) / (K + 1)``; (n_models,) and (n_models, K) -> (n_models,)."""
    # Equal statistics computed in another order count as equal, which errs on the safe side.
    scale = np.maximum(np.abs(permuted).max(axis=1), np.abs(observed))
    at_least = permuted >= (observed - 1e-10 * scale)[:, None]
    return (1 + at_least.sum(axis=1)) / (1 + permuted.shape[1])


def _rows(n_rows: int, n_missing: int) -> str:
    left_out = f" ({n_missing:,} without sensitive features left out)" if n_missing else ""
    return f"{n_rows:,} rows{left_out}"


def _about_copies(resampling: str, check: DensityCheck | None) -> list[str]:
    if resampling == "within_label":
        return ["Copies: permuted at random within each label, exact."]
    if check is None:
        return [f"Copies: {resampling}; its density was not checked."]
    if check.pvalue > CHECK_LEVEL:
        return [f"Copies: {resampling}; its density passes the check (p = {check.pvalue:.2g})."]
    worst = min(check.pvalues, key=lambda name: check.pvalues[name])
    return [
        f"Copies: {resampling}; WARNING: its density does not fit (p = {check.pvalue:.2g}, worst: "
        f"{worst}), so that the test rejects too easily."
    ]
