"""What a fair rule compares for each row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RowThresholds(NamedTuple):
    """What a fair rule compares for each row.

    Attributes
    ----------
    posterior : ndarray of shape (n_samples,)
        P(Y = 1 | x) of the model.
    threshold : ndarray of shape (n_samples,)
        Outside [0, 1] where the posterior does not matter.
    above : ndarray of bool of shape (n_samples,)
        Whether the row is selected above the threshold; below it, where an accuracy constraint
        reverses the rule.
    """

    posterior: np.ndarray
    threshold: np.ndarray
    above: np.ndarray
