"""Violations in one number: against naive loops, against fairlearn, and on awkward input."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairsk import metrics
from fairsk.notions import CONTRASTS, MEASURES, UndefinedFairnessWarning, list_notions
from tests._reference.naive_rates import naive_disparities

# Sums of at most a few hundred doubles in another order.
ROUNDING = 1e-12


def sample(seed, n=211, n_groups=3):
    """Labels, decisions, two sensitive features and weights; every cell has rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    decision = (rng.random(n) < 0.3 + 0.3 * y).astype(int)
    features = np.column_stack([rng.integers(0, n_groups, n), rng.integers(0, 2, n)])
    return y, decision, features, rng.uniform(0.1, 3, n)


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("notion", list_notions())
@pytest.mark.parametrize("groups", ["intersectional", "independent"])
def test_violation_is_that_of_naive_loops(notion, measure, contrast, groups):
    y, decision, features, weight = sample(seed=len(notion))
    features = features.astype(object)
    features[::7, 0] = None
    if groups == "independent":
        families = [list(column) for column in features.T]
    else:
        families = [[None if a is None else (a, b) for a, b in features]]
    disparities = np.array(
        naive_disparities(notion, y, decision, weight, families, measure, contrast)
    )
    expected = (
        np.abs(disparities).max()
        if measure == "difference"
        else np.minimum(disparities, 1 / disparities).min()
    )
    value = metrics.fairness_violation(
        y,
        decision,
        sensitive_features=features,
        notion=notion,
        measure=measure,
        contrast=contrast,
        groups=groups,
        sample_weight=weight,
    )
    assert value == pytest.approx(expected, abs=ROUNDING)
    shorthand = metrics.mean_difference if measure == "difference" else metrics.mean_ratio
    assert value == shorthand(
        y,
        decision,
        sensitive_features=features,
        notion=notion,
        contrast=contrast,
        groups=groups,
        sample_weight=weight,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("contrast", "method"),
    [("groups", "between_groups"), ("population", "to_overall")],
)
@pytest.mark.parametrize(
    "name",
    [
        "demographic_parity_difference",
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equal_opportunity_ratio",
        "equalized_odds_difference",
        "equalized_odds_ratio",
    ],
)
def test_agrees_with_fairlearn(name, contrast, method, seed):
    peer = pytest.importorskip("fairlearn.metrics")
    y, decision, features, weight = sample(seed)
    for sensitive, sample_weight in ((features[:, 0], None), (features, weight)):
        ours = getattr(metrics, name)(
            y,
            decision,
            sensitive_features=sensitive,
            contrast=contrast,
            sample_weight=sample_weight,
        )
        theirs = getattr(peer, name)(
            y,
            decision,
            sensitive_features=sensitive,
            method=method,
            sample_weight=sample_weight,
        )
        assert ours == pytest.approx(theirs, abs=ROUNDING)


def test_accuracy_average_odds_and_deo_are_their_formulas():
    y, decision, features, _ = sample(seed=3)
    group = features[:, 0]

    def rate(event, label=None):
        rows = [(group == g) & ((y == label) if label is not None else True) for g in range(3)]
        return np.array([event[r].mean() for r in rows])

    accuracy, tpr, fpr = rate(y == decision), rate(decision, 1), rate(decision, 0)
    options = {"sensitive_features": group}
    assert metrics.accuracy_difference(y, decision, **options) == pytest.approx(np.ptp(accuracy))
    assert metrics.average_odds_difference(y, decision, **options) == pytest.approx(
        (np.ptp(tpr) + np.ptp(fpr)) / 2
    )
    far = np.abs(tpr - decision[y == 1].mean()).sum() + np.abs(fpr - decision[y == 0].mean()).sum()
    assert metrics.deo(y, decision, **options) == pytest.approx(far)


def test_shorthands_show_their_options():
    for name in ("deo", "mean_ratio", "equalized_odds_ratio"):
        parameters = inspect.signature(getattr(metrics, name)).parameters
        assert {"sample_weight", "groups", "empty", "pos_label"} <= set(parameters)
        assert "options" not in parameters


