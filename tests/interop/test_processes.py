"""A model that is saved here predicts the same in another process."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest

from fairsk import FairICPRegressor
from tests.estimators import AWARE
from tests.interop._fitted import EVERY, fitted, make_data, predictions

LOAD = """
import pickle, sys, joblib, numpy as np
data = np.load(sys.argv[1] + "/data.npz", allow_pickle=False)
for path in sys.argv[2:]:
    with open(path, "rb") as file:
        model = joblib.load(file) if path.endswith("joblib") else pickle.load(file)
    known = {"sensitive_features": data["groups"]} if "aware" in path else {}
    np.save(path + ".npy", model.predict(data["X"], **known))
"""


def test_pickle_and_joblib_across_processes(tmp_path):
    """All estimators in one process: most of the time is that of its imports."""
    X, _, groups = make_data()
    np.savez(tmp_path / "data.npz", X=X, groups=groups.astype(str))
    paths, expected = [], {}
    for name in EVERY:
        model = fitted(name)
        for kind in ("pickle", "joblib"):
            path = tmp_path / f"{'aware' if name in AWARE else 'blind'} {name}.{kind}"
            if kind == "pickle":
                path.write_bytes(pickle.dumps(model))
            else:
                joblib.dump(model, path)
            paths.append(str(path))
            expected[str(path)] = predictions(name, model)["predict"]
    result = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path), *paths], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for path in paths:
        np.testing.assert_array_equal(np.load(f"{path}.npy"), expected[path])


@pytest.mark.parametrize("name", EVERY)
def test_copies_do_not_share_what_they_learned(name):
    model = fitted(name)
    before = predictions(name, model)["predict"]
    other = copy.deepcopy(model)
    np.testing.assert_array_equal(predictions(name, other)["predict"], before)
    if hasattr(other, "module_"):
        for parameter in other.module_.parameters():
            parameter.data.zero_()
        np.testing.assert_array_equal(predictions(name, model)["predict"], before)


def test_a_fitted_network_is_saved_without_a_tensor():
    """So that its file can be read where torch is of another version or built otherwise."""
    torch = pytest.importorskip("torch")
    model = fitted("FairICP regressor")
    state = model.__getstate__()

    def tensors(value, seen):
        if id(value) in seen:
            return 0
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            return 1
        if isinstance(value, dict):
            return sum(tensors(item, seen) for item in value.values())
        if isinstance(value, list | tuple):
            return sum(tensors(item, seen) for item in value)
        if isinstance(value, torch.nn.Module):
            return tensors(vars(value), seen)
        return 0

    assert tensors(state, set()) == 0
    # The model itself keeps its tensors.
    assert tensors(vars(model), set()) > 0


def test_weights_that_are_shared_stay_shared():
    torch = pytest.importorskip("torch")
    X, _, groups = make_data()
    torch.manual_seed(0)
    first = torch.nn.Linear(3, 3)
    module = torch.nn.Sequential(first, torch.nn.ReLU(), first, torch.nn.Linear(3, 1))
    module[3].register_buffer("third", torch.ones(2, dtype=torch.bfloat16) / 3)
    model = FairICPRegressor(module=module, max_epochs=2, random_state=0)
    model.fit(X, X[:, 0], sensitive_features=groups)
    again = pickle.loads(pickle.dumps(model))
    assert again.module_[0] is again.module_[2]
    assert again.module_[3].third.dtype == torch.bfloat16
    assert torch.equal(again.module_[3].third, model.module_[3].third)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
