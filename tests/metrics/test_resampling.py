"""The bootstrap of cells: the row bootstrap's distribution, and intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from fairsk.metrics import (
    ConfusionCells,
    disparity_intervals,
    group_rates,
    resample_cells,
    simultaneous_intervals,
    violation_interval,
    violation_upper_bound,
)
from fairsk.notions import (
    CONTRASTS,
    MEASURES,
    CellMasses,
    cell_masses,
    get_notion,
    linear_constraints,
)
from fairsk.utils import GroupEncoder
from tests._reference.row_bootstrap import row_bootstrap

GROUP_SHARE = np.array([0.45, 0.35, 0.2])
POSITIVE = np.array([0.3, 0.5, 0.4])
TPR = np.array([0.8, 0.6, 0.7])
FPR = np.array([0.1, 0.3, 0.2])


def population():
    total = np.stack([GROUP_SHARE * (1 - POSITIVE), GROUP_SHARE * POSITIVE])
    return CellMasses(total * np.stack([FPR, TPR]), total, np.zeros(3, dtype=int))


def draw(rng, n):
    group = rng.choice(3, n, p=GROUP_SHARE)
    y = (rng.random(n) < POSITIVE[group]).astype(int)
    decision = (rng.random(n) < np.where(y == 1, TPR[group], FPR[group])).astype(int)
    return y, decision, group


@pytest.mark.parametrize("kind", ["labels", "weights", "probabilities", "independent"])
def test_standard_errors_are_those_of_the_row_bootstrap(kind):
    rng = np.random.default_rng(0)
    y, decision, group = draw(rng, 900)
    weight = rng.uniform(0.2, 3, 900) if kind == "weights" else None
    decision = decision * 0.6 + 0.4 * rng.random(900) if kind == "probabilities" else decision
    features = np.column_stack([group, rng.integers(0, 2, 900)]).astype(object)
    features[:40, 0] = None
    encoder = GroupEncoder("independent" if kind == "independent" else "intersectional")
    groups = encoder.fit_transform(features)
    n_resamples = 2000
    slow = row_bootstrap(
        y, decision, groups, sample_weight=weight, n_resamples=n_resamples, random_state=1
    )
    fast = resample_cells(
        y, decision, groups, sample_weight=weight, n_resamples=n_resamples, random_state=2
    )
    np.testing.assert_allclose(fast.total.mean(axis=0), slow.total.mean(axis=0), rtol=0.02)
    for name in ("equalized_odds", "accuracy_parity"):
        notion = get_notion(name)
        expected = notion.disparities(slow).std(axis=0)
        found = notion.disparities(fast).std(axis=0)
        # Two standard deviations of 2,000 draws differ by 1/sqrt(2,000) = 2.2 %, four times that
        # for the worst of 24; the smoothing of cells of about 60 rows adds up to 3 %.
        np.testing.assert_allclose(found, expected, rtol=0.12)


def test_correlation_between_families_is_that_of_the_row_bootstrap():
    rng = np.random.default_rng(3)
    y, decision, group = draw(rng, 600)
    # The second feature is nearly the first one: their rates move together.
    other = np.where(rng.random(600) < 0.9, group == 0, group == 1)
    groups = GroupEncoder("independent").fit_transform(np.column_stack([group, other]))
    notion = get_notion("demographic_parity")
    correlation = [
        np.corrcoef(notion.group_rates(masses)[:, 0].T)
        for masses in (
            row_bootstrap(y, decision, groups, n_resamples=1500),
            resample_cells(y, decision, groups, n_resamples=1500),
        )
    ]
    # Standard error of a correlation: at most 1/sqrt(1,500) = .026 each, .036 of the difference.
    np.testing.assert_allclose(correlation[0], correlation[1], atol=0.12)


def test_same_seed_same_resamples_and_zero_weights_are_no_rows():
    y, decision, group = draw(np.random.default_rng(4), 300)
    groups = GroupEncoder().fit_transform(group)
    one = resample_cells(y, decision, groups, n_resamples=50, random_state=7)
    two = resample_cells(y, decision, groups, n_resamples=50, random_state=7)
    np.testing.assert_array_equal(one.selected, two.selected)
    kept = np.arange(300) % 3 > 0
    dropped = resample_cells(y[kept], decision[kept], groups.take(kept), n_resamples=50)
    weighted = resample_cells(y, decision, groups, sample_weight=1.0 * kept, n_resamples=50)
    np.testing.assert_array_equal(dropped.selected, weighted.selected)


def test_equal_weights_are_exact_and_only_change_the_unit():
    y, decision, group = draw(np.random.default_rng(5), 300)
    groups = GroupEncoder().fit_transform(group)
    plain = resample_cells(y, decision, groups, n_resamples=50)
    scaled = resample_cells(y, decision, groups, sample_weight=np.full(300, 2.5), n_resamples=50)
    np.testing.assert_allclose(scaled.selected, 2.5 * plain.selected, rtol=1e-12)


def test_many_cells_are_drawn_in_chunks(monkeypatch):
    y, decision, group = draw(np.random.default_rng(6), 200)
    groups = GroupEncoder().fit_transform(group)
    whole = resample_cells(y, decision, groups, n_resamples=100)
    monkeypatch.setattr("fairsk.metrics._resampling.MAX_CELLS_AT_ONCE", 90)
    np.testing.assert_array_equal(
        resample_cells(y, decision, groups, n_resamples=100).total, whole.total
    )


def test_smoothing_gives_every_group_half_a_row_of_either_decision():
    y, decision = np.ones(6, dtype=int), np.array([1, 1, 1, 0, 0, 1])
    groups = GroupEncoder().fit_transform(list("aaabbc"))
    cells = ConfusionCells.from_rows(y, decision, groups)
    rates = cells.centre.selected[1] / cells.centre.total[1]
    np.testing.assert_allclose(rates, [3.5 / 4, 0.5 / 3, 1.5 / 2], rtol=1e-12)
    np.testing.assert_array_equal(cells.centre.total[1], [3, 2, 1])


@pytest.mark.parametrize("weighted", [False, True])
def test_a_rate_of_one_in_a_small_group_has_an_interval(weighted):
    rng = np.random.default_rng(7)
    y = np.r_[rng.integers(0, 2, 200), np.ones(4, dtype=int)]
    decision = np.r_[rng.integers(0, 2, 200), np.ones(4, dtype=int)]
    group = np.repeat(["a", "b"], [200, 4])
    weight = rng.uniform(0.5, 2, 204) if weighted else None
    report = group_rates(
        y,
        decision,
        sensitive_features=group,
        rates=["true_positive_rate"],
        sample_weight=weight,
    )
    assert report.estimates[0, 1] == pytest.approx(1, abs=1e-12)
    assert report.upper[0, 1] == pytest.approx(1, abs=1e-12)
    # Four out of four: Wilson's 95 % interval for one rate begins at 0.51.
    assert 0.2 < report.lower[0, 1] < 0.51
    for measure in MEASURES:
        disparity = disparity_intervals(
            y, decision, sensitive_features=group, notion="equal_opportunity", measure=measure
        )
        assert disparity.upper[0, 1] - disparity.lower[0, 1] > 0.1


def test_ratio_of_a_rate_of_zero_has_an_upper_end():
    y = np.r_[np.tile([0, 1], 100), np.zeros(6, dtype=int)]
    decision = np.r_[np.tile([0, 1], 100), np.zeros(6, dtype=int)]
    report = disparity_intervals(
        y, decision, sensitive_features=np.repeat(["a", "b"], [200, 6]), measure="ratio"
    )
    assert report.estimates[0, 1] == 0
    assert report.lower[0, 1] == 0
    assert 0 < report.upper[0, 1] < 1.5
    assert report.worst == 0 == report.worst_lower


@pytest.mark.parametrize("name", ["demographic_parity", "equalized_odds"])
def test_simultaneous_intervals_cover(name):
    """300 samples of 400 rows; each interval set must hold at least as often as it says."""
    rng, notion, truth = np.random.default_rng(8), get_notion(name), population()
    held, width = {}, []
    for _ in range(300):
        y, decision, group = draw(rng, 400)
        options = {"sensitive_features": group, "confidence": 0.9, "n_resamples": 400}
        report = group_rates(y, decision, rates=name, **options)
        rates = notion.group_rates(truth)
        inside = (report.lower <= rates) & (rates <= report.upper)
        held.setdefault("rates", []).append(inside.all())
        width.append(np.mean(report.upper - report.lower))
        for measure in MEASURES:
            for contrast in CONTRASTS:
                kind = {"measure": measure, "contrast": contrast}
                found = disparity_intervals(y, decision, notion=name, **kind, **options)
                value = notion.disparities(truth, **kind)
                # The lowest group's distance from itself is 0, up to rounding.
                inside = (found.lower - 1e-12 <= value) & (value <= found.upper + 1e-12)
                held.setdefault((measure, contrast), []).append(inside.all())
                worst = notion.violation(truth, **kind)
                inside = found.worst_lower <= worst <= found.worst_upper
                held.setdefault((measure, contrast, "worst"), []).append(inside)
    # Three Monte Carlo standard errors of a coverage of .9 in 300 samples: .052.
    floor = 0.9 - 3 * np.sqrt(0.9 * 0.1 / 300)
    coverage = {kind: np.mean(hits) for kind, hits in held.items()}
    assert min(coverage.values()) >= floor, coverage
    # Not by being absurdly wide: a Bonferroni-corrected normal interval of a rate near .5 for
    # the mean group (133 rows, or half of them for equalized odds) is .20 (.31) wide.
    assert np.mean(width) < {"demographic_parity": 0.22, "equalized_odds": 0.35}[name]


def test_critical_value_between_pointwise_and_bonferroni():
    rng = np.random.default_rng(9)
    draws = rng.normal(size=(20_000, 8)) @ np.linalg.cholesky(0.6 + 0.4 * np.eye(8)).T
    zero = np.zeros(8)
    together = simultaneous_intervals(zero, draws, zero).critical_value
    alone = simultaneous_intervals(zero, draws, zero, simultaneous=False).critical_value
    # Normal quantiles at .975 and .975 with 8-fold Bonferroni; the quantile of 20,000 draws has
    # a standard error of .02.
    assert 1.96 < together < 2.73
    np.testing.assert_allclose(alone, 1.96, atol=0.08)


def test_undefined_and_fixed_quantities_do_not_disturb_the_others():
    draws = np.random.default_rng(10).normal(size=(5000, 3))
    draws[:, 1] = np.nan
    draws[:, 2] = 0
    draws[::10, 0] = np.nan
    found = simultaneous_intervals(np.array([0.0, np.nan, 0.0]), draws, np.zeros(3))
    # Ten per cent of the resamples count as no deviation: the quantile is a little smaller.
    assert 1.8 < found.critical_value < 2.05
    assert np.isnan([found.lower[1], found.upper[1], found.standard_error[1]]).all()
    assert found.lower[2] == found.upper[2] == 0
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        simultaneous_intervals(np.zeros(3), draws, np.zeros(3), confidence=95)


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("measure", MEASURES)
def test_bound_is_in_the_order_of_the_constraint_rows(measure, contrast):
    y, decision, group = draw(np.random.default_rng(11), 800)
    features = np.column_stack([group, np.arange(800) % 2])
    groups = GroupEncoder("independent").fit_transform(features)
    notion = get_notion("equalized_odds")
    kind = {"measure": measure, "contrast": contrast}
    bound = violation_upper_bound(y, decision, groups, notion, n_resamples=500, **kind)
    masses = cell_masses(y, decision, groups)
    rows = linear_constraints(
        notion, masses.total, masses.family_of, bound=0.5, labels=groups.labels, **kind
    )
    assert bound.estimate.size == bound.margin.size == rows.n_multipliers
    if measure == "difference":
        np.testing.assert_allclose(rows.values(notion, masses), bound.estimate.ravel(), atol=1e-12)
    else:
        # An upper row is bound * rate - reference <= 0: it holds where the ratio is small.
        upper = rows.sign > 0
        np.testing.assert_array_equal(
            rows.values(notion, masses)[upper] <= 0, bound.estimate.ravel() <= 1 / 0.5
        )
    assert bound.violation == pytest.approx(notion.violation(masses, **kind), abs=1e-12)
    lower, upper = violation_interval(y, decision, groups, notion, n_resamples=500, **kind)
    assert bound.bound == (upper if measure == "difference" else lower)
    assert lower <= bound.violation <= upper
    assert (bound.margin > 0).all()


def test_bound_of_an_empty_cell_is_an_error():
    groups = GroupEncoder().fit_transform(list("aabb"))
    y = np.array([0, 1, 0, 0])
    with pytest.raises(ValueError, match="true_positive_rate of group b"):
        violation_upper_bound(y, y, groups, "equal_opportunity")
