"""The code of docs/add_a_penalty.md runs as it stands, and shows the file that it says it shows."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from fairsk.neural import list_penalties

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "add_a_penalty.md").read_text("utf-8"), re.DOTALL
)


def test_the_shown_file_is_the_real_one():
    shown = [block for block in BLOCKS if "class AUCGap" in block]
    assert shown == [(ROOT / "fairsk/neural/_penalties/_auc_gap.py").read_text("utf-8")]


def test_code_blocks_run_in_order(capsys):
    names: dict = {"__name__": "add_a_penalty"}
    for block in BLOCKS:
        exec(compile(block, "add_a_penalty.md", "exec"), names)
    assert capsys.readouterr().out.startswith("{0.0: [0.0")
    without, with_penalty = names["gaps"][0.0], names["gaps"][5.0]
    # On the rows trained on and on the others.
    assert with_penalty[0] < without[0] / 2 and with_penalty[1] < without[1]
    X, y, A = names["X_test"], names["y_test"], names["A_test"]
    residual = names["model"].predict_proba(X)[:, 1] - y
    expected = abs(residual[A == "White"].mean() - residual[A == "other"].mean())
    found = names["model"].penalty_value(X, y, sensitive_features=A)
    # Sums in double, labels in single precision.
    assert found == pytest.approx(expected, abs=1e-6) and np.isfinite(found)


def test_the_shown_penalty_is_the_listed_one():
    names: dict = {"__name__": "add_a_penalty"}
    (shown,) = [block for block in BLOCKS if "class AUCGap" in block]
    exec(compile(shown, "add_a_penalty.md", "exec"), names)
    assert names["AUCGap"].name in list_penalties("multilabel")