@pytest.mark.parametrize(
    ("negative", "positive"), [(0, 1), (-1, 1), ("no", "yes"), (False, True), (1, 2)]
)
def test_any_two_labels(negative, positive):
    y, decision, features, _ = sample(seed=5)
    expected = metrics.equalized_odds_difference(y, decision, sensitive_features=features)
    labels = np.array([negative, positive])
    for convert in (np.asarray, list, pd.Series, pl.Series):
        value = metrics.equalized_odds_difference(
            convert(labels[y]), convert(labels[decision]), sensitive_features=features
        )
        assert value == expected
    swapped = metrics.fairness_violation(
        labels[y],
        labels[decision],
        sensitive_features=features,
        notion="equal_opportunity",
        contrast="groups",
        pos_label=labels[0].item(),
    )
    # The other label's true positive rate is one minus the false positive rate.
    assert swapped == pytest.approx(
        metrics.fairness_violation(
            y,
            decision,
            sensitive_features=features,
            notion="predictive_equality",
            contrast="groups",
        ),
        abs=ROUNDING,
    )


def test_decisions_may_be_probabilities():
    y, decision, features, _ = sample(seed=6)
    soft = 0.2 + 0.5 * decision
    value = metrics.demographic_parity_difference(y, soft, sensitive_features=features)
    hard = metrics.demographic_parity_difference(y, decision, sensitive_features=features)
    assert value == pytest.approx(0.5 * hard, abs=ROUNDING)
    named = np.array(["no", "yes"])[y]
    assert value == metrics.demographic_parity_difference(named, soft, sensitive_features=features)


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, np.asarray, np.ndarray.tolist])
def test_containers_of_sensitive_features(container):
    y, decision, features, _ = sample(seed=7)
    expected = metrics.deo(y, decision, sensitive_features=features)
    assert metrics.deo(y, decision, sensitive_features=container(features)) == expected


# Group "c" has no positives.
EMPTY = {
    "y_true": [0, 1, 0, 1, 1, 0, 0],
    "y_pred": [0, 1, 1, 1, 0, 1, 0],
    "sensitive_features": list("aabbbcc"),
}


@pytest.mark.parametrize(
    "metric",
    [
        metrics.equal_opportunity_difference,
        metrics.equal_opportunity_ratio,
        metrics.equalized_odds_difference,
        metrics.average_odds_difference,
        metrics.deo,
    ],
)
def test_empty_cells_have_no_silent_value(metric):
    with pytest.warns(UndefinedFairnessWarning, match="true_positive_rate of group c"):
        assert np.isnan(metric(**EMPTY))
    with pytest.raises(ValueError, match="true_positive_rate of group c"):
        metric(**EMPTY, empty="raise")
    with pytest.warns(UndefinedFairnessWarning, match="left out"):
        assert np.isfinite(metric(**EMPTY, empty="skip"))


def test_skip_leaves_out_the_empty_group():
    with pytest.warns(UndefinedFairnessWarning, match="left out"):
        value = metrics.equal_opportunity_difference(**EMPTY, empty="skip")
    assert value == 0.5


def test_no_two_groups_left_is_undefined_not_fair():
    y_true, y_pred = [0, 1, 0, 0], [0, 1, 1, 0]
    with pytest.warns(UndefinedFairnessWarning) as caught:
        value = metrics.equal_opportunity_difference(
            y_true, y_pred, sensitive_features=list("aabb"), empty="skip"
        )
    assert np.isnan(value)
    assert any("no two groups" in str(warning.message) for warning in caught)


