"""The definition of the notions: rates, disparities, constraint rows and multipliers."""

from __future__ import annotations

import numpy as np
import pytest

from fairsk.notions import (
    CONTRASTS,
    MEASURES,
    CellMasses,
    FairnessNotion,
    UndefinedFairnessWarning,
    cell_masses,
    get_notion,
    linear_constraints,
    list_notions,
)
from fairsk.utils import GroupEncoder
from tests._reference.naive_rates import NOTION_RATES, naive_disparities, naive_rate

ROUNDING = 1e-12  # a few hundred double additions in another order
FAMILIES = np.array([0, 0, 0, 1, 1])


def random_masses(seed):
    """Masses of five groups in two families of the same population."""
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.ones(12)).reshape(2, 3, 2)
    chosen = joint * rng.random((2, 3, 2))

    def fold(mass):
        return np.concatenate([mass.sum(axis=2), mass.sum(axis=1)], axis=1)

    return CellMasses(fold(chosen), fold(joint), FAMILIES)


@pytest.mark.parametrize("name", list_notions())
def test_rates_and_disparities_are_those_of_naive_loops(name):
    rng = np.random.default_rng(1)
    n = 97
    y, h, w = rng.integers(0, 2, n), rng.random(n), rng.uniform(0.5, 2, n)
    labels = rng.integers(0, 3, n).tolist()
    labels[::5] = [None] * len(labels[::5])
    masses = cell_masses(y, h, GroupEncoder().fit_transform(labels), sample_weight=w)
    notion = get_notion(name)
    expected = [
        [naive_rate(rate, y, h, w, [i for i in range(n) if labels[i] == a]) for a in range(3)]
        for rate in NOTION_RATES[name]
    ]
    np.testing.assert_allclose(notion.group_rates(masses), expected, rtol=0, atol=ROUNDING)
    for measure in MEASURES:
        for contrast in CONTRASTS:
            np.testing.assert_allclose(
                notion.disparities(masses, measure=measure, contrast=contrast).ravel(),
                naive_disparities(name, y, h, w, [labels], measure, contrast),
                rtol=0,
                atol=ROUNDING,
            )


def test_rates_broadcast_over_leading_axes():
    one, two = random_masses(0), random_masses(1)
    both = CellMasses(
        np.stack([one.selected, two.selected]), np.stack([one.total, two.total]), FAMILIES
    )
    for name in list_notions():
        notion = get_notion(name)
        for contrast in CONTRASTS:
            stacked = notion.disparities(both, contrast=contrast)
            np.testing.assert_array_equal(stacked[1], notion.disparities(two, contrast=contrast))


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", list_notions())
def test_constraints_hold_exactly_when_the_violation_is_within_the_bound(name, measure, contrast):
    notion = get_notion(name)
    bounds = (0.02, 0.1, 0.4) if measure == "difference" else (0.5, 0.8, 0.97)
    outcomes = set()
    for seed in range(40):
        masses = random_masses(seed)
        # Every other rule is drawn towards fairness, so that both outcomes occur.
        if seed % 2:
            shrunk = 0.5 * masses.total + 0.02 * (masses.selected - 0.5 * masses.total)
            masses = CellMasses(shrunk, masses.total, FAMILIES)
        for bound in bounds:
            rows = linear_constraints(
                notion, masses.total, FAMILIES, measure=measure, bound=bound, contrast=contrast
            )
            # E[f u[r, a]] of a rule with these selection masses.
            moments = np.einsum("rya,ya->ra", rows.coefficients, masses.selected)
            np.testing.assert_allclose(
                moments + rows.constants, notion.group_rates(masses), rtol=0, atol=ROUNDING
            )
            value = rows.contrasts @ moments.ravel()
            slack = min((rows.upper - value).min(), (value - rows.lower).min())
            if abs(slack) < ROUNDING:
                continue
            violation = notion.violation(masses, measure=measure, contrast=contrast)
            within = violation <= bound if measure == "difference" else violation >= bound
            assert within == (slack > 0)
            outcomes.add(within)
            # Against the sample's own totals the rows have the values that the program sees.
            np.testing.assert_allclose(
                rows.values(notion, masses) - rows.contrasts @ rows.constants.ravel(),
                value,
                rtol=0,
                atol=ROUNDING,
            )
    assert outcomes == {True, False}


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("measure", MEASURES)
def test_signed_multipliers_round_trip(measure, contrast):
    masses = random_masses(2)
    rows = linear_constraints(
        get_notion("equalized_odds"),
        masses.total,
        FAMILIES,
        measure=measure,
        bound=0.3,
        contrast=contrast,
    )
    n_contrasts = 5 if contrast == "population" else 3 + 1
    assert rows.n_multipliers == 2 * n_contrasts == len(rows.multiplier_names)
    signed = np.random.default_rng(0).normal(size=rows.n_multipliers)
    per_row = rows.from_signed(signed)
    np.testing.assert_array_equal(rows.to_signed(per_row), signed)
    if measure == "ratio":
        assert (per_row >= 0).all()


