"""The fair estimators: a new one joins these lists and is held to the whole contract."""

from __future__ import annotations

from functools import partial

from sklearn.linear_model import LogisticRegression

from fairsk import BayesOptimalFairPostProcessor, FairCostSensitiveClassifier

# Small settings: the contract is about behaviour, not about accuracy.
BLIND = {
    "post-processor": partial(
        BayesOptimalFairPostProcessor, estimator=LogisticRegression(), cv=3, random_state=0
    ),
    "cost-sensitive": partial(
        FairCostSensitiveClassifier,
        estimator=LogisticRegression(),
        cv=3,
        max_updates=1,
        tolerance=0.2,
        random_state=0,
    ),
}
AWARE = {
    "aware post-processor": partial(
        BayesOptimalFairPostProcessor,
        estimator=LogisticRegression(),
        cv=3,
        attribute_aware=True,
        random_state=0,
    ),
}
ALL = {**BLIND, **AWARE}
