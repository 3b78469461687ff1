"""Looking at it: displays in scikit-learn's manner, readable in grey and by colour-blind people."""

from fairsk.plotting._calibration import GroupCalibrationDisplay
from fairsk.plotting._curves import TradeOffCurve
from fairsk.plotting._disparity import DisparityDisplay
from fairsk.plotting._group_rates import GroupRatesDisplay
from fairsk.plotting._permutation import PermutationTestDisplay
from fairsk.plotting._sample_weight import SampleWeightDisplay
from fairsk.plotting._thresholds import ThresholdsDisplay
from fairsk.plotting._trade_off import TradeOffDisplay
from fairsk.plotting._training_history import TrainingHistoryDisplay

__all__ = [
    "DisparityDisplay",
    "GroupCalibrationDisplay",
    "GroupRatesDisplay",
    "PermutationTestDisplay",
    "SampleWeightDisplay",
    "ThresholdsDisplay",
    "TradeOffCurve",
    "TradeOffDisplay",
    "TrainingHistoryDisplay",
]
