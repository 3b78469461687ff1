"""What every bundled loader promises. A new loader joins `LOADERS`."""

from __future__ import annotations

import doctest
import functools
import subprocess
import sys
import textwrap
from importlib import resources

import numpy as np
import pytest

import fairsk.datasets
from fairsk.datasets import load_adult, load_communities, load_compas

# loader, rows, columns of the one-hot matrix, columns of the frame, mean of the target
LOADERS = [
    (load_adult, 48_842, 81, 10, 0.239282),
    (load_compas, 5_278, 10, 7, 0.470443),
    (load_communities, 1_994, 121, 121, 0.237979),
]


@functools.cache
def load(loader, **arguments):
    """Tests only read, and many read the same: each variant is loaded once."""
    return loader(**arguments)


each_loader = pytest.mark.parametrize("loader", [case[0] for case in LOADERS])


@pytest.mark.parametrize(("loader", "n_rows", "n_columns", "n_frame", "mean"), LOADERS)
def test_counts_and_shapes(loader, n_rows, n_columns, n_frame, mean):
    bunch = load(loader)
    assert bunch.data.shape == (n_rows, n_columns)
    assert bunch.data.dtype == np.float64
    assert bunch.target.shape == (n_rows,)
    assert bunch.target.mean() == pytest.approx(mean, abs=1e-6)  # printed to six digits above
    assert bunch.sensitive_features.shape == (n_rows, len(bunch.sensitive_feature_names))
    assert len(bunch.feature_names) == n_columns == len(set(bunch.feature_names))
    assert bunch.frame is None


@pytest.mark.parametrize(("loader", "n_rows", "n_columns", "n_frame", "mean"), LOADERS)
def test_frame_has_one_column_a_feature(loader, n_rows, n_columns, n_frame, mean):
    pytest.importorskip("pandas")
    assert load(loader, as_frame=True).data.shape == (n_rows, n_frame)


@each_loader
def test_description_names_source_licence_and_a_row(loader):
    bunch = load(loader)
    for word in ("Source:", "A row is", "Caveats:", ".. [1]"):
        assert word in bunch.DESCR
    assert "Licence:" in bunch.DESCR or "public court records" in bunch.DESCR
    assert (resources.files("fairsk.datasets") / "data" / bunch.filename).is_file()


@each_loader
@pytest.mark.parametrize("include_sensitive", [False, True])
def test_matrix_is_the_frame_one_hot_encoded(loader, include_sensitive):
    pd = pytest.importorskip("pandas")
    arrays = load(loader, include_sensitive=include_sensitive)
    frames = load(loader, include_sensitive=include_sensitive, as_frame=True)

    # get_dummies puts numbers first: compare by name. A missing category has no indicator.
    expected = pd.get_dummies(frames.data, dtype=float)
    assert set(arrays.feature_names) == set(expected.columns)
    np.testing.assert_array_equal(arrays.data, expected[arrays.feature_names].to_numpy(dtype=float))
    np.testing.assert_array_equal(arrays.target, frames.target)
    np.testing.assert_array_equal(
        arrays.sensitive_features,
        frames.sensitive_features.to_numpy(arrays.sensitive_features.dtype),
    )
    assert set(frames.frame.columns) == {
        *frames.data.columns,
        *frames.sensitive_feature_names,
        frames.target.name,
    }


@each_loader
def test_frame_repeats_the_file(loader):
    """Read by pandas instead of the standard library, the bundled file says the same."""
    pd = pytest.importorskip("pandas")
    bunch = load(loader, as_frame=True)
    with (resources.files("fairsk.datasets") / "data" / bunch.filename).open("rb") as stream:
        raw = pd.read_csv(stream, compression="gzip")
    if loader is load_compas:
        raw = raw[raw["race"].isin(["African-American", "Caucasian"])].reset_index(drop=True)
    both = pd.concat([bunch.data, bunch.sensitive_features], axis=1)
    assert both.columns.is_unique
    for name in both:
        if isinstance(both[name].dtype, pd.CategoricalDtype):
            assert not pd.api.types.is_numeric_dtype(raw[name])
            values, expected = both[name].astype(object), raw[name].astype(object)
            assert both[name].cat.categories.is_monotonic_increasing
            assert set(both[name].cat.categories) == set(expected.dropna())
            assert (values.isna() == expected.isna()).all()
            assert (values.dropna() == expected.dropna()).all()
        else:
            pd.testing.assert_series_equal(both[name], raw[name])


@each_loader
@pytest.mark.parametrize("as_frame", [False, True])
def test_return_X_y_gives_three_aligned_objects(loader, as_frame):
    if as_frame:
        pytest.importorskip("pandas")
    X, y, sensitive = load(loader, return_X_y=True, as_frame=as_frame)
    assert len(X) == len(y) == len(sensitive)
    if as_frame:
        assert X.index.equals(y.index)
        assert X.index.equals(sensitive.index)


@each_loader
def test_sensitive_columns_leave_and_stay(loader):
    pytest.importorskip("pandas")
    names = load(loader).sensitive_feature_names
    assert not set(names) & set(load(loader, as_frame=True).data.columns)
    assert set(names) <= set(load(loader, as_frame=True, include_sensitive=True).data.columns)


@each_loader
def test_one_name_may_be_a_plain_string(loader):
    first = load(loader).sensitive_feature_names[0]
    assert load(loader, sensitive_features=first).sensitive_feature_names == [first]


@each_loader
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("gender",), r"unknown names \['gender'\]; known names are \["),
        ((), "empty; name at least"),
    ],
)
def test_bad_sensitive_features(loader, given, message):
    with pytest.raises(ValueError, match=message):
        loader(sensitive_features=given)


@each_loader
def test_a_name_given_twice(loader):
    first = load(loader).sensitive_feature_names[0]
    with pytest.raises(ValueError, match="twice"):
        loader(sensitive_features=[first, first])


def test_loaders_work_without_pandas():
    """In a fresh interpreter where importing pandas fails, and any warning is an error."""
    script = """
        import sys
        sys.modules["pandas"] = None
        from fairsk.datasets import load_adult, load_communities, load_compas
        for loader in (load_adult, load_compas, load_communities):
            bunch = loader()
            assert len(bunch.data) == len(bunch.target) == len(bunch.sensitive_features)
            try:
                loader(as_frame=True)
            except ImportError as error:
                assert f"{loader.__name__}(as_frame=True) needs pandas" in str(error)
            else:
                raise AssertionError("as_frame=True should need pandas")
        print("fine")
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"


@pytest.mark.parametrize("name", fairsk.datasets.__all__)
def test_every_dataset_has_an_example(name):
    """pytest runs them as doctests."""
    found = doctest.DocTestFinder().find(getattr(fairsk.datasets, name), name)
    assert sum(len(test.examples) for test in found) > 0
