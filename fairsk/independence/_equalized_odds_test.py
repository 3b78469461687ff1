"""Test of equalized odds by conditional permutations of the sensitive features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import _safe_indexing

from fairsk.independence._copies import Copies, make_copies
from fairsk.independence._density import as_generator, as_target
from fairsk.independence._equalized_odds_kpc import complete_rows
from fairsk.independence._statistics import (
    STATISTICS,
    CustomStatistic,
    Statistic,
    check_statistic,
)
from fairsk.independence._test_results import (
    CHECK_LEVEL,
    EqualizedOddsTest,
    EqualizedOddsTests,
    adjust_max,
    permutation_pvalues,
)
from fairsk.utils import adjust_holm, check_same_rows, check_sensitive_features

CORRECTIONS = ("holm", "max")


class DensityMisfitWarning(UserWarning):
    """A test rests on a conditional density that does not fit."""


def equalized_odds_test(
    y_true: ArrayLike,
    y_pred: Any,
    *,
    sensitive_features: Any,
    statistic: str | Callable[[Any, Any, Any], float] = "kpc",
    statistic_options: Mapping[str, Any] | None = None,
    resampling: Any = "auto",
    density: Any = None,
    density_data: tuple[ArrayLike, Any] | None = None,
    cv: Any = 5,
    n_permutations: int = 100,
    n_steps: int = 50,
    correction: str = "holm",
    check_density: bool = True,
    random_state: Any = None,
) -> EqualizedOddsTest | EqualizedOddsTests:
    r"""Test whether predictions are independent of sensitive features given the label.

    Copies of the sensitive features are drawn that depend on the label as they do, and on the
    predictions through the label alone. Where equalized odds holds, data and copies are
    exchangeable, and

    .. math:: p = \frac{1 + \#\{k: T(\hat Y, \tilde A_k, Y) \ge T(\hat Y, A, Y)\}}{K + 1}

    is a valid p-value: at most alpha with at most that probability, for any statistic T and any
    model that has not seen these rows. (Algorithm 2 is printed with the inequality reversed, and
    then never rejects.)

    Given a discrete label, permuting rows at random within each label is exact, and the default.
    A continuous label needs the density of y given A, for `InverseConditionalPermutation`. The
    test is then as good as the density: fit it on other rows (``density_data``), or cross-fit it
    (the default), and look at ``density_check`` of the result. A linear Gaussian in place of a
    curved dependence rejects fair models three to six times too often. With a few hundred rows
    prefer other rows, or a density of few parameters: a mixture network cross-fitted on 300 rows
    rejected .12 of fair models at .05, one fitted to 500 others .05
    (``benchmarks/equalized_odds_test.py``).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels of any number of classes, or numbers. Rows should be new to the model.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_classes), or dict of them
        Labels, probabilities or regression predictions; those of several models as a dict, or a
        list of arrays, whose models share the copies.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        Of any number and types. Rows with a missing value are left out.
    statistic : {"kpc", "hgr", "deo"} or callable, default="kpc"
        `equalized_odds_kpc`, `hgr_correlation` given the label, `fairsk.metrics.deo` (two labels,
        discrete features), or a function ``statistic(y_pred, A, y)`` that is large under
        dependence and gets A in the type that was passed.
    statistic_options : dict, optional
        Of the named statistics: kernel, bandwidth and n_neighbors of "kpc"; aggregate, relaxation
        and n_grid of "hgr".
    resampling : {"auto", "within_label", "icp", "cp"} or sampler, default="auto"
        How copies are drawn. "auto" is "within_label" for a discrete label (no numbers, or at
        most 30 different whole ones), otherwise "icp". A sampler that has been fitted, on other
        rows, is used as it is; one that has not is fitted to these rows.
    density : ConditionalDensity or FrozenEstimator, optional
        For "icp" and "cp"; by default theirs, but a `HeteroscedasticGaussianDensity` where "icp"
        cross-fits to fewer than 1,000 rows of a continuous label, too few for a network.
    density_data : tuple of (y, sensitive_features), optional
        Rows to fit the density to, such as the training data. Without them it is cross-fitted.
    cv : int, splitter or None, default=5
        Folds for cross-fitting; None fits the density to the very rows that are tested.
    n_permutations : int, default=100
        K. The smallest p-value is 1 / (K + 1): for M models with Holm's correction take more
        than M / alpha.
    n_steps : int, default=50
        Steps of the sampler's chain a copy.
    correction : {"holm", "max"}, default="holm"
        For several models. Holm's holds under any dependence between them. That of the largest
        statistic (Westfall and Young) uses the shared copies and is sharper, and holds where all
        fair models together are independent of A given y.
    check_density : bool, default=True
        Whether to check the density, which fits it a second time where it is cross-fitted.
    random_state : int, Generator, RandomState or None, default=None

    Returns
    -------
    EqualizedOddsTest, or EqualizedOddsTests for several models
        With ``statistic``, ``pvalue``, ``permuted_statistics`` and ``reject(alpha)``.

    Raises
    ------
    ValueError
        If rows do not match, there are fewer than ten complete ones, the label or the sensitive
        features are constant, a prediction is missing, or an option is unknown.

    Warns
    -----
    DensityMisfitWarning
        If the density check has a p-value of .01 or less.

    References
    ----------
    FairICP, algorithm 2 and proposition 2.2; Westfall and Young (1993), Resampling-based multiple
    testing.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.independence import equalized_odds_test
    >>> rng = np.random.default_rng(0)
    >>> sex, label = rng.choice(["f", "m"], 1000), rng.integers(0, 2, 1000)
    >>> fair = label + rng.normal(size=1000)
    >>> unfair = fair + 0.5 * (sex == "f")
    >>> models = {"fair": fair, "unfair": unfair}
    >>> tests = equalized_odds_test(label, models, sensitive_features=sex, random_state=0)
    >>> tests.reject(0.05)
    {'fair': False, 'unfair': True}
    >>> print(tests)
    Test of equalized odds of 2 models on 1,000 rows, 100 copies
    model         kpc       p  adjusted
    fair    -0.001089   0.782     0.782
    unfair    0.02534  0.0099    0.0198
    Adjusted for 2 models (Holm).
    Copies: permuted at random within each label, exact.
    """
    options = dict(statistic_options or {})
    name = check_statistic(statistic, options)
    _check_settings(n_permutations, correction)
    label = as_target(y_true, name="y_true")
    if label.ndim != 1:
        raise ValueError(f"y_true must be 1-D, got shape {label.shape}.")
    models, is_single = _as_models(y_pred, len(label))
    for model, output in models.items():
        shown = "y_pred" if is_single else f"y_pred[{model!r}]"
        check_same_rows(y_true=y_true, sensitive_features=sensitive_features, **{shown: output})
    features = check_sensitive_features(sensitive_features)
    rows = complete_rows(features)
    label, features = label[rows], features.take(rows)
    generator = as_generator(random_state)
    copies = make_copies(
        label,
        features,
        resampling=resampling,
        density=density,
        density_data=density_data,
        cv=cv,
        n_steps=n_steps,
        check_density=check_density,
        generator=generator,
    )
    outputs = [np.asarray(output)[rows] for output in models.values()]
    if callable(statistic):

        def take(permutation: np.ndarray) -> Any:
            return _safe_indexing(sensitive_features, rows[permutation])

        made: Statistic = CustomStatistic(label, outputs, take, statistic)
    else:
        made = STATISTICS[name](label, outputs, features, **options)
    values = _evaluate(made, copies, len(rows), n_permutations, generator)
    _warn_of_misfit(copies)
    pvalues = permutation_pvalues(values[:, 0], values[:, 1:])
    results = {
        model: EqualizedOddsTest(
            statistic=float(row[0]),
            pvalue=float(pvalue),
            permuted_statistics=row[1:],
            statistic_name=name,
            resampling=copies.name,
            n_rows=len(rows),
            n_missing=len(np.asarray(y_true)) - len(rows),
            density_check=copies.density_check,
        )
        for model, row, pvalue in zip(models, values, pvalues, strict=True)
    }
    if is_single:
        return next(iter(results.values()))
    adjusted = adjust_holm(pvalues) if correction == "holm" else adjust_max(values)
    return EqualizedOddsTests(
        results, dict(zip(models, adjusted.tolist(), strict=True)), correction
    )


def _evaluate(
    statistic: Statistic,
    copies: Copies,
    n_rows: int,
    n_permutations: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Statistics on the data and on copies; (n_models, 1 + n_permutations)."""
    values = [statistic(np.arange(n_rows))]
    values += [statistic(copies.draw(generator)) for _ in range(n_permutations)]
    return np.array(values).T


