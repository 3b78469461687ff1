from __future__ import annotations

import functools

import numpy as np
import pytest

from fairsk.datasets import load_adult as load_adult_afresh

# Tests only read, and many read the same: each variant is loaded once.
load_adult = functools.cache(load_adult_afresh)


def test_groups_as_in_the_description():
    sex, race = load_adult().sensitive_features.T
    assert dict(zip(*np.unique(sex.astype(str), return_counts=True), strict=True)) == {
        "Female": 16_192,
        "Male": 32_650,
    }
    assert dict(zip(*np.unique(race.astype(str), return_counts=True), strict=True)) == {
        "Amer-Indian-Eskimo": 470,
        "Asian-Pac-Islander": 1_519,
        "Black": 4_685,
        "Other": 406,
        "White": 41_762,
    }


def test_positive_rates_by_sex():
    X, y, sex = load_adult(sensitive_features="sex", return_X_y=True)
    # 1,769 of 16,192 women and 9,918 of 32,650 men, counted in the file
    assert y[sex[:, 0] == "Female"].sum() == 1_769
    assert y[sex[:, 0] == "Male"].sum() == 9_918


def test_both_parts_have_the_same_columns_and_make_up_the_whole():
    train, test, whole = (load_adult(subset=subset) for subset in ("train", "test", "all"))
    assert train.feature_names == test.feature_names == whole.feature_names
    assert (len(train.data), len(test.data)) == (32_561, 16_281)
    np.testing.assert_array_equal(np.vstack([train.data, test.data]), whole.data)
    assert set(train.split) == {"train"}
    assert set(test.split) == {"test"}
    # One level (Holand-Netherlands) does not occur in the test part: the column must, all zeros.
    assert (test.data.sum(axis=0) == 0).any()


def test_missing_categories_are_all_zeros_and_dropna_leaves_them_out():
    adult = load_adult()
    columns = [i for i, name in enumerate(adult.feature_names) if name.startswith("workclass_")]
    indicators = adult.data[:, columns].sum(axis=1)
    assert set(indicators) == {0.0, 1.0}
    assert (indicators == 0).sum() == 2_799

    complete = load_adult(dropna=True)
    assert len(complete.data) == 48_842 - 3_620
    assert complete.data[:, columns].sum() == len(complete.data)
    assert complete.feature_names == adult.feature_names


def test_weight_is_not_a_feature():
    adult = load_adult()
    assert adult.sample_weight[:2].tolist() == [77_516.0, 83_311.0]  # the first rows of the file
    assert adult.sample_weight.min() > 0
    for name in ("fnlwgt", "education", "income", "split"):
        assert not any(feature.startswith(f"{name}_") for feature in adult.feature_names) or (
            name == "education"  # education_num stays
        )
        assert name not in adult.feature_names
    assert [f for f in adult.feature_names if f.startswith("education")] == ["education_num"]


def test_races_kept():
    adult = load_adult(races=("White", "Black"))
    assert len(adult.data) == 41_762 + 4_685
    assert set(adult.sensitive_features[:, 1]) == {"White", "Black"}
    kept = load_adult(races=("White", "Black"), include_sensitive=True).feature_names
    assert [name for name in kept if name.startswith("race_")] == ["race_Black", "race_White"]


def test_age_is_a_number():
    alone = load_adult(sensitive_features="age")
    assert alone.sensitive_features.dtype == np.float64
    assert "age" not in alone.feature_names
    assert "race_White" in alone.feature_names  # not named as sensitive: an ordinary feature
    mixed = load_adult(sensitive_features=("sex", "age")).sensitive_features
    assert mixed[0].tolist() == ["Male", 39]


def test_extras_are_series_in_a_frame():
    pd = pytest.importorskip("pandas")
    adult = load_adult(as_frame=True, subset="test")
    for name in ("sample_weight", "split"):
        assert isinstance(adult[name], pd.Series)
        assert adult[name].index.equals(adult.data.index)
    assert list(adult.sensitive_features.columns) == ["sex", "race"]
    assert adult.data["workclass"].isna().any()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"subset": "validation"}, "subset must be 'all', 'train' or 'test'; got 'validation'"),
        ({"races": ("Martian",)}, r"races has unknown names \['Martian'\].*Amer-Indian-Eskimo"),
    ],
)
def test_bad_arguments(argument, message):
    with pytest.raises(ValueError, match=message):
        load_adult(**argument)
