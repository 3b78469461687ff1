"""
A test of equalized odds
========================

Copies of the sensitive feature are drawn that depend on the predictions through the label alone.
Where the statistic of the data lies beyond those of the copies, the predictions tell of race what
the label does not. Here the statistic is the kernel partial correlation.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor, equalized_odds_test
from fairsk.datasets import load_compas
from fairsk.plotting import PermutationTestDisplay

X, y, A = load_compas(return_X_y=True)
race = A[:, 0]
X, X_test, y, y_test, race, race_test = train_test_split(X, y, race, test_size=0.5, random_state=0)
base = make_pipeline(StandardScaler(), LogisticRegression())
fair = BayesOptimalFairPostProcessor(
    base, notion="equalized_odds", tolerance=0.01, attribute_aware=True, random_state=0
).fit(X, y, sensitive_features=race)
labels = {
    "plain model": base.fit(X, y).predict(X_test),
    "fair thresholds": fair.predict(X_test, sensitive_features=race_test),
}

tests = equalized_odds_test(
    y_test, labels, sensitive_features=race_test, n_permutations=500, random_state=0
)
print(tests)
PermutationTestDisplay.from_result(tests)
plt.show()
