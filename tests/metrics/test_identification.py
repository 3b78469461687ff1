"""Rank-1 identification and angles, against the paper-literal versions."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fairsk.metrics import (
    _identification,
    angles_by_group,
    make_identification_scorer,
    rank1_identification,
    rank1_identification_scorer,
)
from tests._reference import naive_identification as naive


@pytest.fixture
def people():
    """41 rows of 11 people, 6 women (even) and 5 men; one man has one row."""
    rng = np.random.default_rng(0)
    person = np.append(rng.integers(0, 10, size=40), 10)
    centres = rng.normal(size=(11, 3))
    X = centres[person] + 0.6 * rng.normal(size=(41, 3))
    sex = np.where(person % 2 == 0, "f", "m")
    sex[-1] = "m"
    return X, person, sex


@pytest.mark.parametrize("with_gallery", [False, True])
@pytest.mark.parametrize("block", [8_388_608, 100])
def test_rank1_is_the_naive_one(people, with_gallery, block, monkeypatch):
    monkeypatch.setattr(_identification, "_BLOCK", block)
    X, person, sex = people
    given = {"gallery": X[:17], "gallery_y": person[:17]} if with_gallery else {}
    probes, y = (X[17:], person[17:]) if with_gallery else (X, person)
    report = rank1_identification(
        probes, y, sensitive_features=sex[17:] if with_gallery else sex, **given
    )
    known, known_y = given.values() if with_gallery else (X, person)
    expected = naive.rank1(probes, y, known, known_y, leave_out=not with_gallery)
    np.testing.assert_array_equal(report.is_hit, np.array(expected, dtype=float))
    assert None in expected
    hits = [hit for hit in expected if hit is not None]
    assert report.rate == pytest.approx(np.mean(hits))
    assert 0 < report.rate < 1
    assert report.gap == pytest.approx(abs(report.by_group["f"] - report.by_group["m"]))
    assert sum(report.counts.values()) == len(hits)
    assert report.worst_group == min(report.by_group.values())


def test_unknown_groups_and_lengths_do_not_matter(people):
    X, person, sex = people
    full = rank1_identification(X, person, sensitive_features=sex)
    groups = sex.astype(object)
    groups[:5] = None
    scaled = X * np.linspace(0.1, 9, len(X))[:, None]
    report = rank1_identification(scaled, person, sensitive_features=groups)
    assert report.rate == full.rate
    assert sum(report.counts.values()) == sum(full.counts.values()) - 5


def test_angles_are_the_naive_ones(people):
    X, person, sex = people
    X, person, sex = X[:-1], person[:-1], sex[:-1]
    report = angles_by_group(X, person, sensitive_features=sex)
    expected = naive.angles(X.tolist(), person.tolist(), sex.tolist())
    for k, name in enumerate(report.groups):
        # Rounding of the arc cosine only.
        assert report.intra[k] == pytest.approx(expected[name][0], rel=1e-9)
        assert report.inter[k] == pytest.approx(expected[name][1], rel=1e-9)
    assert report.n_rows.sum() == 40 and report.n_classes.tolist() == [5, 5]


def test_angles_of_classes_that_groups_share():
    # Two classes at 90 degrees; group b's rows are turned by 10 degrees.
    def at(*degrees):
        return [[np.cos(np.radians(d)), np.sin(np.radians(d))] for d in degrees]

    X, y = at(0, 0, 90, 90, 10, 10, 100, 100), [0, 0, 1, 1] * 2
    report = angles_by_group(X, y, sensitive_features=["a"] * 4 + ["b"] * 4)
    # The nearest other class of a's class 0 is a's, of its class 1 b's class 0.
    np.testing.assert_allclose(report.intra, 0, atol=1e-5)  # arccos near 1 halves the digits
    np.testing.assert_allclose(report.inter, [(90 + 80) / 2, (80 + 90) / 2])
    groups = ["a"] * 4 + [None] * 4
    np.testing.assert_allclose(angles_by_group(X, y, sensitive_features=groups).inter, [90])


def test_scorers(people):
    X, person, sex = people
    same = FunctionTransformer().fit(X)
    report = rank1_identification(X, person, sensitive_features=sex)
    assert rank1_identification_scorer(same, X, person) == report.rate
    for score, value in (("neg_gap", -report.gap), ("worst_group", report.worst_group)):
        scorer = clone(make_identification_scorer(score))
        assert scorer(same, X, person, sensitive_features=sex) == value
    gallery = rank1_identification(X[20:], person[20:], gallery=X[:20], gallery_y=person[:20])
    scorer = make_identification_scorer(gallery=(X[:20], person[:20]))
    assert scorer(same, X[20:], person[20:]) == gallery.rate


def test_scorers_in_cross_validation(people):
    X, person, sex = people
    with config_context(enable_metadata_routing=True):
        result = cross_validate(
            make_pipeline(StandardScaler(), FunctionTransformer()),
            X,
            person,
            cv=[(np.arange(10), np.arange(10, 41))],
            params={"sensitive_features": sex},
            scoring={name: make_identification_scorer(name) for name in ("rate", "neg_gap")},
            error_score="raise",
        )
    assert result["test_rate"][0] > 0 and result["test_neg_gap"][0] <= 0
    columns = np.column_stack([X, sex == "f"])
    scorer = make_identification_scorer("neg_gap", sensitive_columns=[3])
    same = FunctionTransformer(lambda rows: rows[:, :3]).fit(columns)
    expected = -rank1_identification(X, person, sensitive_features=sex).gap
    assert scorer(same, columns, person) == pytest.approx(expected)


def test_errors(people):
    X, person, sex = people
    with pytest.raises(ValueError, match="gallery and gallery_y go together"):
        rank1_identification(X, person, gallery=X)
    with pytest.raises(ValueError, match="The gallery has 2 columns, the embeddings 3"):
        rank1_identification(X, person, gallery=X[:, :2], gallery_y=person)
    with pytest.raises(ValueError, match="embeddings has 41 rows but y has 3"):
        rank1_identification(X, person[:3])
    with pytest.raises(ValueError, match="score must be one of"):
        make_identification_scorer("accuracy")
    with pytest.raises(ValueError, match="gallery is a pair"):
        make_identification_scorer(gallery=X)
    with pytest.raises(ValueError, match="got no sensitive features"):
        make_identification_scorer("neg_gap")(FunctionTransformer(), X, person)
    with pytest.raises(TypeError, match="no transform"):
        rank1_identification_scorer(object(), X, person)
    with pytest.raises(ValueError, match="needs two classes"):
        angles_by_group(X, np.zeros(41), sensitive_features=sex)
    empty = rank1_identification(X, np.arange(41), sensitive_features=sex)
    assert np.isnan(empty.rate) and np.isnan(empty.gap) and np.isnan(empty.worst_group)
