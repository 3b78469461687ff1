"""Products, solves and estimators: the two implementations against plain linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from fairsk.curvature import (
    LinearScoreModel,
    SingularCurvatureError,
    TrainingObjective,
    influence_of_rows,
    solve_damped,
    trained_model,
)
from fairsk.curvature._trained import check_agreement

# Pairwise distinct sizes: a transposed matrix does not fit by accident.
N, P, M = 41, 5, 3


def rows(seed=0, n=N, p=P):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, p))
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(int)
    weight = rng.uniform(0.5, 2, n)
    return X, y, weight / weight.sum()


def small_module(seed=0, outputs=2, activation="Tanh"):
    torch = pytest.importorskip("torch", reason="needs the neural extra")
    nn = torch.nn
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = nn.Linear(P, 4), getattr(nn, activation)(), nn.Linear(4, outputs)
        return nn.Sequential(*layers).double()


def models():
    from fairsk.curvature._torch_scores import TorchScoreModel

    linear = LinearScoreModel(np.linspace(-1, 1, P), 0.3)
    return {
        "linear": linear,
        "network": TorchScoreModel(small_module(), chunk_rows=16),
        "one logit": TorchScoreModel(small_module(outputs=1), chunk_rows=16),
        "last layer": TorchScoreModel(small_module(), parameters="last", chunk_rows=16),
    }


NAMES = ("linear", "network", "one logit", "last layer")


def objective_of(name):
    pytest.importorskip("torch", reason="needs the neural extra")
    X, y, weight = rows()
    model = models()[name]
    return TrainingObjective(model, X, y, weight, np.linspace(0.01, 0.1, model.n_parameters))


def numeric_hessian(objective, step=1e-5):
    """Central differences of the gradient, by moving the parameters of the model itself."""
    start = objective.model.parameters.copy()
    columns = []
    for k in range(len(start)):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[k] += sign * step
            model = moved_model(objective.model, moved)
            ends.append(
                TrainingObjective(
                    model, objective.X, objective.y, objective.weight, objective.ridge
                ).gradient()
            )
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.array(columns)


def moved_model(model, parameters):
    if isinstance(model, LinearScoreModel):
        return LinearScoreModel(parameters[:-1], parameters[-1])
    import torch

    from fairsk.curvature._torch_scores import TorchScoreModel

    moved, start = TorchScoreModel(model.module, parameters=model.names, chunk_rows=16), 0
    with torch.no_grad():
        for value in moved._values.values():
            stop = start + value.numel()
            value.copy_(torch.as_tensor(parameters[start:stop]).reshape(value.shape))
            start = stop
    moved.parameters = parameters
    return moved


@pytest.mark.parametrize("name", NAMES)
def test_products_are_those_of_the_jacobian(name):
    objective = objective_of(name)
    model, X = objective.model, objective.X
    J = np.asarray(model.jacobian(X))
    rng = np.random.RandomState(1)
    V, C = rng.normal(size=(M, model.n_parameters)), rng.normal(size=(N, M))
    for J_of in (model.linearize(X), None):
        pushed = model.push_forward(X, V) if J_of is None else J_of.push(V)
        pulled = model.pull_back(X, C) if J_of is None else J_of.pull(C)
        # Double precision, other orders of summation.
        np.testing.assert_allclose(pushed, J @ V.T, atol=1e-12)
        np.testing.assert_allclose(pulled, C.T @ J, atol=1e-12)
    one = model.push_forward(X, V[:1])
    np.testing.assert_allclose(one, J @ V[:1].T, atol=1e-12)
    p = expit(model.scores(X))
    G = J.T @ ((objective.weight * p * (1 - p))[:, None] * J) + np.diag(objective.ridge)
    np.testing.assert_allclose(objective.gauss_newton_matrix(chunk=7), G, atol=1e-12)
    np.testing.assert_allclose(objective.gauss_newton_product(V[0]), G @ V[0], atol=1e-12)
    np.testing.assert_allclose(objective.gradients(), (p - objective.y)[:, None] * J, atol=1e-12)
    np.testing.assert_allclose(
        objective.loss_derivatives(V), objective.gradients() @ V.T, atol=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_hessian_is_the_derivative_of_the_gradient(name):
    objective = objective_of(name)
    expected = numeric_hessian(objective)
    # Central differences of step 1e-5 are right to about 1e-9.
    np.testing.assert_allclose(objective.hessian_matrix(), expected, atol=1e-7)
    v = np.random.RandomState(2).normal(size=len(expected))
    np.testing.assert_allclose(objective.hessian_product(v), expected @ v, atol=1e-6)
    if name in ("linear", "last layer"):  # linear in the parameters: Gauss-Newton is exact
        np.testing.assert_allclose(objective.gauss_newton_matrix(), expected, atol=1e-7)


def test_a_relu_network_and_a_graph_that_does_not_fit(monkeypatch):
    pytest.importorskip("torch", reason="needs the neural extra")
    from fairsk.curvature import _torch_scores

    X, y, weight = rows()
    module = small_module(activation="ReLU")
    kept = _torch_scores.TorchScoreModel(module, chunk_rows=16).linearize(X)
    assert isinstance(kept, _torch_scores._KeptGraphs)
    assert sum(graph.n_bytes for graph in kept.graphs) > 0
    monkeypatch.setattr(_torch_scores, "MAX_GRAPH_BYTES", 0)
    again = _torch_scores.TorchScoreModel(module, chunk_rows=16).linearize(X)
    assert not isinstance(again, _torch_scores._KeptGraphs)
    v = np.random.RandomState(0).normal(size=(1, kept.model.n_parameters))
    np.testing.assert_allclose(kept.push(v), again.push(v), atol=1e-12)
    c = np.random.RandomState(0).normal(size=(N, 1))
    np.testing.assert_allclose(kept.pull(c), again.pull(c), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["gauss_newton", "hessian"])
def test_both_solvers_find_the_same(name, kind):
    objective = objective_of(name)
    gradients = np.random.RandomState(3).normal(size=(M, objective.model.n_parameters))
    # Away from a minimum the network's Hessian has negative eigenvalues, down to about -.6.
    settings = {"damping": 1.0, "kind": kind}
    direct = solve_damped(objective, gradients, solver="cholesky", **settings)
    iterated = solve_damped(objective, gradients, solver="cg", tol=1e-10, **settings)
    assert direct.solver == "cholesky" and direct.n_iterations == 0 < iterated.n_iterations
    assert direct.residuals.max() < 1e-12  # a factorisation of a small, well conditioned matrix
    assert iterated.residuals.max() < 2e-10
    np.testing.assert_allclose(iterated.vectors, direct.vectors, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_rows_instead_of_parameters(name, monkeypatch):
    from fairsk.curvature import _solve

    objective = objective_of(name)
    gradients = np.random.RandomState(3).normal(size=(M, objective.model.n_parameters))
    direct = solve_damped(objective, gradients, damping=0.01, solver="cholesky")
    by_rows = solve_damped(objective, gradients, damping=0.01, solver="gram")
    assert by_rows.residuals.max() < 1e-10  # two factorisations of well conditioned matrices
    np.testing.assert_allclose(by_rows.vectors, direct.vectors, rtol=1e-8, atol=1e-8)
    with pytest.raises(SingularCurvatureError, match="solver='gram' takes"):
        solve_damped(objective, gradients, solver="gram", kind="hessian")
    monkeypatch.setattr(_solve, "MAX_CHOLESKY_LINEAR", 1)
    monkeypatch.setattr(_solve, "MAX_CHOLESKY_OTHER", 1)
    assert solve_damped(objective, gradients).solver == "gram"
    monkeypatch.setattr(_solve, "MAX_GRAM_SIZE", 1)
    assert solve_damped(objective, gradients, damping=1.0).solver == "cg"


def test_sparse_is_dense():
    X, y, weight = rows()
    X[X < 0.5] = 0
    model = LinearScoreModel(np.linspace(-1, 1, P), 0.3)
    ridge, v = np.full(P + 1, 0.1), np.ones((1, P + 1))
    results = []
    for matrix in (X, sparse.csr_matrix(X), sparse.csr_array(X)):
        objective = TrainingObjective(model, matrix, y, weight, ridge)
        influence, _ = influence_of_rows(objective, v)
        results.append(np.column_stack([influence, objective.gradients()]))
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], atol=1e-12)


def test_conjugate_gradient_says_when_it_did_not_converge():
    X, y, weight = rows()
    X = X * np.logspace(0, 4, P)
    model = LinearScoreModel(np.zeros(P), 0.0)
    objective = TrainingObjective(model, X, y, weight, np.zeros(P + 1))
    with pytest.warns(ConvergenceWarning, match=r"residual of .* above tol=1e-06.* damping"):
        solve_damped(objective, np.ones((1, P + 1)), solver="cg", tol=1e-6, max_iter=2)


def test_a_singular_hessian_names_the_damping():
    X, y, _ = rows()
    X = np.column_stack([X, X[:, 0]])  # collinear
    trained = trained_model(LogisticRegression(C=np.inf).fit(X, y))
    objective = trained.objective(X, y)
    gradient = np.ones((1, P + 2))
    with pytest.raises(SingularCurvatureError, match=r"damping=0.*collinear.*Set damping"):
        influence_of_rows(objective, gradient)
    influence, _ = influence_of_rows(objective, gradient, damping=0.01)
    assert np.isfinite(influence).all()


def test_rows_are_subsampled_by_weight():
    X, y, weight = rows(n=4_000)
    model = LinearScoreModel(np.linspace(-1, 1, P), 0.3)
    g = np.ones((1, P + 1))
    for w in (weight, np.full(len(y), 1 / len(y))):
        objective = TrainingObjective(model, X, y, w, np.full(P + 1, 0.01))
        full = solve_damped(objective, g, solver="cg", tol=1e-8)
        part = solve_damped(objective, g, solver="cg", tol=1e-8, max_rows=2_000, random_state=0)
        # Curvature from 2,000 rows: relative error of the order of 1 / sqrt(2000), times a few.
        np.testing.assert_allclose(part.vectors, full.vectors, rtol=0.2, atol=0.2)
        assert not np.array_equal(part.vectors, full.vectors)


# ----------------------------------------------------------------- estimators


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        LogisticRegressionCV(
            Cs=[0.1, 1.0],
            cv=2,
            l1_ratios=(0,),
            scoring="neg_log_loss",
            use_legacy_attributes=False,
        ),
        SGDClassifier(loss="log_loss", random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda e: type(e).__name__,
)
def test_linear_estimators(estimator):
    X, y, _ = rows(n=200)
    estimator.fit(X, y)
    trained = trained_model(estimator)
    check_agreement(trained, estimator, X)
    # Rounding between probabilities and scores.
    np.testing.assert_allclose(expit(trained.scores(X)), estimator.predict_proba(X)[:, 1])
    influence, _ = influence_of_rows(
        trained.objective(X, y), np.ones((1, trained.model.n_parameters))
    )
    assert influence.shape == (200, 1)


@pytest.mark.parametrize(
    ("estimator", "error", "match"),
    [
        (
            DecisionTreeClassifier(),
            TypeError,
            "is not differentiable.*Logistic",
        ),
        (
            LogisticRegression(l1_ratio=1, solver="saga", max_iter=5_000),
            ValueError,
            "L1 penalty, which is not differentiable",
        ),
        (SGDClassifier(loss="hinge", random_state=0), ValueError, "loss='hinge'; influence needs"),
        (
            SGDClassifier(loss="log_loss", penalty="l1", random_state=0),
            ValueError,
            "L1 penalty",
        ),
    ],
    ids=["tree", "l1", "hinge", "sgd l1"],
)
def test_estimators_that_cannot_be_looked_at(estimator, error, match):
    X, y, _ = rows(n=100)
    with pytest.raises(error, match=match):
        trained_model(estimator.fit(X, y))


def test_three_classes_are_refused():
    X, _, _ = rows(n=60)
    with pytest.raises(ValueError, match="needs a binary classifier"):
        trained_model(LogisticRegression().fit(X, np.arange(60) % 3))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"damping": -1}, "damping must be a number >= 0"),
        ({"solver": "lissa"}, "solver must be one of"),
        ({"kind": "fisher"}, "kind must be one of"),
        ({"tol": 0}, "tol must be between 0 and 1"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"max_rows": 0}, "max_rows must be None or at least 1"),
    ],
)
def test_bad_settings(settings, match):
    X, y, weight = rows()
    objective = TrainingObjective(LinearScoreModel(np.zeros(P)), X, y, weight, np.ones(P + 1))
    with pytest.raises(ValueError, match=match):
        solve_damped(objective, np.ones((1, P + 1)), **settings)


def test_modules_and_their_parameters():
    pytest.importorskip("torch", reason="needs the neural extra")
    from fairsk.curvature._torch_scores import TorchScoreModel

    module = small_module()
    with pytest.raises(ValueError, match=r"parameters must be 'all', 'last' or names.*0.weight"):
        TorchScoreModel(module, parameters=["9.weight"])
    with pytest.raises(ValueError, match="outputs must be one of"):
        TorchScoreModel(module, outputs="scores")
    with pytest.raises(ValueError, match=r"returns shape \(41, 3\).*two"):
        TorchScoreModel(small_module(outputs=3)).scores(rows()[0])
    chosen = trained_model(module, parameters=["2.bias", "0.bias"], l2=0.1)
    assert chosen.model.names == ("0.bias", "2.bias")
    np.testing.assert_array_equal(chosen.objective(*rows()[:2]).ridge, np.full(6, 0.1))
    # The module itself is left alone.
    assert all(value.requires_grad for value in module.parameters()) and module.training


def test_the_mlp_of_scikit_learn_in_every_activation():
    pytest.importorskip("torch", reason="needs the neural extra")
    from sklearn.neural_network import MLPClassifier

    X, y, _ = rows(n=60)
    for activation in ("relu", "tanh", "logistic", "identity"):
        model = MLPClassifier(
            (3, 2), activation=activation, solver="lbfgs", max_iter=1_000, alpha=1.0, random_state=0
        ).fit(X, np.array(["no", "yes"])[y])
        check_agreement(trained_model(model), model, X)


def test_skorch_classifiers():
    torch = pytest.importorskip("torch", reason="needs the neural extra")
    skorch = pytest.importorskip("skorch", reason="needs the neural extra")
    nn = torch.nn
    X, y, _ = rows(n=60)
    X = X.astype(np.float32)
    two = skorch.NeuralNetClassifier(
        nn.Sequential(nn.Linear(P, 4), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(dim=1)),
        max_epochs=2, verbose=0, optimizer__weight_decay=0.02,
    )  # fmt: skip
    one = skorch.NeuralNetBinaryClassifier(
        nn.Sequential(nn.Linear(P, 4), nn.ReLU(), nn.Linear(4, 1), nn.Flatten(0)),
        max_epochs=2, verbose=0,
    )  # fmt: skip
    logits = skorch.NeuralNetClassifier(
        nn.Sequential(nn.Linear(P, 2)), criterion=nn.CrossEntropyLoss, max_epochs=2, verbose=0
    )
    for net, target in ((two, y), (one, y.astype(np.float32)), (logits, y)):
        net.fit(X, target)
        trained = trained_model(net)
        check_agreement(trained, net, X)
        decay = 0.02 if net is two else 0.0
        np.testing.assert_array_equal(trained.objective(X, y).ridge, decay)
        assert trained_model(net, l2=0.5).objective(X, y).ridge[0] == 0.5


def test_probabilities_that_are_not_the_parameters(monkeypatch):
    X, y, _ = rows(n=60)
    model = LogisticRegression().fit(X, y)
    trained = trained_model(model)
    monkeypatch.setattr(model, "predict_proba", lambda X: np.full((len(X), 2), 0.5))
    with pytest.raises(ValueError, match="without calibration"):
        check_agreement(trained, model, X)
