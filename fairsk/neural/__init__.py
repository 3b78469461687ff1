"""Methods that change the loss a network is trained on. torch is imported when one is fitted."""

from fairsk.neural._fair_icp import FairICPClassifier, FairICPRegressor

__all__ = ["FairICPClassifier", "FairICPRegressor"]