def test_rows_of_unknown_group_are_left_out():
    y, decision, features, weight = sample(seed=8)
    group = np.where(features[:, 0] == 0, None, features[:, 0])
    known = features[:, 0] != 0
    value = metrics.deo(y, decision, sensitive_features=group, sample_weight=weight)
    assert value == metrics.deo(
        y[known],
        decision[known],
        sensitive_features=features[known, 0],
        sample_weight=weight[known],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": [0, 1, 2, 0]}, "must hold two labels"),
        ({"y_true": [0, 1, np.nan, 0]}, "missing or infinite"),
        ({"y_true": ["a", "b", None, "a"]}, "missing values"),
        ({"y_true": ["a", "a", "a", "a"], "y_pred": ["a", "a", "a", "a"]}, "pass pos_label"),
        ({"y_true": [[0, 1], [1, 0], [0, 0], [1, 1]]}, "must be 1-D"),
        ({"y_true": [0, 1, 0]}, "y_true has 3 rows"),
        ({"y_pred": ["x", "y", "x", "y"]}, "cannot be ordered|must hold two labels"),
        ({"y_pred": [0, 1, 0.5, 1.5]}, "must hold two labels"),
        ({"y_pred": [0, 1, np.nan, 1]}, "missing values"),
        ({"sensitive_features": ["a"] * 4}, "is constant"),
        ({"sensitive_features": [None] * 4}, "missing"),
        ({"sample_weight": [1, 1, 1, -1]}, "nonnegative"),
        ({"sample_weight": [0, 0, 0, 0]}, "not zero everywhere"),
        ({"groups": "both"}, "groups must be one of"),
        ({"empty": "drop"}, "empty must be one of"),
        ({"contrast": "pairs"}, "contrast must be one of"),
        ({"measure": "odds"}, "measure must be one of"),
        ({"notion": "parity"}, "notion must be one of"),
        ({"pos_label": 7}, "not one of the labels"),
    ],
)
def test_bad_input_is_explained(change, message):
    arguments = {
        "y_true": [0, 1, 0, 1],
        "y_pred": [0, 1, 1, 1],
        "sensitive_features": list("aabb"),
        "notion": "demographic_parity",
    }
    with pytest.raises(ValueError, match=message):
        metrics.fairness_violation(**(arguments | change))


def test_continuous_sensitive_feature_says_how_to_bin_it():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"looks continuous.*Bin it first"):
        metrics.deo([0, 1] * 40, [1, 1] * 40, sensitive_features=rng.normal(size=80))


def test_shuffled_pandas_index_is_an_error():
    y = pd.Series([0, 1, 0, 1])
    group = pd.Series(list("abab"), index=[3, 2, 1, 0])
    with pytest.raises(ValueError, match="indices of y_true and sensitive_features differ"):
        metrics.deo(y, [0, 1, 1, 1], sensitive_features=group)


def test_one_class_in_a_fold():
    # All negative: the usual coding is assumed and only what needs positives is undefined.
    options = {"sensitive_features": list("aabb")}
    assert metrics.demographic_parity_difference([0] * 4, [1, 0, 1, 1], **options) == 0.5
    with pytest.warns(UndefinedFairnessWarning):
        assert np.isnan(metrics.equal_opportunity_difference([0] * 4, [1, 0, 1, 1], **options))
    named = metrics.demographic_parity_difference(
        ["no"] * 4, ["no"] * 4, pos_label="yes", **options
    )
    assert named == 0


rows = st.integers(8, 40)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=rows)
def test_order_of_rows_and_names_of_groups_do_not_matter(data, n):
    y = data.draw(arrays(int, n, elements=st.integers(0, 1)))
    decision = data.draw(arrays(int, n, elements=st.integers(0, 1)))
    group = np.resize([0, 1, 2], n)
    order = data.draw(st.permutations(range(n)))
    renamed = np.array(["z", "m", "a"])[group]
    for notion in ("demographic_parity", "accuracy_parity"):
        value = metrics.mean_difference(y, decision, sensitive_features=group, notion=notion)
        other = metrics.mean_difference(
            y[order], decision[order], sensitive_features=renamed[order], notion=notion
        )
        assert value == pytest.approx(other, abs=ROUNDING)


@settings(max_examples=40, deadline=None)
@given(
    table=arrays(int, (2, 2), elements=st.integers(1, 4)),
    copies=st.lists(st.integers(1, 3), min_size=2, max_size=4),
)
def test_groups_with_the_same_table_are_fair(table, copies):
    """Every group a multiple of the same (label, decision) table: no notion is violated."""
    y, decision, group = [], [], []
    for a, times in enumerate(copies):
        for label in (0, 1):
            for h in (0, 1):
                count = times * table[label, h]
                y += [label] * count
                decision += [h] * count
                group += [a] * count
    for notion in list_notions():
        for contrast in CONTRASTS:
            options = {"sensitive_features": group, "notion": notion, "contrast": contrast}
            assert metrics.mean_difference(y, decision, **options) == pytest.approx(0, abs=1e-12)
            assert metrics.mean_ratio(y, decision, **options) == pytest.approx(1, abs=1e-12)
