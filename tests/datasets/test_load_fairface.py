"""FairFace thumbnails: from a tiny file of the same layout, and the facts of the real one."""

import os
from pathlib import Path

import numpy as np
import pytest

from fairsk.datasets import load_fairface

FILE = "fairface_2k_gray32.npz"
DATA = os.environ.get("FAIRSK_DATA")


@pytest.fixture
def folder(tmp_path):
    """Six thumbnails of 2 x 2 pixels, two races, three age bands."""
    np.savez(
        tmp_path / FILE,
        x=np.arange(24, dtype=np.uint8).reshape(6, 2, 2),
        race=np.array([0, 1, 0, 1, 0, 1], np.uint8),
        age=np.array([2, 1, 0, 0, 1, 2], np.uint8),
        female=np.array([1, 1, 0, 0, 1, 0], np.uint8),
        val=np.array([0, 0, 0, 0, 1, 1], np.uint8),
        race_names=["White", "Black"],
        age_names=["0-2", "3-9", "10-19"],
    )
    return tmp_path


def test_contents(folder, monkeypatch):
    monkeypatch.setenv("FAIRSK_DATA", str(folder))
    for path in (None, folder, folder / FILE):
        faces = load_fairface(path=path, sensitive_features=("age", "race"))
        assert faces.data.dtype == faces.images.dtype == np.float32
        # Single precision.
        np.testing.assert_allclose(faces.data, np.arange(24).reshape(6, 4) / 255, rtol=1e-6)
        np.testing.assert_array_equal(faces.images.reshape(6, 4), faces.data)
        assert faces.target.tolist() == [1, 1, 0, 0, 1, 0]
        assert faces.target_names == ["male", "female"]
        assert faces.sensitive_features[1].tolist() == ["3-9", "Black"]
        assert faces.sensitive_feature_names == ["age", "race"]
        assert faces.is_validation.tolist() == [False] * 4 + [True] * 2
        assert faces.frame is None and faces.filename.endswith(FILE)
        for word in ("Source:", "Licence:", "A row is", "Caveats:", ".. [1]"):
            assert word in faces.DESCR


@pytest.mark.parametrize("target", ["gender", "age", "race"])
def test_targets_are_positions_in_their_names(target, folder):
    faces = load_fairface(target=target, sensitive_features=target, path=folder)
    words = np.array(faces.target_names)[faces.target]
    np.testing.assert_array_equal(words, faces.sensitive_features[:, 0].astype(str))


def test_some_races(folder):
    faces = load_fairface(races="Black", path=folder)
    assert faces.data.shape == (3, 4) and set(faces.sensitive_features[:, 0]) == {"Black"}
    assert faces.target.tolist() == [1, 0, 0] and len(faces.is_validation) == 3


def test_as_frame(folder):
    pd = pytest.importorskip("pandas")
    names = ("race", "gender")
    faces = load_fairface(path=folder, as_frame=True, sensitive_features=names)
    assert isinstance(faces.data, pd.DataFrame) and faces.target.name == "gender"
    assert list(faces.sensitive_features.columns) == list(names)
    # In the order of the file, not of the alphabet.
    assert list(faces.sensitive_features["race"].cat.categories) == ["White", "Black"]
    assert list(faces.frame.columns) == [*faces.feature_names, "race", "gender"]
    X, y, A = load_fairface(path=folder, as_frame=True, sensitive_features=names, return_X_y=True)
    plain = load_fairface(path=folder, sensitive_features=names, return_X_y=True)
    np.testing.assert_array_equal(X.to_numpy(), plain[0])
    np.testing.assert_array_equal(y.to_numpy(), plain[1])
    np.testing.assert_array_equal(A.to_numpy(dtype=object), plain[2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": "smile"}, r"target has unknown names \['smile'\]"),
        ({"sensitive_features": ("race", "hair")}, r"unknown names \['hair'\]"),
        ({"races": "Martian"}, r"races has unknown names \['Martian'\]"),
    ],
)
def test_bad_names(given, message, folder):
    with pytest.raises(ValueError, match=message):
        load_fairface(path=folder, **given)


def test_no_file(tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRSK_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=f"{FILE} is not bundled.*FAIRSK_DATA"):
        load_fairface()
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_fairface(path=tmp_path)
    np.savez(tmp_path / FILE, x=np.zeros(3))
    with pytest.raises(ValueError, match=r"lacks the arrays \['race', 'age'"):
        load_fairface(path=tmp_path)


@pytest.mark.skipif(
    not DATA or not (Path(DATA) / FILE).is_file(), reason=f"FAIRSK_DATA lacks {FILE}"
)
def test_the_facts_of_the_docstring():
    faces = load_fairface(sensitive_features=("race", "gender"))
    assert faces.data.shape == (2100, 1024)
    assert 0 <= faces.data.min() < 0.1 and 0.9 < faces.data.max() <= 1
    cells, counts = np.unique(faces.sensitive_features.astype(str), axis=0, return_counts=True)
    assert len(cells) == 14 and set(counts) == {150}
    bands = np.bincount(load_fairface(target="age").target)
    assert len(bands) == 9 and bands[-1] == 23 and bands[3] == 622
