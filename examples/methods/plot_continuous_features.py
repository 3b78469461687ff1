"""
Continuous sensitive features
=============================

Communities and Crime: the target is a rate, the sensitive feature the percentage of Black
residents. There are no groups to count. Equalized odds still has a meaning, that the prediction
tells nothing of the percentage beyond what the crime rate tells, and `FairICPRegressor` trains for
it. The kernel partial correlation measures it on communities that were not trained on.
"""

import matplotlib.pyplot as plt
from sklearn.impute import SimpleImputer
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import (
    FairICPRegressor,
    PermutationTestDisplay,
    TrainingHistoryDisplay,
    equalized_odds_kpc,
    equalized_odds_test,
)
from fairsk.datasets import load_communities

X, y, A = load_communities(sensitive_features="racepctblack", return_X_y=True)
X, X_test, y, y_test, A, A_test = train_test_split(X, y, A, test_size=0.4, random_state=0)
prepare = make_pipeline(SimpleImputer(), StandardScaler()).fit(X)
X, X_test = prepare.transform(X), prepare.transform(X_test)

models, predictions = {}, {}
for mu in (0.0, 0.8):
    model = FairICPRegressor(mu=mu, max_epochs=60, batch_size=64, lr=3e-4, random_state=0)
    name = f"mu = {mu:g}"
    models[name] = model.fit(X, y, sensitive_features=A)
    predictions[name] = model.predict(X_test)
    leak = equalized_odds_kpc(y_test, predictions[name], sensitive_features=A_test)
    print(f"{name}: R^2 {r2_score(y_test, predictions[name]):.3f}, KPC {leak:.3f}")

TrainingHistoryDisplay.from_estimator(models["mu = 0.8"], quantities=["loss", "discriminator_loss"])
plt.show()

# %%
# The test draws copies of the percentages given the crime rate, from a density fitted to the
# training communities.

tests = equalized_odds_test(
    y_test,
    predictions,
    sensitive_features=A_test,
    density_data=(y, A),
    n_permutations=200,
    random_state=0,
)
print(tests)
PermutationTestDisplay.from_result(tests)
plt.show()
