"""Balancing influence: the paper's objective, what retraining achieves, every way to call it."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from fairsk import InfluenceReweighter, SharedRowsWarning, get_notion, influence_weights
from fairsk.base import SensitiveFeaturesWarning
from fairsk.curvature import SingularCurvatureError
from fairsk.datasets import make_biased_classification
from fairsk.reweighting._rate_gaps import RateGaps, Surrogate, resolve_targets
from fairsk.utils import GroupEncoder
from tests._reference.naive_influence import (
    gradient_descent,
    gumbel_rate,
    paper_coefficients,
    paper_objective,
)


def tight(**parameters):
    return LogisticRegression(tol=1e-9, max_iter=5_000, **parameters)


@pytest.fixture(scope="module")
def data():
    X, y, A = make_biased_classification(1_500, n_features=3, bias=2.0, random_state=0)
    A = np.asarray(A).ravel()
    return X[:700], y[:700], A[:700], X[700:], y[700:], A[700:]


def fit(model, data, **more):
    X, y, _, X_val, y_val, A_val = data
    return model.fit(X, y, X_val=X_val, y_val=y_val, sensitive_features_val=A_val, **more)


# ------------------------------------------------------------------- the paper


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_the_weights_solve_equation_14(nonnegative, temperature, data):
    X, y, _, X_val, y_val, A_val = (part[:90] for part in data)
    damping, penalty, n = 0.002, 0.05, 90
    model = tight(C=0.5).fit(X, y)
    found = influence_weights(
        model, X, y, X_val=X_val, y_val=y_val, sensitive_features_val=A_val,
        l2=penalty, damping=damping, nonnegative=nonnegative, temperature=temperature,
    )  # fmt: skip
    theta = np.append(model.coef_, model.intercept_)
    ridge = np.append(np.full(3, 1 / (0.5 * n)), 0.0) + damping
    s_val = (A_val == sorted(set(A_val))[1]).astype(int)
    d, v = paper_coefficients(X, y, X_val, y_val, s_val, theta, ridge, temperature)
    # Group 0 minus group 1 here: the paper's d is minus the gap, and v the influence.
    np.testing.assert_allclose(found.gap, -d, atol=1e-10)
    np.testing.assert_allclose(found.influence.T, v, rtol=1e-7, atol=1e-9)
    lower = -1 / n if nonnegative else -np.inf
    epsilon = (found.sample_weight - 1) / n
    descended = gradient_descent(d, v, penalty, 3_000, lower)
    # The exact minimum is nowhere above what gradient descent finds.
    value = paper_objective(epsilon, d, v, penalty)
    assert value <= paper_objective(descended, d, v, penalty) + 1e-12
    np.testing.assert_allclose(epsilon, descended, atol=2e-4)
    np.testing.assert_allclose(found.predicted_gap, v @ epsilon - d, atol=1e-9)
    if nonnegative:
        assert found.sample_weight.min() >= 0


def test_gumbel_is_the_papers_softmax_of_noisy_logits():
    rng = np.random.RandomState(0)
    logits, temperature = rng.normal(size=(6, 2)), 0.7
    y, groups = np.array([1, 1, 1, 0, 0, 0]), GroupEncoder().fit_transform(list("aabbab"))
    z = logits[:, 1] - logits[:, 0]
    surrogate = Surrogate("gumbel", temperature, 40_000, 0)
    gaps = RateGaps(resolve_targets("tpr"), y, groups, None, "auto", surrogate)
    draws = rng.gumbel(size=(4_000, 6, 2))
    rates = [gumbel_rate(logits, rows, temperature, 1, draws) for rows in ([0, 1], [2])]
    # Monte Carlo with 4,000 draws: standard error below .3 / sqrt(4000) each.
    assert gaps.soft(z)[0] == pytest.approx(rates[0] - rates[1], abs=0.02)
    np.testing.assert_array_equal(gaps.soft(z), gaps.soft(z))


@pytest.mark.parametrize("kind", ["sigmoid", "gumbel"])
@pytest.mark.parametrize("notion", ["equalized_odds", "demographic_parity", "accuracy_parity"])
def test_derivatives_of_the_gaps(kind, notion, data):
    y, A = data[1][:60], np.resize(list("abc"), 60)
    surrogate = Surrogate(kind, 0.8, 5, 0)
    gaps = RateGaps(resolve_targets(notion), y, GroupEncoder().fit_transform(A), None, "auto",
                    surrogate)  # fmt: skip
    z = np.random.RandomState(0).normal(size=60)
    basis, mix = gaps.derivatives(z)
    # Three groups against their population: one of the gaps follows from the others.
    assert mix.shape == (len(gaps.names), 2 * len(get_notion(notion).rates))
    for j in (0, 7, 31):
        moved = [gaps.soft(z + sign * 1e-5 * (np.arange(60) == j)) for sign in (1, -1)]
        # Central differences.
        np.testing.assert_allclose((moved[0] - moved[1]) / 2e-5, (basis @ mix.T)[j], atol=1e-8)


def test_hard_gaps_are_those_of_the_metrics(data):
    from fairsk import group_rates

    y, A = data[1], data[2]
    z = np.random.RandomState(0).normal(size=len(y))
    groups = GroupEncoder().fit_transform(A)
    gaps = RateGaps(resolve_targets(("tpr", "tnr")), y, groups, None, "auto", Surrogate()).hard(z)
    rates = [
        [np.mean((z > 0)[(y == label) & (a == A)] == label) for a in sorted(set(A))]
        for label in (1, 0)
    ]
    np.testing.assert_allclose(gaps, [first - second for first, second in rates])
    assert group_rates(y, (z > 0).astype(int), sensitive_features=A) is not None


# ------------------------------------------------------------------ both stages


@pytest.mark.parametrize("targets", [("tpr", "tnr"), "equal_opportunity", "demographic_parity"])
def test_retraining_closes_the_gap_as_predicted(targets, data):
    model = fit(InfluenceReweighter(tight(), targets=targets, l2=1e-3), data)
    change, predicted = model.achieved_gap_ - model.gap_, model.predicted_gap_ - model.gap_
    assert np.abs(model.gap_).max() > 0.05
    # First order: logistic regression follows within a third for changes of this size.
    big = np.abs(predicted) > 0.03
    assert (np.abs(change - predicted)[big] < 0.34 * np.abs(predicted)[big]).all()
    assert np.linalg.norm(model.achieved_gap_) < 0.5 * np.linalg.norm(model.gap_)
    assert model.sample_weight_.min() >= 0


def test_rounds_come_closer(data):
    one = fit(InfluenceReweighter(tight(), l2=1e-4), data)
    three = fit(InfluenceReweighter(tight(), l2=1e-4, n_rounds=3), data)
    assert len(three.history_) == 4
    assert np.linalg.norm(three.achieved_gap_) < 0.5 * np.linalg.norm(one.achieved_gap_)
    objectives = [record.objective for record in three.history_]
    best = three.history_[int(np.argmin(objectives))]
    np.testing.assert_array_equal(best.achieved_gap, three.achieved_gap_)


def test_a_large_l2_leaves_the_model_as_it_is(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fit(InfluenceReweighter(tight(), l2=1e3), data)
    np.testing.assert_array_equal(model.sample_weight_, 1.0)
    np.testing.assert_allclose(
        model.predict_proba(data[3]), tight().fit(data[0], data[1]).predict_proba(data[3])
    )


def test_several_dampings_are_tried(data):
    model = fit(InfluenceReweighter(tight(), damping=(1e-3, 0.1, 10.0), l2=1e-3), data)
    assert [record.damping for record in model.history_[1:]] == [1e-3, 0.1, 10.0]
    best = min(model.history_, key=lambda record: record.objective)
    np.testing.assert_array_equal(best.achieved_gap, model.achieved_gap_)
    single = fit(InfluenceReweighter(tight(), damping=best.damping, l2=1e-3), data)
    np.testing.assert_array_equal(single.sample_weight_, model.sample_weight_)
    np.testing.assert_array_equal(single.influence_, model.influence_)


def test_more_groups_and_independent_features(data):
    X, y, A, X_val, y_val, A_val = data
    rng = np.random.RandomState(0)
    second = np.array(list("uvw"))[rng.randint(3, size=len(y_val))]
    both = np.column_stack([A_val, second])
    given = {"X_val": X_val, "y_val": y_val}
    crossed = InfluenceReweighter(tight(), l2=0.01).fit(X, y, sensitive_features_val=both, **given)
    assert len(crossed.gap_names_) == 12 and "population" in crossed.gap_names_[0]
    apart = InfluenceReweighter(tight(), l2=0.01, groups="independent").fit(
        X, y, sensitive_features_val=both, **given
    )
    assert len(apart.gap_names_) == 2 * (2 + 3)
    pairs = InfluenceReweighter(tight(), l2=0.01, contrast="groups", targets="tpr").fit(
        X, y, sensitive_features_val=second, **given
    )
    assert len(pairs.gap_names_) == 3
    for model in (crossed, apart, pairs):
        assert np.linalg.norm(model.achieved_gap_) <= np.linalg.norm(model.gap_)


def test_weights_count_as_repeated_rows(data):
    X, y, _, X_val, y_val, A_val = (part[:150] for part in data)
    weight = np.random.RandomState(0).randint(1, 4, 150).astype(float)
    rows = np.repeat(np.arange(150), weight.astype(int))
    given = {"X_val": X_val, "y_val": y_val, "sensitive_features_val": A_val}
    model = InfluenceReweighter(tight(), l2=0.01, n_rounds=2)
    weighted = model.fit(X, y, sample_weight=weight, **given)
    influence, sample_weight = weighted.influence_, weighted.sample_weight_
    repeated = InfluenceReweighter(tight(), l2=0.01, n_rounds=2).fit(X[rows], y[rows], **given)
    # The solver stops at a gradient of 1e-9.
    np.testing.assert_allclose(repeated.influence_, influence[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(repeated.sample_weight_, (sample_weight / weight)[rows], atol=1e-5)
    np.testing.assert_allclose(repeated.achieved_gap_, weighted.achieved_gap_, atol=1e-6)


def test_rows_of_weight_zero_are_not_there(data):
    X, y, _, X_val, y_val, A_val = (part[:200] for part in data)
    weight = np.ones(200)
    weight[::5] = 0
    given = {"X_val": X_val, "y_val": y_val, "sensitive_features_val": A_val}
    model = InfluenceReweighter(tight(), l2=0.01).fit(X, y, sample_weight=weight, **given)
    kept = InfluenceReweighter(tight(), l2=0.01).fit(X[weight > 0], y[weight > 0], **given)
    np.testing.assert_array_equal(model.sample_weight_[weight == 0], 0)
    np.testing.assert_allclose(model.sample_weight_[weight > 0], kept.sample_weight_, atol=1e-6)


# -------------------------------------------------------------- ways to call it


def test_a_few_known_groups_among_the_training_rows(data):
    X, y, A, *_ = data
    some = A.astype(object)
    some[np.random.RandomState(0).permutation(len(y))[:400]] = None
    model = InfluenceReweighter(tight(), l2=1e-3).fit(X, y, sensitive_features=some)
    known = some != None  # noqa: E711
    separate = InfluenceReweighter(tight(), l2=1e-3)
    with pytest.warns(SharedRowsWarning, match="300 of the 300 validation rows are training rows"):
        separate.fit(X, y, X_val=X[known], y_val=y[known], sensitive_features_val=A[known])
    np.testing.assert_allclose(model.sample_weight_, separate.sample_weight_)


def test_rows_held_out_of_training(data):
    X, y, A, *_ = data
    model = InfluenceReweighter(tight(), l2=0.01, validation_fraction=0.4, random_state=0)
    model.fit(X, y, sensitive_features=A)
    held = ~model.influence_.any(axis=1)
    np.testing.assert_array_equal(model.sample_weight_[held], 0)
    assert held.mean() == pytest.approx(0.4, abs=0.01)
    for label in (0, 1):
        for a in set(A):
            cell = (y == label) & (a == A)
            assert held[cell].sum() == np.ceil(0.4 * cell.sum())
    direct = InfluenceReweighter(tight(), l2=0.01).fit(
        X[~held], y[~held], X_val=X[held], y_val=y[held], sensitive_features_val=A[held]
    )
    np.testing.assert_allclose(direct.sample_weight_, model.sample_weight_[~held])


def test_the_weights_alone(data):
    model = fit(InfluenceReweighter(tight(), l2=0.01, refit=False), data)
    full = fit(InfluenceReweighter(tight(), l2=0.01), data)
    np.testing.assert_array_equal(model.sample_weight_, full.sample_weight_)
    np.testing.assert_array_equal(model.predicted_gap_, full.predicted_gap_)
    assert np.isnan(model.achieved_gap_).all()
    plain = tight().fit(data[0], data[1])
    np.testing.assert_array_equal(model.predict(data[3]), plain.predict(data[3]))
    X, y, _, X_val, y_val, A_val = data
    alone = influence_weights(
        plain, X, y, X_val=X_val, y_val=y_val, sensitive_features_val=A_val, l2=0.01, damping=1e-3
    )
    np.testing.assert_allclose(alone.sample_weight, full.sample_weight_)
    # Trained to a gradient of 1e-9 of the sum, and the objective is a mean.
    assert alone.gradient_norm < 1e-6


def test_a_trained_model(data):
    X, y, _, X_val, y_val, A_val = data
    labels = np.array(["no", "yes"])
    frozen = FrozenEstimator(tight().fit(X, labels[y]))
    given = {"X_val": X_val, "y_val": labels[y_val], "sensitive_features_val": A_val}
    model = InfluenceReweighter(frozen, l2=0.01).fit(X, labels[y], **given)
    afresh = InfluenceReweighter(tight(), l2=0.01).fit(X, labels[y], **given)
    np.testing.assert_array_equal(model.predict(X_val), afresh.predict(X_val))
    assert set(model.predict(X_val)) == {"no", "yes"}
    kept = InfluenceReweighter(frozen, l2=1e3).fit(X, labels[y], **given)
    np.testing.assert_array_equal(kept.predict(X_val), frozen.predict(X_val))
    with pytest.raises(ValueError, match="was fitted on classes"):
        fit(InfluenceReweighter(FrozenEstimator(tight().fit(X, labels[y]))), data[:1] + (
            np.array(["a", "b"])[y], data[2], X_val, np.array(["a", "b"])[y_val], A_val,
        ))  # fmt: skip


def test_in_a_pipeline_that_transforms_the_validation_rows(data):
    X, y, _, X_val, y_val, A_val = data
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("fair", InfluenceReweighter(tight(), l2=0.01))],
            transform_input=["X_val"],
        ).fit(10 * X, y, X_val=10 * X_val, y_val=y_val, sensitive_features_val=A_val)
    scaler = StandardScaler().fit(X)
    direct = InfluenceReweighter(tight(), l2=0.01).fit(
        scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val,
        sensitive_features_val=A_val,
    )  # fmt: skip
    np.testing.assert_allclose(pipeline[-1].sample_weight_, direct.sample_weight_, atol=1e-6)
    inside = make_pipeline(StandardScaler(), tight())
    within = fit(InfluenceReweighter(inside, l2=0.01), data)
    np.testing.assert_allclose(within.sample_weight_, direct.sample_weight_, atol=1e-6)


def test_groups_of_the_validation_rows_from_a_column(data):
    pandas = pytest.importorskip("pandas")
    X, y, A, X_val, y_val, A_val = data
    frames = [
        pandas.DataFrame(part, columns=list("uvw")).assign(group=groups)
        for part, groups in ((X, A), (X_val, A_val))
    ]
    model = InfluenceReweighter(tight(), l2=0.01, sensitive_columns="group")
    model.fit(frames[0], y, X_val=frames[1], y_val=y_val)
    np.testing.assert_allclose(
        model.sample_weight_, fit(InfluenceReweighter(tight(), l2=0.01), data).sample_weight_
    )
    assert model.predict(frames[1]).shape == y_val.shape


def test_sparse_rows(data):
    X, y, _, X_val, y_val, A_val = data
    dense = fit(InfluenceReweighter(tight(), l2=0.01), data)
    found = fit(
        InfluenceReweighter(tight(), l2=0.01),
        (sparse.csr_matrix(X), y, None, sparse.csr_array(X_val), y_val, A_val),
    )
    np.testing.assert_allclose(found.sample_weight_, dense.sample_weight_, atol=1e-6)


def test_starting_from_the_trained_parameters(data):
    base = SGDClassifier(
        loss="log_loss",
        max_iter=1,
        tol=None,
        learning_rate="constant",
        eta0=3e-3,
        random_state=0,
    )
    settings = {"l2": 1e-3, "damping": 0.1}
    model = fit(InfluenceReweighter(base, warm_start=True, **settings), data)
    once = fit(InfluenceReweighter(base, **settings), data)
    # One epoch of small steps stops half way: going on leads farther.
    assert np.linalg.norm(model.estimator_.coef_) > 1.2 * np.linalg.norm(once.estimator_.coef_)
    assert model.estimator_.warm_start is False
    with pytest.raises(TypeError, match="_NoWarmStart cannot start from trained parameters"):
        fit(InfluenceReweighter(_NoWarmStart(), warm_start=True), data)


class _NoWarmStart(LogisticRegression):
    def __init__(self):
        super().__init__()


def test_networks(data):
    pytest.importorskip("torch", reason="needs the neural extra")
    from sklearn.neural_network import MLPClassifier

    from fairsk import FairICPClassifier

    mlp = MLPClassifier((6,), solver="lbfgs", alpha=5.0, max_iter=500, random_state=0)
    network = FairICPClassifier(
        hidden_layer_sizes=(6,), mu=0.0, max_epochs=20, lr=0.02, weight_decay=5e-3, random_state=0
    )
    for base in (mlp, network):
        for warm_start in (False, True):
            model = InfluenceReweighter(
                base, l2=0.01, damping=0.05, warm_start=warm_start, random_state=0
            )
            model = fit(model, data)
            assert np.linalg.norm(model.achieved_gap_) < 0.7 * np.linalg.norm(model.gap_)
    last = InfluenceReweighter(network, parameters="last", damping=0.05, l2=0.01, refit=False)
    assert fit(last, data).influence_.shape == (700, 2)


def test_weights_for_a_net_of_skorch_and_a_module(data):
    torch = pytest.importorskip("torch", reason="needs the neural extra")
    skorch = pytest.importorskip("skorch", reason="needs the neural extra")
    X, y, _, X_val, y_val, A_val = data
    X, X_val = X.astype(np.float32), X_val.astype(np.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)
        net = skorch.NeuralNetClassifier(
            module, criterion=torch.nn.CrossEntropyLoss, max_epochs=5, lr=0.1, verbose=0,
            optimizer__weight_decay=0.01,
        )  # fmt: skip
        net.fit(X, y)
    given = {"X_val": X_val, "y_val": y_val, "sensitive_features_val": A_val, "l2": 0.01}
    of_net = influence_weights(net, X, y, **given)
    of_module = influence_weights(net.module_, X, y, weight_decay=0.01, **given)
    of_tensor = influence_weights(
        net.module_, torch.as_tensor(X), y, weight_decay=0.01,
        **(given | {"X_val": torch.as_tensor(X_val)}),
    )  # fmt: skip
    np.testing.assert_array_equal(of_net.sample_weight, of_module.sample_weight)
    np.testing.assert_array_equal(of_net.sample_weight, of_tensor.sample_weight)
    model = InfluenceReweighter(net)
    with pytest.raises(TypeError, match="net of skorch, whose fit takes no sample_weight"):
        fit(model, data)


# --------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"estimator": DecisionTreeClassifier()}, TypeError, "not differentiable.*LogisticRegre"),
        ({"estimator": RidgeClassifier()}, TypeError, "no predict_proba"),
        ({"estimator": KNeighborsClassifier()}, TypeError, "not differentiable"),
        (
            {"estimator": make_pipeline(StandardScaler(), DecisionTreeClassifier())},
            TypeError,
            "not differentiable",
        ),
        ({"estimator": LogisticRegression(l1_ratio=0.5, solver="saga")}, ValueError, "L1 penalty"),
        ({"targets": ()}, ValueError, "targets is empty"),
        ({"targets": "recall"}, ValueError, r"targets takes \['tnr', 'tpr'\] and notions"),
        ({"targets": "overall_equal_opportunity"}, ValueError, "notions of one task"),
        ({"l2": -1}, ValueError, "l2 must be a number >= 0"),
        ({"damping": -1}, ValueError, "damping must be a number >= 0"),
        ({"damping": ()}, ValueError, "damping must be 'auto', a number"),
        ({"damping": "none"}, ValueError, "damping must be 'auto', a number"),
        ({"damping": (0, 1), "refit": False}, ValueError, "Without refit nothing tells"),
        ({"surrogate": "step"}, ValueError, "surrogate must be one of"),
        ({"temperature": 0}, ValueError, "temperature must be a positive"),
        ({"n_draws": 0}, ValueError, "n_draws must be at least 1"),
        ({"contrast": "all"}, ValueError, "contrast must be one of"),
        ({"n_rounds": 0}, ValueError, "n_rounds must be an integer >= 1"),
        ({"solver": "lissa"}, ValueError, "solver must be one of"),
        ({"curvature": "fisher"}, ValueError, "kind must be one of"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction must be between 0 and 1"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_parameters(parameters, error, match, data):
    with pytest.raises(error, match=match):
        fit(InfluenceReweighter(**parameters), data)


def test_bad_validation_rows(data):
    X, y, A, X_val, y_val, A_val = data
    model = InfluenceReweighter()
    with pytest.raises(ValueError, match="need both X_val and y_val"):
        model.fit(X, y, X_val=X_val, sensitive_features_val=A_val)
    with pytest.raises(ValueError, match="no group labels anywhere"):
        model.fit(X, y, X_val=X_val, y_val=y_val)
    with pytest.raises(ValueError, match="Every value of sensitive feature .* is missing"):
        model.fit(X, y, X_val=X_val, y_val=y_val, sensitive_features_val=[None] * len(y_val))
    with pytest.raises(ValueError, match="for the training rows and for validation rows"):
        fit(model, data, sensitive_features=A)
    with pytest.raises(ValueError, match="y_val has 7, which is not a class"):
        model.fit(X, y, X_val=X_val, y_val=y_val + 7, sensitive_features_val=A_val)
    with pytest.raises(ValueError, match="X_val has 800 rows|X has 800 rows but"):
        model.fit(X, y, X_val=X_val, y_val=y_val[:5], sensitive_features_val=A_val)
    with pytest.raises(ValueError, match="features"):
        model.fit(X, y, X_val=X_val[:, :2], y_val=y_val, sensitive_features_val=A_val)
    first = A_val == A_val[0]
    for label, match in ((1, r"no positive rows \(y = 1\)"), (0, r"no negative rows \(y = 0\)")):
        y_bad = np.where(first, 1 - label, y_val)
        with pytest.raises(ValueError, match=match):
            model.fit(X, y, X_val=X_val, y_val=y_bad, sensitive_features_val=A_val)
    with pytest.warns(SensitiveFeaturesWarning):
        model.fit(X, y)
    assert model.history_ == [] and model.gap_.shape == (0,)


def test_singular_curvature_names_the_damping(data):
    X, y, _, X_val, y_val, A_val = data
    doubled = (np.hstack([X, X]), y, None, np.hstack([X_val, X_val]), y_val, A_val)
    base = LogisticRegression(C=np.inf)
    with pytest.raises(SingularCurvatureError, match="Set damping"):
        fit(InfluenceReweighter(base, damping=0.0), doubled)
    assert fit(InfluenceReweighter(base, damping=1e-3), doubled).sample_weight_.min() >= 0


def test_weights_that_are_all_zero(data):
    X, y, A, *_ = data
    for given in ({"sample_weight": np.zeros(len(y))}, {"sample_weight": (y == 1).astype(float)}):
        with pytest.raises(ValueError, match="less than two classes|at least one non-zero"):
            fit(InfluenceReweighter(), data, **given)
    # Groups of different classes: only weights of zero could make their rates equal.
    with pytest.raises(ValueError, match="sample_weight must be positive"):
        influence_weights(
            tight().fit(X, y), X, y, X_val=data[3], y_val=data[4],
            sensitive_features_val=data[5], sample_weight=np.zeros(len(y)),
        )  # fmt: skip


def test_weights_that_leave_no_row_of_a_class(data, monkeypatch):
    from fairsk.reweighting import _balance
    from fairsk.solvers import LeastChange

    def empties(A, d, penalty, lower):
        return LeastChange(np.where(data[1] == 1, lower, 0.0), d, 1.0, 0.0)

    monkeypatch.setattr(_balance, "solve_least_change", empties)
    with pytest.raises(ValueError, match=r"zero for every row of class 1.*Raise l2"):
        fit(InfluenceReweighter(tight()), data)


def test_a_round_that_helps_nothing_is_said(data, monkeypatch):
    from fairsk.reweighting import _balance

    exact = _balance.influence_of_rows

    def reversed_sign(*args, **kwargs):
        influence, solution = exact(*args, **kwargs)
        return -influence, solution

    monkeypatch.setattr(_balance, "influence_of_rows", reversed_sign)
    with pytest.warns(ConvergenceWarning, match="No weights lowered the objective"):
        model = fit(InfluenceReweighter(tight(), l2=1e-3), data)
    np.testing.assert_array_equal(model.sample_weight_, 1.0)


def test_rows_that_repeat_by_chance_are_not_suspected():
    rng = np.random.RandomState(0)
    X, A = rng.randint(0, 3, (600, 3)).astype(float), rng.randint(2, size=600)
    y = (X[:, 0] + A + rng.normal(size=600) > 1.5).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SharedRowsWarning)
        InfluenceReweighter().fit(
            X[:300], y[:300], X_val=X[300:], y_val=y[300:], sensitive_features_val=A[300:]
        )
    matrix = sparse.csr_matrix(rng.normal(size=(300, 3)))
    given = {"X_val": matrix[100:], "y_val": y[100:300], "sensitive_features_val": A[100:300]}
    with pytest.warns(SharedRowsWarning, match="200 of the 200"):
        InfluenceReweighter().fit(matrix, y[:300], **given)
