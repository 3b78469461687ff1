"""
Accuracy against unfairness
===========================

One fit of `BayesOptimalFairPostProcessor` gives the whole trade-off: `path` moves the tolerance
without training again. Both curves are measured on people that no model was trained on; a rule
that may look at the group when it decides pays less for the same tolerance.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor
from fairsk.datasets import load_compas
from fairsk.plotting import TradeOffDisplay

X, y, A = load_compas(return_X_y=True)
race = A[:, 0]
X, X_test, y, y_test, race, race_test = train_test_split(
    X, y, race, test_size=0.5, random_state=0, stratify=y
)
base = make_pipeline(StandardScaler(), LogisticRegression())
bounds = np.array([0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.14])


def path(attribute_aware):
    model = BayesOptimalFairPostProcessor(base, attribute_aware=attribute_aware, random_state=0)
    return model.fit(X, y, sensitive_features=race).path(bounds)


methods = {
    "thresholds, blind": path(False),
    "thresholds, aware": path(True),
    "plain model": base.fit(X, y),
}
TradeOffDisplay.from_estimator(
    methods, X_test, y_test, sensitive_features=race_test, tolerance=0.08
)
plt.show()

# %%
# The candidates of a search
# --------------------------
# Hollow candidates are worse than another one on both axes; the line joins the rest. The wide grey
# steps are the front of all methods together: what can be had at each violation.

from sklearn import config_context  # noqa: E402

from fairsk import FairGridSearchCV, make_aware_scorer, make_fairness_scorer  # noqa: E402


def search(attribute_aware):
    model = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=attribute_aware, cv=3, random_state=0
    )
    return FairGridSearchCV(
        make_pipeline(StandardScaler(), model),
        {
            "bayesoptimalfairpostprocessor__tolerance": [0.01, 0.03, 0.06, 0.1],
            "bayesoptimalfairpostprocessor__estimator__C": [0.001, 1.0],
        },
        scoring={
            "accuracy": make_aware_scorer("accuracy"),
            "parity": make_fairness_scorer("demographic_parity"),
        },
        refit=False,
        cv=3,
    ).fit(X, y, sensitive_features=race)


with config_context(enable_metadata_routing=True):
    searches = {"blind": search(False), "aware": search(True)}
TradeOffDisplay.from_results(searches, violation="parity", front=True, intervals=False)
plt.show()
