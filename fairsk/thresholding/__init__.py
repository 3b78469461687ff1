"""Methods that change the decision."""

from fairsk.thresholding._bayes_optimal import BayesOptimalFairPostProcessor
from fairsk.thresholding._certificate import FairnessCertificate
from fairsk.thresholding._path import TradeOffPath

__all__ = ["BayesOptimalFairPostProcessor", "FairnessCertificate", "TradeOffPath"]