def test_cell_costs_price_the_contrasts():
    """Selecting a member of (y, a) costs the multipliers' prices of what it adds to each row."""
    masses = random_masses(3)
    rows = linear_constraints(get_notion("equalized_odds"), masses.total, FAMILIES, bound=0.1)
    signed = np.random.default_rng(1).normal(size=rows.n_multipliers)
    moments = np.einsum("rya,ya->ra", rows.coefficients, masses.selected).ravel()
    assert (rows.cell_costs(signed) * masses.selected).sum() == pytest.approx(
        signed @ (rows.contrasts @ moments), abs=ROUNDING
    )


def test_constraints_of_an_empty_cell_say_what_is_missing():
    total = np.array([[0.5, 0.2], [0.3, 0.0]])
    with pytest.raises(ValueError, match=r"'b' has no positive rows"):
        linear_constraints(
            get_notion("equal_opportunity"),
            total,
            np.array([0, 0]),
            bound=0.1,
            labels=("a", "b"),
        )


def test_two_rates_of_zero_are_equal_and_one_is_not():
    total = np.ones((2, 2))
    parity = get_notion("demographic_parity")
    nobody = CellMasses(np.zeros((2, 2)), total, np.zeros(2, dtype=int))
    assert parity.violation(nobody, measure="ratio") == 1
    only_b = CellMasses(np.array([[0.0, 1.0], [0.0, 1.0]]), total, np.zeros(2, dtype=int))
    assert parity.violation(only_b, measure="ratio", contrast="groups") == 0


def test_empty_cells():
    masses = CellMasses(
        np.array([[1.0, 1.0, 1.0], [1.0, 3.0, 0.0]]),
        np.array([[2.0, 2.0, 2.0], [4.0, 4.0, 0.0]]),
        np.zeros(3, dtype=int),
    )
    notion = get_notion("equal_opportunity")
    labels = ("a", "b", "c")
    with pytest.warns(UndefinedFairnessWarning, match="NaN is returned"):
        assert np.isnan(notion.violation(masses, labels=labels))
    with pytest.warns(UndefinedFairnessWarning, match="left out"):
        assert notion.violation(masses, empty="skip", contrast="groups") == 0.5
    with pytest.raises(ValueError, match="true_positive_rate of group c"):
        notion.violation(masses, empty="raise", labels=labels)
    with pytest.raises(ValueError, match="empty must be one of"):
        notion.violation(masses, empty="zero")


def test_one_group_is_not_fair_but_undefined():
    lone = CellMasses(np.ones((2, 1)), 2 * np.ones((2, 1)), np.array([0]))
    with pytest.warns(UndefinedFairnessWarning, match="no two groups"):
        assert np.isnan(get_notion("demographic_parity").violation(lone))


def test_notions_by_name():
    for name in list_notions():
        notion = get_notion(name)
        assert isinstance(notion, FairnessNotion)
        assert get_notion(notion) is notion
    with pytest.raises(ValueError, match="notion must be one of"):
        get_notion("parity")
