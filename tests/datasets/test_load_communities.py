from __future__ import annotations

import numpy as np
import pytest

from fairsk.datasets import load_communities

RACES = ("racepctblack", "racePctWhite", "racePctAsian", "racePctHisp")


def test_target_and_sensitive_features_are_continuous():
    crime = load_communities(sensitive_features=RACES)
    assert crime.data.shape == (1_994, 118)
    assert crime.target_names == ["ViolentCrimesPerPop"]
    for values in (crime.target, *crime.sensitive_features.T):
        assert values.dtype == np.float64
        assert (values.min(), values.max()) == (0.0, 1.0)
        assert len(np.unique(values)) > 50


def test_place_and_fold_are_no_features():
    crime = load_communities(include_sensitive=True)
    assert crime.data.shape == (1_994, 122)
    assert not {"state", "fold", "ViolentCrimesPerPop"} & set(crime.feature_names)
    assert len(np.unique(crime.state)) == 46
    assert set(crime.fold) == set(range(1, 11))


def test_missing_columns():
    crime = load_communities()
    missing = np.isnan(crime.data).sum(axis=0)
    assert sorted(missing[missing > 0]) == [1] + [1_675] * 22
    complete = load_communities(drop_missing_columns=True)
    assert complete.data.shape == (1_994, 121 - 23)
    assert np.isfinite(complete.data).all()


def test_extras_are_series_in_a_frame():
    pd = pytest.importorskip("pandas")
    crime = load_communities(as_frame=True)
    assert isinstance(crime.state, pd.Series)
    assert isinstance(crime.fold, pd.Series)
