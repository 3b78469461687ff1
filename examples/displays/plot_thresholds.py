"""
What the fair rule does
=======================

Attribute-aware, the Bayes-optimal fair rule is a threshold for each group. Attribute-blind, no
group is known at prediction: the margin of a person depends on how likely they are to belong to
each group, and whoever lies above zero is selected.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor
from fairsk.datasets import load_compas
from fairsk.plotting import ThresholdsDisplay

X, y, A = load_compas(return_X_y=True)
base = make_pipeline(StandardScaler(), LogisticRegression())
aware = BayesOptimalFairPostProcessor(
    base, attribute_aware=True, tolerance=0.02, random_state=0
).fit(X, y, sensitive_features=A)

display = ThresholdsDisplay.from_estimator(aware, X, sensitive_features=A)
print(display.to_frame())
plt.show()

# %%
# The attribute-blind rule, for race alone. Without the constraint everybody would lie on the dotted
# line. It selects people of low probability in the upper left, because their features make it
# likely that they are Caucasian, and passes over others in the lower right: parity without looking
# at the group works through proxies, and here it reverses the order of people within a group. Look
# before you choose a blind rule with a tight tolerance.

race = A[:, 0]
blind = BayesOptimalFairPostProcessor(base, tolerance=0.02, random_state=0)
blind.fit(X, y, sensitive_features=race)

ThresholdsDisplay.from_estimator(blind, X, sensitive_features=race)
plt.show()

# %%
# By group, its decisions overlap: the probability alone does not decide. This view works for any
# model, from its probabilities and its labels.

probability = base.fit(X, y).predict_proba(X)[:, 1]
ThresholdsDisplay.from_predictions(probability, blind.predict(X), sensitive_features=race)
plt.show()
