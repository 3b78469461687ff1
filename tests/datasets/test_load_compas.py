from __future__ import annotations

import numpy as np
import pytest

from fairsk.datasets import load_compas


def test_all_races():
    compas = load_compas(races=None)
    assert len(compas.data) == 6_172
    assert compas.target.mean() == pytest.approx(0.455, abs=5e-4)  # .455 as published
    counts = dict(
        zip(
            *np.unique(compas.sensitive_features[:, 0].astype(str), return_counts=True), strict=True
        )
    )
    assert counts == {
        "African-American": 3_175,
        "Asian": 31,
        "Caucasian": 2_103,
        "Hispanic": 509,
        "Native American": 11,
        "Other": 343,
    }


def test_two_races_by_default():
    X, y, sensitive = load_compas(return_X_y=True)
    race = sensitive[:, 0]
    assert set(race) == {"African-American", "Caucasian"}
    assert y[race == "African-American"].mean() == pytest.approx(0.523, abs=5e-4)
    assert y[race == "Caucasian"].mean() == pytest.approx(0.391, abs=5e-4)


def test_age_category_goes_with_age():
    """A coarse copy of a sensitive column left in X would undo its removal."""
    names = load_compas(sensitive_features="age").feature_names
    assert not any(name.startswith("age") for name in names)
    names = load_compas(sensitive_features="age", include_sensitive=True).feature_names
    assert "age" in names
    assert "age_cat_25 - 45" in names


def test_unknown_race_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown names \['Black'\]; known names are .*Caucasian"):
        load_compas(races=("Black", "Caucasian"))
