"""Methods that change the loss a network is trained on. torch is imported when one is fitted."""

from fairsk.neural._cosine_margin import CosineMarginClassifier
from fairsk.neural._fair_icp import FairICPClassifier, FairICPRegressor
from fairsk.neural._fair_penalty import FairPenaltyClassifier, FairPenaltyRegressor
from fairsk.neural._min_diff import MinDiffIOClassifier
from fairsk.neural._min_diff_pools import FewRowsWarning
from fairsk.neural._penalties import (
    FairnessPenalty,
    GroupMeanPenalty,
    GroupValues,
    PenaltyBatch,
    list_penalties,
)
from fairsk.neural._sensitive_remover import SensitiveInformationRemover
from fairsk.neural._thresholds import ThresholdWarning

__all__ = [
    "CosineMarginClassifier",
    "FairICPClassifier",
    "FairICPRegressor",
    "FairPenaltyClassifier",
    "FairPenaltyRegressor",
    "FairnessPenalty",
    "FewRowsWarning",
    "GroupMeanPenalty",
    "GroupValues",
    "MinDiffIOClassifier",
    "PenaltyBatch",
    "SensitiveInformationRemover",
    "ThresholdWarning",
    "list_penalties",
]