def _as_models(y_pred: Any, n_rows: int) -> tuple[dict[str, Any], bool]:
    """Predictions by name, and whether they are of one model."""
    if isinstance(y_pred, Mapping):
        if not y_pred:
            raise ValueError("y_pred is an empty dict: it must hold predictions by model.")
        return {str(name): output for name, output in y_pred.items()}, False
    # A list of rows, of labels or probabilities, has as many entries as there are rows.
    if isinstance(y_pred, list | tuple) and len(y_pred) != n_rows:
        are_rows = all(hasattr(part, "__len__") and len(part) == n_rows for part in y_pred)
        if are_rows and len(y_pred):
            return {f"model_{j}": output for j, output in enumerate(y_pred)}, False
    return {"y_pred": y_pred}, True


def _check_settings(n_permutations: int, correction: str) -> None:
    if not isinstance(n_permutations, int | np.integer) or n_permutations < 1:
        raise ValueError(f"n_permutations must be a positive integer, got {n_permutations!r}.")
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be one of {CORRECTIONS}, got {correction!r}.")


def _warn_of_misfit(copies: Copies) -> None:
    check = copies.density_check
    if check is not None and check.pvalue <= CHECK_LEVEL:
        worst = min(check.pvalues, key=lambda name: check.pvalues[name])
        warnings.warn(
            f"The density that copies are drawn with does not fit (p = {check.pvalue:.2g}, worst "
            f"in {worst!r}): the test rejects fair models too often. Pass another density, or "
            f"fit it on more rows with density_data.",
            DensityMisfitWarning,
            stacklevel=3,
        )
