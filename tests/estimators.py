"""The fair estimators: a new one joins these lists and is held to the whole contract."""

from __future__ import annotations

from functools import partial

from sklearn.linear_model import LogisticRegression

from fairsk import (
    BayesOptimalFairPostProcessor,
    CosineMarginClassifier,
    FairCostSensitiveClassifier,
    FairICPClassifier,
    FairICPRegressor,
    FairPenaltyClassifier,
    FairPenaltyRegressor,
    InfluenceReweighter,
    LabelFlipper,
    LabelFlippingClassifier,
    MinDiffIOClassifier,
    SensitiveInformationRemover,
)

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
# Wrap an estimator too, but have no tolerance: measured on the training rows in these tests.
REWEIGHTERS = {
    "influence": partial(InfluenceReweighter, estimator=LogisticRegression(), random_state=0)
}
# Wrap any classifier of any number of classes: the tools and scikit-learn's checks; their own
# contract is in tests/reweighting.
WRAPPERS = {
    "label flipping": partial(
        LabelFlippingClassifier, estimator=LogisticRegression(), random_state=0
    )
}
# Neither predict nor transform: scikit-learn's checks, and their own contract.
SAMPLERS = {"label flipper": partial(LabelFlipper, random_state=0)}

# Networks have no inner estimator, tolerance or groups: they share the tools and scikit-learn's
# checks with the others, and their own contract is in tests/neural. Trained just long enough to
# learn the data of the checks.
_TINY = {
    "hidden_layer_sizes": (16,),
    "mu": 0.2,
    "max_epochs": 30,
    "batch_size": 16,
    "lr": 0.02,
    "discriminator_hidden_layer_sizes": (8,),
    "random_state": 0,
}
_TINY_PENALTY = {
    "hidden_layer_sizes": (16,),
    "alpha": 0.2,
    "max_epochs": 30,
    "batch_size": 16,
    "lr": 0.02,
    "random_state": 0,
}
NETWORKS = {
    "cosine margin": partial(
        CosineMarginClassifier,
        hidden_layer_sizes=(16,),
        embedding_size=8,
        max_epochs=30,
        batch_size=16,
        lr=0.02,
        random_state=0,
    ),
    "FairICP": partial(FairICPClassifier, **_TINY),
    "MinDiff-IO": partial(
        MinDiffIOClassifier,
        hidden_layer_sizes=(16,),
        min_diff_weight=0.2,
        max_epochs=30,
        batch_size=16,
        optimizer="adam",
        lr=0.02,
        random_state=0,
    ),
    "penalty": partial(FairPenaltyClassifier, **_TINY_PENALTY),
}
REGRESSORS = {
    "FairICP regressor": partial(FairICPRegressor, **_TINY),
    "penalty regressor": partial(FairPenaltyRegressor, **_TINY_PENALTY),
}
# Transform and do not predict: scikit-learn's checks, frames in tests/interop, and their own
# contract in tests/neural.
TRANSFORMERS = {
    "sensitive information": partial(
        SensitiveInformationRemover,
        hidden_layer_sizes=(16,),
        max_epochs=10,
        batch_size=16,
        lr=0.02,
        random_state=0,
    )
}
# What a search tunes.
GRIDS = {name: {"tolerance": [0.05, 0.5]} for name in ALL} | {
    "FairICP": {"mu": [0.0, 0.8]},
    "label flipping": {"p": [0.0, 0.3]},
    "cosine margin": {"margin": [0.1, 0.5]},
    "influence": {"l2": [0.01, 1.0]},
    "MinDiff-IO": {"min_diff_weight": [0.0, 1.0]},
    "penalty": {"alpha": [0.0, 1.0]},
}
