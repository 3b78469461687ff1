"""The hashed posts: from a file, from FAIRSK_DATA, or an error that says what is missing."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from fairsk.datasets import load_hatexplain, load_mlma

FILES = {load_hatexplain: "hatexplain_hashed.npz", load_mlma: "mlma_hashed.npz"}
EVERY = pytest.mark.parametrize("load", FILES)
DATA = os.environ.get("FAIRSK_DATA")


def write(folder, name, **changed):
    X = sparse.random(6, 5, density=0.5, format="csr", random_state=0)
    arrays = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": X.shape}
    arrays |= {"Y": np.eye(6, 2), "tasks": ["a", "b"], "A": np.eye(6, 3), "groups": list("xyz")}
    np.savez(folder / name, **arrays | changed)
    return X


@EVERY
def test_reads_a_file_a_folder_or_the_variable(load, tmp_path, monkeypatch):
    X = write(tmp_path, FILES[load])
    monkeypatch.setenv("FAIRSK_DATA", str(tmp_path))
    for path in (None, tmp_path, tmp_path / FILES[load]):
        posts = load(path=path)
        # Written in double, kept in single precision.
        np.testing.assert_allclose(posts.data.toarray(), X.toarray(), rtol=1e-6)
        assert posts.target.shape == (6, 2) and posts.sensitive_features.shape == (6, 3)
        assert posts.target_names == ["a", "b"]
        assert posts.sensitive_feature_names == ["x", "y", "z"]
        assert "licence" in posts.DESCR and posts.filename.endswith(FILES[load])
    matrix, Y, A = load(return_X_y=True)
    assert sparse.issparse(matrix) and matrix.dtype == np.float32
    np.testing.assert_array_equal(Y, posts.target)


@EVERY
def test_errors(load, tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRSK_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="is not bundled.*FAIRSK_DATA"):
        load()
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load(path=tmp_path)
    np.savez(tmp_path / FILES[load], Y=np.eye(2))
    with pytest.raises(ValueError, match="lacks the arrays \\['data', 'indices'"):
        load(path=tmp_path)


@pytest.mark.skipif(
    not DATA or not (Path(DATA) / FILES[load_hatexplain]).is_file(), reason="FAIRSK_DATA lacks them"
)
def test_the_facts_of_the_docstrings():
    X, Y, A = load_hatexplain(return_X_y=True)
    assert X.shape == (19_229, 1_000) and A.shape[1] == 8
    assert Y.sum(axis=1).max() == 1
    X, Y, A = load_mlma(return_X_y=True)
    assert X.shape == (5_647, 1_000) and A.shape[1] == 4
    assert np.sum(Y.max(axis=1) == 0) == 661
