"""Methods that change the weights or labels of the training data."""

from fairsk.reweighting._fair_cost_sensitive import FairCostSensitiveClassifier

__all__ = ["FairCostSensitiveClassifier"]
