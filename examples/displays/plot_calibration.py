"""
Calibration by group
====================

Whether the same probability means the same in every group. On COMPAS the probabilities of a plain
model are as good for both races, and yet its decisions differ: calibration within groups and equal
rates between them are different demands, and where base rates differ no model meets both exactly.
"""

import matplotlib.pyplot as plt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from fairsk.datasets import load_compas
from fairsk.plotting import GroupCalibrationDisplay

X, y, A = load_compas(return_X_y=True)
race = A[:, 0]
X, X_test, y, y_test, race, race_test = train_test_split(X, y, race, test_size=0.5, random_state=0)
model = HistGradientBoostingClassifier(max_leaf_nodes=8, learning_rate=0.05, random_state=0)
model.fit(X, y)

display = GroupCalibrationDisplay.from_estimator(
    model, X_test, y_test, sensitive_features=race_test
)
for group, error in zip(display.group_labels, display.calibration_error, strict=True):
    print(f"{group}: calibration error {error:.3f}")
plt.show()
