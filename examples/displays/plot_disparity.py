"""
Disparities by notion
=====================

Which notion of fairness a model violates, and by how much more than chance. First each group of
one model, then the worst group of a plain model and of fair ones. The hatched band is a tolerance
of five points. All intervals of a model hold together, over groups and notions.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor
from fairsk.datasets import load_adult
from fairsk.plotting import DisparityDisplay

X, y, A = load_adult(races=("White", "Black"), subset="train", return_X_y=True)
X, X_test, y, y_test, A, A_test = train_test_split(X, y, A, test_size=0.5, random_state=0)
base = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
plain = base.fit(X, y)

DisparityDisplay.from_estimator(
    plain, X_test, y_test, sensitive_features=A_test, tolerance=0.05, name="plain model"
)
plt.show()

# %%
# Two fair models beside it. Making one notion hold does not make the others hold: selection rates
# that are alike where base rates differ make error rates differ.

settings = {"tolerance": 0.05, "cv": 3, "random_state": 0}
models = {
    "plain": plain,
    "demographic parity": BayesOptimalFairPostProcessor(base, **settings),
    "equalized odds": BayesOptimalFairPostProcessor(base, notion="equalized_odds", **settings),
}
for name in ("demographic parity", "equalized odds"):
    models[name].fit(X, y, sensitive_features=A)

display = DisparityDisplay.from_estimator(
    models, X_test, y_test, sensitive_features=A_test, tolerance=0.05
)
plt.show()
