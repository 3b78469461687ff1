"""Methods that change the decision."""

from fairsk.thresholding._bayes_optimal import BayesOptimalFairPostProcessor
from fairsk.thresholding._certificate import FairnessCertificate
from fairsk.thresholding._path import TradeOffPath
from fairsk.thresholding._row_thresholds import RowThresholds

__all__ = [
    "BayesOptimalFairPostProcessor",
    "FairnessCertificate",
    "RowThresholds",
    "TradeOffPath",
]
