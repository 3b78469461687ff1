"""FairICPClassifier and FairICPRegressor: what they promise beyond the shared contract."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch")

from fairsk import FairICPClassifier, FairICPRegressor, KnownGaussianDensity  # noqa: E402
from fairsk.base import SensitiveFeaturesWarning  # noqa: E402
from fairsk.independence import InverseConditionalPermutation  # noqa: E402

KINDS = {"classifier": FairICPClassifier, "regressor": FairICPRegressor}
EVERY = pytest.mark.parametrize("kind", KINDS)
SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 4, "batch_size": 32, "lr": 0.01}


@pytest.fixture(scope="module")
def data():
    """A moves one of two features: X, {kind: y}, A."""
    rng = np.random.default_rng(0)
    n = 300
    A = rng.normal(size=n)
    X = np.column_stack([A + 0.5 * rng.normal(size=n), rng.normal(size=n)])
    y = X.sum(axis=1) + rng.normal(size=n)
    return X, {"regressor": y, "classifier": (y > 0).astype(int)}, A


def make(kind, **changed):
    return KINDS[kind](**SMALL | {"random_state": 0} | changed)


def scores(model, X):
    return model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)


def leak(model, X, y, A):
    """Correlation of prediction and A within rows of like Y, squared."""
    score = model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)
    given = np.column_stack([np.ones(len(y)), y])
    rest = [v - given @ np.linalg.lstsq(given, v, rcond=None)[0] for v in (score, A)]
    return np.corrcoef(*rest)[0, 1] ** 2


# ------------------------------------------------------------------- fairness


@EVERY
@pytest.mark.parametrize("discrepancy", ["adversarial", "mmd", "energy"])
def test_mu_buys_fairness(kind, discrepancy, data):
    X, targets, A = data
    y = targets[kind]
    strong = {
        "hidden_layer_sizes": (),
        "max_epochs": 40,
        "discriminator_lr": 0.01,
        "discrepancy": discrepancy,
    }
    plain = make(kind, mu=0.0, **strong).fit(X, y, sensitive_features=A)
    fair = make(kind, mu=0.8, **strong).fit(X, y, sensitive_features=A)
    assert leak(plain, X, y, A) > 0.1
    # Far from what randomness over seeds gives: mostly it is a tenth.
    assert leak(fair, X, y, A) < leak(plain, X, y, A) / 2
    assert 0.5 < fair.score(X, y) < plain.score(X, y) + 0.02


@pytest.mark.parametrize("resampling", ["cp", "fdl", "oracle", "sampler"])
def test_other_strategies_buy_fairness_too(resampling, data):
    X, targets, A = data
    y = targets["regressor"]
    # Y given A has the mean A and the variance .5^2 + 1 + 1.
    oracle = KnownGaussianDensity(lambda a: a[:, 0], 1.5)
    given = {"density": oracle} if resampling == "oracle" else {}
    if resampling == "sampler":
        resampling = InverseConditionalPermutation(n_steps=20)
    strong = {"hidden_layer_sizes": (), "max_epochs": 40, "discriminator_lr": 0.01}
    plain = make("regressor", mu=0.0, **strong).fit(X, y, sensitive_features=A)
    fair = make("regressor", mu=0.8, resampling=resampling, **given, **strong)
    fair.fit(X, y, sensitive_features=A)
    assert leak(fair, X, y, A) < leak(plain, X, y, A) / 2


@EVERY
def test_mu_zero_is_plain_training_bit_for_bit(kind, data):
    X, targets, A = data
    model = make(kind, mu=0).fit(X, targets[kind], sensitive_features=A)
    with pytest.warns(SensitiveFeaturesWarning):
        plain = make(kind, mu=0.9).fit(X, targets[kind])
    np.testing.assert_array_equal(scores(model, X), scores(plain, X))
    assert model.loss_curve_ == plain.loss_curve_


# ---------------------------------------------------------------- randomness


@EVERY
@pytest.mark.parametrize("discrepancy", ["adversarial", "energy"])
def test_the_same_bits_for_the_same_seed(kind, discrepancy, data):
    X, targets, A = data

    def fit(seed):
        model = make(kind, random_state=seed, discrepancy=discrepancy)
        return scores(model.fit(X, targets[kind], sensitive_features=A), X)

    torch_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = fit(0)
    np.testing.assert_array_equal(torch_state, torch.random.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])
    torch.manual_seed(5)
    np.testing.assert_array_equal(fit(0), first)
    assert np.abs(fit(1) - first).max() > 1e-3


@EVERY
def test_pickling_and_cloning(kind, data):
    X, targets, A = data
    model = make(kind, early_stopping=True).fit(X, targets[kind], sensitive_features=A)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(scores(copy, X), scores(model, X))
    again = clone(model).fit(X, targets[kind], sensitive_features=A)
    np.testing.assert_array_equal(scores(again, X), scores(model, X))


# ------------------------------------------------------------------ training


@EVERY
@pytest.mark.parametrize("discrepancy", ["adversarial", "mmd"])
def test_early_stopping_keeps_the_weights_of_the_best_epoch(kind, discrepancy, data):
    X, targets, A = data
    settings = {"early_stopping": True, "lr": 0.1, "discrepancy": discrepancy}
    model = make(kind, max_epochs=40, patience=3, **settings)
    model.fit(X, targets[kind], sensitive_features=A)
    values = [record["validation_score"] for record in model.history_]
    assert model.best_epoch_ == int(np.argmin(values))
    assert model.n_iter_ == min(40, model.best_epoch_ + 4)
    # The same seeds up to the best epoch give the same weights.
    short = make(kind, max_epochs=model.best_epoch_ + 1, patience=50, **settings)
    short.fit(X, targets[kind], sensitive_features=A)
    np.testing.assert_array_equal(scores(short, X), scores(model, X))


@EVERY
def test_rows_of_weight_zero_are_not_there(kind, data):
    X, targets, A = data
    y = targets[kind]
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    keep = weight > 0
    weighted = make(kind).fit(X, y, sensitive_features=A, sample_weight=weight)
    subset = make(kind).fit(
        X[keep], y[keep], sensitive_features=A[keep], sample_weight=weight[keep]
    )
    np.testing.assert_array_equal(scores(weighted, X), scores(subset, X))
    plain = make(kind).fit(X, y, sensitive_features=A)
    assert np.abs(scores(weighted, X) - scores(plain, X)).max() > 1e-4


def test_weights_are_those_of_least_squares(data):
    X, targets, A = data
    y = targets["regressor"]
    weight = np.where(A > 0, 5.0, 0.2)
    model = make(
        "regressor", hidden_layer_sizes=(), mu=0, batch_size=len(y), max_epochs=400, lr=0.02
    ).fit(X, y, sensitive_features=A, sample_weight=weight)
    root = np.sqrt(weight)[:, None]
    design = np.column_stack([np.ones(len(y)), X])
    best = np.linalg.lstsq(design * root, y * root[:, 0], rcond=None)[0]
    # Adam with full batches ends within a thousandth of the optimum.
    np.testing.assert_allclose(model.predict(X), design @ best, atol=5e-3)


@EVERY
def test_precision_follows_the_features(kind, data):
    X, targets, A = data
    model = make(kind).fit(X.astype(np.float32), targets[kind], sensitive_features=A)
    assert scores(model, X.astype(np.float32)).dtype == np.float32
    assert scores(model, X).dtype == np.float64
    assert next(model.module_.parameters()).dtype == torch.float32
    # float32 has seven digits.
    np.testing.assert_allclose(scores(model, X.astype(np.float32)), scores(model, X), rtol=1e-4,
                               atol=1e-5)  # fmt: skip


# -------------------------------------------------------- sensitive features


@EVERY
@pytest.mark.parametrize("discrepancy", ["adversarial", "mmd"])
def test_mixed_features_with_missing_values(kind, discrepancy, data):
    X, targets, A = data
    mixed = np.empty((len(A), 3), dtype=object)
    mixed[:, 0] = list(A)
    mixed[:, 1] = np.where(A > 0.5, "old", "young")
    mixed[:, 2] = np.random.default_rng(0).integers(20, 70, len(A))
    mixed[::5, 0], mixed[::7, 1] = np.nan, None
    model = make(kind, discrepancy=discrepancy, early_stopping=True)
    model.fit(X, targets[kind], sensitive_features=mixed)
    names = model.sensitive_encoder_.feature_names_out_
    assert names == ("sensitive_feature_0", "sensitive_feature_1=old", "sensitive_feature_2")
    assert np.isfinite(scores(model, X)).all()


def test_only_known_rows_reach_the_sampler(data, monkeypatch):
    X, targets, A = data
    from fairsk.neural import _fair_icp

    seen = []
    real = _fair_icp.make_copier

    def spy(*args):
        copier = real(*args)
        fit = copier.fit
        copier.fit = lambda features, y, weight: (seen.append(len(y)), fit(features, y, weight))
        return copier

    monkeypatch.setattr(_fair_icp, "make_copier", spy)
    some = A.copy()
    some[:100] = np.nan
    model = make("regressor", max_epochs=1).fit(X, targets["regressor"], sensitive_features=some)
    assert seen == [200]
    assert model.target_mean_ == pytest.approx(targets["regressor"].mean())


@EVERY
def test_columns_and_metadata_are_the_same_channel(kind, data):
    X, targets, A = data
    wide = np.column_stack([X, A])
    by_column = make(kind, sensitive_columns=[2]).fit(wide, targets[kind])
    by_metadata = make(kind).fit(X, targets[kind], sensitive_features=A)
    np.testing.assert_array_equal(scores(by_column, wide), scores(by_metadata, X))
    kept = make(kind, sensitive_columns=[2], drop_sensitive_columns=False)
    assert kept.fit(wide, targets[kind]).module_[0].in_features == 3


def test_any_number_of_classes(data):
    _, _, A = data
    X, y = make_blobs(len(A), centers=4, cluster_std=1.0, random_state=0)
    X = StandardScaler().fit_transform(X)
    labels = np.array(["d", "a", "c", "b"])[y]
    model = make("classifier", mu=0.3, max_epochs=15).fit(X, labels, sensitive_features=A)
    assert list(model.classes_) == ["a", "b", "c", "d"]
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (len(A), 4) == model.decision_function(X).shape
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert model.score(X, labels) > 0.8


# -------------------------------------------------------------------- modules


@EVERY
def test_a_module_of_the_users(kind, data):
    X, targets, A = data
    module = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    before = [parameter.clone() for parameter in module.parameters()]
    model = make(kind, module=module).fit(X, targets[kind], sensitive_features=A)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert isinstance(model.module_[1], torch.nn.Tanh)

    def builder(n_features, n_outputs):
        return torch.nn.Linear(n_features, n_outputs)

    linear = make(kind, module=builder).fit(X, targets[kind], sensitive_features=A)
    default = make(kind, hidden_layer_sizes=()).fit(X, targets[kind], sensitive_features=A)
    np.testing.assert_array_equal(scores(linear, X), scores(default, X))


def test_two_logits_for_two_classes(data):
    X, targets, A = data
    model = make("classifier", module=torch.nn.Linear(2, 2), max_epochs=10)
    model.fit(X, targets["classifier"], sensitive_features=A)
    assert model.decision_function(X).shape == (len(A),)
    assert model.score(X, targets["classifier"]) > 0.7


@EVERY
@pytest.mark.parametrize(
    ("module", "error", "match"),
    [
        (torch.nn.Linear(2, 3), ValueError, r"returns shape \(2, 3\).*must return \(2, 1"),
        (torch.nn.Linear(5, 1), ValueError, "fails on 2 rows of 2 features"),
        (torch.nn.Flatten(0), ValueError, "returns shape"),
        ("mlp", TypeError, "module must be a torch.nn.Module"),
        (lambda n, k: None, TypeError, "returned NoneType"),
    ],
    ids=["width", "features", "shape", "string", "nothing"],
)
def test_modules_that_do_not_fit(kind, module, error, match, data):
    X, targets, A = data
    with pytest.raises(error, match=match):
        make(kind, module=module).fit(X, targets[kind], sensitive_features=A)


# --------------------------------------------------------------------- errors


@EVERY
@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"mu": 1.0}, "mu is the share of fairness"),
        ({"mu": -0.1}, "mu is the share of fairness"),
        ({"mu": "high"}, "mu is the share of fairness"),
        ({"discrepancy": "kl"}, "discrepancy must be one of"),
        ({"resampling": "gibbs"}, "resampling must be one of"),
        ({"resampling": "oracle"}, "needs density="),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be"),
        ({"hidden_layer_sizes": 8}, "hidden_layer_sizes must be"),
        ({"discriminator_hidden_layer_sizes": (2.5,)}, "discriminator_hidden_layer_sizes must be"),
        ({"max_epochs": 0}, "max_epochs must be an integer >= 1"),
        ({"batch_size": 1.5}, "batch_size must be an integer >= 1"),
        ({"lr": 0}, "lr must be a positive number"),
        ({"discriminator_lr": -1}, "discriminator_lr must be a positive number"),
        ({"weight_decay": -1}, "weight_decay must be at least 0"),
        ({"max_restarts": -1}, "max_restarts must be"),
        ({"validation_fraction": 1.0}, "validation_fraction is the share"),
        ({"device": "tpu"}, "device must be one of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_parameters(kind, parameters, match, data):
    X, targets, A = data
    with pytest.raises(ValueError, match=match):
        make(kind, **parameters).fit(X, targets[kind], sensitive_features=A)


@EVERY
def test_bad_data(kind, data):
    X, targets, A = data
    y = targets[kind]

    def error(match, X=X, y=y, A=A, kind_of_error=ValueError, **parameters):
        with pytest.raises(kind_of_error, match=match):
            make(kind, **parameters).fit(X, y, sensitive_features=A)

    error("one class only|one value only", y=np.ones(len(y)))
    error("are constant", A=np.ones(len(A)))
    error("Only 9 rows have all sensitive features", A=np.where(np.arange(len(A)) < 9, A, np.nan))
    error("Only 8 rows", X=X[:8], y=np.arange(8) % 2, A=A[:8])
    error("contains NaN", X=np.where(X > 1, np.nan, X))
    error("but sensitive_features has 10", A=A[:10])
    error("y has 7", y=y[:7])
    error("must be one of .* or a sampler", resampling=object(), kind_of_error=TypeError)
    error(
        "Give the density to the sampler",
        resampling=InverseConditionalPermutation(),
        density=KnownGaussianDensity(lambda a: a[:, 0]),
    )


def test_a_density_that_returns_nan_is_refused_before_training(data):
    X, targets, A = data
    broken = KnownGaussianDensity(lambda a: np.full(len(a), np.nan))
    with pytest.raises(ValueError, match=r"[Nn]aN"):
        make("regressor", resampling="oracle", density=broken).fit(
            X, targets["regressor"], sensitive_features=A
        )


# ---------------------------------------------------------------------- tools


def partial_correlation_score(y_true, y_pred, sensitive_features):
    """Minus the squared correlation of prediction and A given Y: higher is fairer."""
    given = np.column_stack([np.ones(len(y_true)), y_true])
    rest = [
        v - given @ np.linalg.lstsq(given, v, rcond=None)[0]
        for v in (y_pred, np.ravel(sensitive_features))
    ]
    return -(np.corrcoef(*rest)[0, 1] ** 2)


def test_a_search_over_mu(data):
    X, targets, A = data
    y = targets["regressor"]
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(partial_correlation_score)
        scorer = scorer.set_score_request(sensitive_features=True)
        model = make("regressor", hidden_layer_sizes=(), max_epochs=30, discriminator_lr=0.01)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"fairicpregressor__mu": [0.0, 0.8]},
            scoring={"fair": scorer, "r2": "r2"},
            refit="fair",
            cv=2,
        ).fit(X, y, sensitive_features=A)
    assert search.best_params_ == {"fairicpregressor__mu": 0.8}
    assert np.isfinite(search.cv_results_["mean_test_r2"]).all()


@pytest.mark.parametrize("routing", [True, False])
def test_the_regressor_in_cross_validation_by_columns(routing, data):
    X, targets, A = data
    wide = np.column_stack([X, A])
    model = make("regressor", sensitive_columns=[-1], max_epochs=15)
    with config_context(enable_metadata_routing=routing):
        predicted = cross_val_predict(model, wide, targets["regressor"], cv=2)
    assert np.corrcoef(predicted, targets["regressor"])[0, 1] > 0.7


def test_progress_is_shown_on_request(data, capsys):
    X, targets, A = data
    make("classifier", max_epochs=2, verbose=2).fit(X, targets["classifier"], sensitive_features=A)
    assert "FairICPClassifier" in capsys.readouterr().err
