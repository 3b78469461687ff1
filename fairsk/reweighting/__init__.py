"""Methods that change the weights or labels of the training data."""

from fairsk.reweighting._fair_cost_sensitive import FairCostSensitiveClassifier
from fairsk.reweighting._influence_reweighter import InfluenceReweighter
from fairsk.reweighting._influence_weights import InfluenceWeights, influence_weights
from fairsk.reweighting._label_flipper import LabelFlipper
from fairsk.reweighting._label_flipping_classifier import LabelFlippingClassifier
from fairsk.reweighting._rounds import ReweightingRound
from fairsk.reweighting._validation_rows import SharedRowsWarning

__all__ = [
    "FairCostSensitiveClassifier",
    "InfluenceReweighter",
    "InfluenceWeights",
    "LabelFlipper",
    "LabelFlippingClassifier",
    "ReweightingRound",
    "SharedRowsWarning",
    "influence_weights",
]
