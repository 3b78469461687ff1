"""
Rates of each group
===================

A model of who will be re-arrested, trained on COMPAS without race or sex, still decides
differently for the four groups. `GroupRatesDisplay` shows each group's rates with intervals that
hold together: whoever reads off the largest gap among many is not fooled by having looked at many.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk.datasets import load_compas
from fairsk.plotting import GroupRatesDisplay

X, y, A = load_compas(return_X_y=True)
X, X_test, y, y_test, A, A_test = train_test_split(X, y, A, test_size=0.5, random_state=0)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)

display = GroupRatesDisplay.from_estimator(
    model,
    X_test,
    y_test,
    sensitive_features=A_test,
    rates=["selection_rate", "true_positive_rate", "false_positive_rate"],
)
plt.show()

# %%
# The number beside a group is how many of its rows the rates rest on. The figures drawn are the
# display's data:

print(display.to_frame().round(3).to_string(index=False))
