"""Everything of the foundation works where the optional dependencies are not installed."""

import subprocess
import sys
import textwrap

import pytest

OPTIONAL = ("torch", "skorch", "zuko", "xgboost", "cvxpy", "matplotlib", "pandas", "polars", "tqdm")

BLOCK = f"""
import importlib.abc, sys, warnings
warnings.simplefilter("error")

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)

sys.meta_path.insert(0, Block())
"""


def run(code: str) -> str:
    source = BLOCK + textwrap.dedent(code)
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_public_name_imports():
    run(
        """
        import fairsk
        for name in fairsk.__all__:
            getattr(fairsk, name)
        """
    )


def test_the_main_job():
    output = run(
        """
        from fairsk import (
            BayesOptimalFairPostProcessor, FairCostSensitiveClassifier, FairGridSearchCV,
            InfluenceReweighter, best_within_tolerance, group_rates, make_aware_scorer,
            make_fairness_scorer,
        )
        from fairsk.datasets import load_compas
        from sklearn import config_context
        from sklearn.linear_model import LogisticRegression

        X, y, A = load_compas(return_X_y=True)
        X, y, A = ((X - X.mean(0)) / X.std(0))[::4], y[::4], A[::4, 0]
        lr = LogisticRegression(max_iter=1000)
        post = BayesOptimalFairPostProcessor(lr, cv=2, random_state=0)
        with config_context(enable_metadata_routing=True):
            search = FairGridSearchCV(
                post, {"tolerance": [0.05, 0.1]}, cv=2,
                scoring={"accuracy": make_aware_scorer(),
                         "parity": make_fairness_scorer("demographic_parity")},
                refit=best_within_tolerance(0.3, objective="accuracy", violation="parity"),
            ).fit(X, y, sensitive_features=A)
        print(search.best_estimator_.certificate_)
        trained = FairCostSensitiveClassifier(
            lr, cv=2, max_updates=0, tolerance=0.3, random_state=0).fit(
            X, y, sensitive_features=A)
        print(group_rates(y, trained.predict(X), sensitive_features=A))
        weighted = InfluenceReweighter(lr).fit(X, y, sensitive_features=A)
        print(weighted.achieved_gap_)
        """
    )
    assert "Fairness certificate" in output
    assert "false positive rate" in output


def test_the_reports():
    output = run(
        """
        import numpy as np
        from fairsk import fairness_report, generalization_report, gerrymandering_audit
        from fairsk.datasets import load_compas
        from sklearn.linear_model import LogisticRegression

        X, y, A = load_compas(return_X_y=True)
        X = (X - X.mean(0)) / X.std(0)
        model = LogisticRegression().fit(X[:2000], y[:2000])
        train, test = ((X[at], y[at], A[at]) for at in (slice(2000), slice(2000, 4000)))
        for report in (
            fairness_report(model, *test[:2], sensitive_features=test[2]),
            generalization_report(model, train, test=test),
            gerrymandering_audit(model, *test[:2], columns=test[2]),
        ):
            print(report, len(report._repr_html_()))
            assert type(report).from_json(report.to_json()).to_json() == report.to_json()
        """
    )
    assert "Is the gap larger on held-out rows?" in output


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        (
            "from fairsk import fairness_report\n"
            "fairness_report([0, 1, 1, 1], y=[0, 1, 0, 1], sensitive_features=list('aabb'))"
            ".to_frame()",
            "pandas",
        ),
        (
            "from fairsk import group_rates\n"
            "group_rates([0, 1, 0, 1], [0, 1, 1, 1], sensitive_features=list('aabb')).to_frame()",
            "pandas",
        ),
        ("from fairsk.datasets import load_compas\nload_compas(as_frame=True)", "pandas"),
        (
            "from fairsk import FairICPClassifier\n"
            "FairICPClassifier().fit([[0], [1]], [0, 1], sensitive_features=[0, 1])",
            "pip install 'fairsk[neural]'",
        ),
        (
            "from fairsk import FairPenaltyClassifier, list_penalties\n"
            "FairPenaltyClassifier(penalty=list_penalties()[0]).fit(\n"
            "    [[0], [1]], [0, 1], sensitive_features=[0, 1])",
            "pip install 'fairsk[neural]'",
        ),
        (
            "from fairsk import InfluenceReweighter\n"
            "from sklearn.neural_network import MLPClassifier\n"
            "model = InfluenceReweighter(MLPClassifier())\n"
            "model.fit([[0], [1]], [0, 1], sensitive_features=[0, 1])",
            "pip install 'fairsk[neural]'",
        ),
        (
            "from fairsk import MixtureDensityNetwork\n"
            "MixtureDensityNetwork().fit([[0], [1]], [0, 1])",
            "pip install 'fairsk[neural]'",
        ),
    ],
)
def test_a_missing_extra_is_named(code, extra):
    source = BLOCK + code
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert result.returncode == 1
    assert "ImportError" in result.stderr
    assert extra in result.stderr.splitlines()[-1]
