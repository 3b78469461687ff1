"""
Where the weights went
======================

`InfluenceReweighter` weights the training rows so that the gaps in true positive and true negative
rates close. The picture shows which cells of label and group it made heavier.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import InfluenceReweighter
from fairsk.datasets import load_compas
from fairsk.plotting import SampleWeightDisplay

X, y, A = load_compas(return_X_y=True)
race = A[:, 0]
X, X_val, y, y_val, race, race_val = train_test_split(X, y, race, test_size=0.4, random_state=0)
base = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
model = InfluenceReweighter(base, l2=0.01)
model.fit(X, y, X_val=X_val, y_val=y_val, sensitive_features_val=race_val)

SampleWeightDisplay.from_estimator(model, X, y, sensitive_features=race)
plt.show()

# %%
# The gaps on the validation rows before, as the influence predicted, and as training achieved.

for name, *gaps in zip(
    model.gap_names_, model.gap_, model.predicted_gap_, model.achieved_gap_, strict=True
):
    print(name, *(f"{gap:+.3f}" for gap in gaps))
