"""
While a network is trained
==========================

The losses of a `FairICPClassifier`: that of the task, and that of the discriminator, which tries to
tell the sensitive features from copies that depend on the label alone. At log 2 it cannot.
"""

import matplotlib.pyplot as plt
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import FairCostSensitiveClassifier, FairICPClassifier
from fairsk.datasets import load_compas
from fairsk.plotting import TrainingHistoryDisplay

X, y, A = load_compas(return_X_y=True)
race = A[:, 0]
X = StandardScaler().fit_transform(X)
model = FairICPClassifier(mu=0.8, max_epochs=40, batch_size=256, random_state=0)
model.fit(X, y, sensitive_features=race)

TrainingHistoryDisplay.from_estimator(model, quantities=["loss", "discriminator_loss"])
plt.show()

# %%
# Rounds of multipliers of a `FairCostSensitiveClassifier`, measured out of fold; the round of the
# best accuracy within the tolerance stays.

from sklearn.linear_model import LogisticRegression  # noqa: E402

trained = FairCostSensitiveClassifier(
    make_pipeline(StandardScaler(), LogisticRegression()), tolerance=0.08, random_state=0
).fit(X, y, sensitive_features=race)
TrainingHistoryDisplay.from_estimator(trained)
plt.show()
