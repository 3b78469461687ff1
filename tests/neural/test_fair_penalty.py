"""Training with penalties: what is trained on, the holdout, drawn rows, and clear errors."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch")

from fairsk import (  # noqa: E402
    FairPenaltyClassifier,
    FairPenaltyRegressor,
    equalized_odds_difference,
    get_notion,
    make_fairness_scorer,
)
from fairsk.base import SensitiveFeaturesWarning  # noqa: E402
from fairsk.neural import FewRowsWarning, GroupMeanPenalty, list_penalties  # noqa: E402
from fairsk.neural._base import TrainingRows  # noqa: E402
from fairsk.utils import check_sensitive_features  # noqa: E402
from tests._reference.naive_penalties import naive_contrast, sigmoid  # noqa: E402


def data(n=400, seed=0, groups=("a", "b")):
    """Labels that depend on the group through the first feature."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, len(groups), size=n)
    X = rng.normal(size=(n, 4))
    X[:, 0] += code
    y = (X[:, :2].sum(axis=1) + 0.7 * rng.normal(size=n) > 0.5).astype(int)
    return X, y, np.array(groups, dtype=object)[code]


def conflicting(n=600, seed=0):
    """A rare group whose labels depend on another feature: one model serves it worse."""
    rng = np.random.default_rng(seed)
    A = np.where(rng.random(n) < 0.25, "b", "a").astype(object)
    X = rng.normal(size=(n, 4))
    score = np.where(A == "b", X[:, 1] - 0.8, X[:, 0]) + 0.3 * rng.normal(size=n)
    return X, score, A


def make(**changed):
    small = {"hidden_layer_sizes": (8,), "max_epochs": 4, "batch_size": 32, "random_state": 0}
    return FairPenaltyClassifier(**small | changed)


def prepared(model, X, y, A, weight=None):
    """An estimator just before training, and its rows."""
    model._check_parameters()
    model.device_, model._n_outputs = "cpu", 1
    model.task_names_ = ("y",)
    target = model._encode_target(np.asarray(y), weight)
    rows = TrainingRows(X, target, weight, check_sensitive_features(A))
    from fairsk.utils import GroupEncoder

    model.group_encoder_ = GroupEncoder(model.groups).fit(rows.features)
    return model, rows


def term_of(model, X, y, A, weight=None, started=True):
    model, rows = prepared(model, X, y, A, weight)
    train, validation = model._split_rows(rows, 3)
    term = model._make_term(torch, train, validation, 0)
    if started:
        term.start(1, 0, 1.0)
    return term, train


def outputs_for(n, width=1, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


# --------------------------------------------------------------- what is trained


def test_alpha_zero_is_plain_training_bit_for_bit():
    X, y, A = data()
    plain = make()
    with pytest.warns(SensitiveFeaturesWarning):
        plain.fit(X, y)
    zero = make(alpha=0).fit(X, y, sensitive_features=A)
    np.testing.assert_array_equal(plain.decision_function(X), zero.decision_function(X))
    other = make(alpha=1.0).fit(X, y, sensitive_features=A)
    assert np.abs(other.decision_function(X) - zero.decision_function(X)).max() > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["equal_loss", "equalized_odds", "min_max"])
def test_one_full_batch_is_a_gradient_step_on_loss_plus_alpha_penalty(name, weighted):
    """A linear model and one SGD step, against autograd on the objective written out."""
    X, y, A = data(60)
    weight = np.random.default_rng(1).uniform(0.5, 2, size=60) if weighted else None
    start = torch.nn.Linear(4, 1)
    alpha = 0.7
    model = make(
        module=start,
        penalty=name,
        alpha=alpha,
        max_epochs=1,
        batch_size=60,
        optimizer="sgd",
        lr=0.5,
    ).fit(X, y, sensitive_features=A, sample_weight=weight)
    net = torch.nn.Linear(4, 1)
    net.load_state_dict(start.state_dict())
    outputs = net(torch.tensor(X, dtype=torch.float32))
    w = torch.ones(60) if weight is None else torch.tensor(weight, dtype=torch.float32)
    w = w / w.mean()
    target = torch.tensor(y, dtype=torch.float32)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        outputs[:, 0], target, reduction="none"
    )
    p = outputs[:, 0].sigmoid()

    def mean(values, rows):
        return (values * w)[rows].sum() / w[rows].sum()

    a, b = (torch.tensor(g == A) for g in "ab")
    penalty = {
        "equal_loss": lambda: (mean(losses, a) - mean(losses, b)).abs(),
        "equalized_odds": lambda: sum(
            (mean(p, a & (target == t)) - mean(p, b & (target == t))).abs() for t in (0, 1)
        ),
        "min_max": lambda: torch.maximum(mean(losses, a), mean(losses, b)) - (losses * w).mean(),
    }[name]()
    ((losses * w).mean() + alpha * penalty).backward()
    for before, after in zip(net.parameters(), model.module_.parameters(), strict=True):
        # Single precision of sums over 60 rows.
        torch.testing.assert_close(after, before.detach() - 0.5 * before.grad, rtol=1e-4, atol=1e-6)
    assert model.history_[0]["penalty"] == pytest.approx(float(penalty.detach()), abs=1e-5)


@pytest.mark.parametrize("name", list_penalties("binary"))
def test_every_penalty_falls_when_it_is_trained_on(name):
    X, score, A = conflicting()
    y = (score > 0).astype(int)
    settings = {"penalty": name, "batch_size": 600, "lr": 0.02, "max_epochs": 60}

    def last(alpha):
        model = make(**settings, alpha=alpha).fit(X, y, sensitive_features=A)
        term, _ = term_of(make(**settings), X, y, A)
        outputs = torch.tensor(model.decision_function(X)[:, None])
        batch = term.penalised.rows.batch(outputs, torch.arange(len(y)))
        return float(term.penalised.penalty(batch))

    # As published it asks for equal shares of errors, which groups of other base rates resist.
    share = 0.8 if name == "equalized_odds_as_published" else 0.6
    assert last(1.0 if name == "min_max" else 3.0) < share * last(0.0)


def test_the_penalty_reduces_the_gap_of_decisions_on_new_rows():
    X, y, A = data(1_500)
    new, labels, groups = data(4_000, seed=1)
    gaps = [
        equalized_odds_difference(
            labels,
            make(alpha=alpha, lr=0.01, max_epochs=20).fit(X, y, sensitive_features=A).predict(new),
            sensitive_features=groups,
        )
        for alpha in (0.0, 3.0)
    ]
    assert gaps[1] < gaps[0] / 2


# ------------------------------------------------------------- rows of a batch


def test_own_rows_are_those_of_the_batch():
    X, y, A = data(100)
    term, _ = term_of(make(penalty="demographic_parity"), X, y, A)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    outputs = outputs_for(100)
    term.start_epoch(order, lambda: outputs)
    assert term.extra_rows([slice(0, 32)]) is None
    rows = order[32:64]
    found = float(term.penalty(outputs[rows], slice(32, 64)))
    p = [sigmoid(v) for v in outputs[rows, 0].tolist()]
    expected = naive_contrast(p, A[rows.numpy()].tolist(), [1.0] * 32)
    assert found == pytest.approx(expected, abs=1e-6)


def test_rows_of_unknown_group_are_trained_on_and_not_compared():
    X, y, A = data(200)
    A[::3] = None
    term, _ = term_of(make(penalty="demographic_parity"), X, y, A)
    outputs = outputs_for(200)
    term.start_epoch(torch.arange(200), lambda: outputs)
    p = [sigmoid(v) for v in outputs[:, 0].tolist()]
    expected = naive_contrast(p, A.tolist(), [1.0] * 200)
    assert float(term.penalty(outputs, slice(0, 200))) == pytest.approx(expected, abs=1e-6)
    model = make().fit(X, y, sensitive_features=A)
    assert model.n_iter_ == 4


def test_batches_without_a_group_train_on():
    """Batches of four rows, most of which have no row of the rare group."""
    X, y, A = data(200)
    A[:] = "a"
    A[:6] = "b"
    for name in list_penalties("binary"):
        alpha = 1.0 if name == "min_max" else 2.0
        model = make(penalty=name, alpha=alpha, batch_size=4, max_epochs=2)
        with np.errstate(all="raise"):
            model.fit(X, y, sensitive_features=A)
        assert np.isfinite(model.history_[-1]["penalty"])
        assert np.isfinite(model.decision_function(X)).all()


@pytest.mark.parametrize("penalty_on", ["train", "holdout"])
@pytest.mark.parametrize("groups", [("a", "b"), ("a", "b", "c")])
def test_stratified_batches_have_every_cell_and_estimate_the_whole(groups, penalty_on):
    X, y, A = data(300, groups=groups)
    settings = {"penalty_batch_size": 48, "penalty_on": penalty_on, "holdout_fraction": 0.4}
    model = make(penalty="demographic_parity", penalty_batches="stratified", **settings)
    term, train = term_of(model, X, y, A)
    cells = list(zip(A.tolist(), y.tolist(), strict=True))
    sums, masses = 0, 0
    for rows in term.extra_rows([slice(0, 32)] * 200):
        found = {}
        for i in rows.tolist():
            found[cells[i]] = found.get(cells[i], 0) + 1
        assert found == dict.fromkeys(set(cells), 48 // len(set(cells)))
        if penalty_on == "holdout":
            assert not np.isin(rows.numpy(), train.trained).any()
        batch = term._batch(outputs_for(300)[rows], 0, rows)
        totals = batch.totals(*term.penalised.penalty.rows(batch))
        sums, masses = sums + totals[0], masses + totals[1]
    eligible = np.arange(300)
    if penalty_on == "holdout":
        eligible = np.setdiff1d(eligible, train.trained)
    p = outputs_for(300)[:, 0].sigmoid().numpy()
    expected = [p[eligible][A[eligible] == g].mean() for g in groups]
    # 200 batches of some 10 rows a cell, of p with a deviation of .2: about .005.
    np.testing.assert_allclose((sums / masses)[:, 0], expected, atol=0.02)


@pytest.mark.parametrize("groups", [("a", "b"), ("a", "b", "c")])
def test_interleaving_compares_one_group_with_the_others_in_turn(groups):
    X, y, A = data(300, groups=groups)
    model = make(penalty="predictive_equality", penalty_batches="interleaved", alpha=2.0)
    term, _ = term_of(model, X, y, A)
    n_streams = 1 if len(groups) == 2 else 3
    outputs = outputs_for(300)
    for step, rows in enumerate(term.extra_rows([slice(0, 32)] * 6)):
        (stream,) = term._plan.streams[step].tolist()
        group = term.names[stream]
        # Cells are weighted by their size; false positive rates see one label, so weights cancel.
        p = outputs[rows, 0].sigmoid().tolist()
        side = [str(g == group) for g in A[rows.numpy()]]
        negative = (y[rows.numpy()] == 0).tolist()
        expected = naive_contrast(p, side, [1.0] * len(p), negative)
        found = float(term.penalty(outputs[rows], slice(0, 32)))
        # Each comparison weighs 1/n_streams, and counts n_streams times where it is drawn.
        assert found == pytest.approx(expected, abs=1e-6)
    assert set(term.report()) == {f"gap_{name}" for name in term.names}
    assert len(term.names) == n_streams and term.weight == 2.0


def test_interleaved_rows_estimate_both_sides():
    X, y, A = data(300, groups=("a", "b", "c"))
    y[A == "c"] = (np.arange((A == "c").sum()) < 8).astype(int)  # few positives: weights matter
    model = make(penalty="demographic_parity", penalty_batches="interleaved")
    term, _ = term_of(model, X, y, A)
    outputs = torch.tensor(y, dtype=torch.float32)[:, None] * 3 - 1
    totals = {}
    for step, rows in enumerate(term.extra_rows([slice(0, 32)] * 300)):
        (k,) = term._plan.streams[step].tolist()
        batch = term._batch(outputs[rows], k, rows)
        found = batch.totals(*term.penalised.penalty.rows(batch))
        before = totals.get(term.names[k], (0, 0))
        totals[term.names[k]] = (before[0] + found[0], before[1] + found[1])
    p = outputs[:, 0].sigmoid().numpy()
    for group, (sums, masses) in totals.items():
        expected = [p[group == A].mean(), p[group != A].mean()]
        # Given the label p is constant, so that cells weighted by their size have no error at all.
        np.testing.assert_allclose((sums / masses)[:, 0], expected, rtol=1e-5)
    assert set(totals) == {"a", "b", "c"}


def test_interleaving_on_held_out_rows_is_the_mean_of_all_comparisons():
    X, y, A = data(400, groups=("a", "b", "c"))
    model = make(
        penalty="demographic_parity",
        penalty_batches="interleaved",
        early_stopping=True,
        validation_fraction=0.5,
    )
    model, rows = prepared(model, X, y, A)
    train, validation = model._split_rows(rows, 3)
    term = model._make_term(torch, train, validation, 0)
    outputs = outputs_for(200)
    p = outputs[:, 0].sigmoid().tolist()
    held = validation.features.columns[0]
    expected = np.mean(
        [
            naive_contrast(p, [str(g == group) for g in held], [1.0] * 200)
            for group in ("a", "b", "c")
        ]
    )
    assert term.held_out_penalty(outputs) == pytest.approx(expected, abs=1e-6)


def test_plain_rows_may_be_drawn_to_have_more_of_them():
    X, y, A = data(300)
    term, _ = term_of(make(penalty_batch_size=200), X, y, A)
    (rows,) = term.extra_rows([slice(0, 32)])
    assert len(set(rows.tolist())) == 200
    term, _ = term_of(make(penalty_batch_size=10_000), X, y, A)
    (rows,) = term.extra_rows([slice(0, 32)])
    assert sorted(rows.tolist()) == list(range(300))


@pytest.mark.parametrize("batches", ["plain", "stratified", "interleaved"])
def test_cells_without_rows_are_no_obstacle(batches):
    X, y, A = data(300, groups=("a", "b", "c"))
    y[A == "c"] = 0
    y[:5] = 1  # keep both labels whatever the group
    A[:5] = "a"
    model = make(penalty_batches=batches, penalty="equalized_odds")
    with pytest.warns(FewRowsWarning, match="no rows for some of them of the groups 'c'"):
        model.fit(X, y, sensitive_features=A)
    assert np.isfinite(model.history_[-1]["penalty"])


def test_running_average_sees_past_batches():
    X, y, A = data(300)
    term, _ = term_of(make(penalty="demographic_parity", running_average=0.9), X, y, A)
    outputs = outputs_for(300)
    term.start_epoch(torch.arange(300), lambda: outputs)
    p = outputs[:, 0].sigmoid().numpy().astype(float)
    sums, masses = np.zeros(2), np.zeros(2)
    for start in range(0, 300, 50):
        part = slice(start, start + 50)
        found = float(term.penalty(outputs[part], part))
        for k, g in enumerate("ab"):
            rows = A[part] == g
            sums[k] = 0.9 * sums[k] + p[part][rows].sum()
            masses[k] = 0.9 * masses[k] + rows.sum()
        assert found == pytest.approx(abs(np.diff(sums / masses)[0]), abs=1e-5)
    term.start(1, 1, 1.0)  # a restart forgets
    assert not term.penalised._running


def test_running_average_and_stratified_batches_shrink_the_chance_gap():
    """Equal groups with a constant gap of zero: what a small batch shows is chance alone."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2_000, 3)), rng.integers(0, 2, size=2_000)
    A = rng.permutation(np.repeat(["a", "b"], [1_900, 100]))
    mean = {}
    for name, settings in {
        "plain": {},
        "running": {"running_average": 0.95},
        "stratified": {"penalty_batches": "stratified"},
    }.items():
        model = make(penalty="equal_loss", alpha=1e-9, batch_size=32, **settings)
        model.fit(X, y, sensitive_features=A)
        mean[name] = model.history_[-1]["penalty"]
    assert mean["running"] < mean["plain"] / 2
    assert mean["stratified"] < mean["plain"] / 1.3


# -------------------------------------------------------------- the holdout


def test_the_holdout_is_stratified_and_never_trained_on():
    X, y, A = data(500)
    A[::10] = None
    weight = np.random.default_rng(0).uniform(0.5, 2, size=500)
    model = make(penalty_on="holdout", holdout_fraction=0.2)
    term, train = term_of(model, X, y, A, weight)
    holdout = np.setdiff1d(np.arange(500), train.trained)
    assert not (A[holdout] == None).any()  # noqa: E711
    for g in "ab":
        for label in (0, 1):
            cell = (g == A) & (y == label)
            # Up to a whole row.
            assert abs(cell[holdout].sum() - 0.2 * cell.sum()) < 1
    sample = model._sample(torch, train)
    assert float(sample.weight[train.trained].mean()) == pytest.approx(1, abs=1e-5)
    drawn = torch.cat(term.extra_rows([slice(0, 32)] * 20))
    assert set(drawn.tolist()) == set(holdout.tolist())


@pytest.mark.parametrize("fraction", [0.05, 0.5, 0.95])
def test_the_holdout_of_many_small_cells_keeps_its_size_and_every_group(fraction):
    rng = np.random.default_rng(0)
    A = (rng.random((600, 8)) < 0.05).astype(object)
    X, y = rng.normal(size=(600, 3)), rng.integers(0, 2, size=600)
    settings = {"penalty_on": "holdout", "holdout_fraction": fraction, "groups": "independent"}
    _, train = term_of(make(**settings), X, y, A)
    holdout = np.setdiff1d(np.arange(600), train.trained)
    # A row or two for each of 32 cells of group and label at most.
    assert abs(len(holdout) - fraction * 600) <= 32
    for rows in (holdout, train.trained):
        for column in A.T:
            assert {(g, label) for g, label in zip(column[rows], y[rows], strict=True)} == {
                (g, label) for g in (True, False) for label in (0, 1)
            }


def test_holdout_labels_do_not_reach_the_task_loss():
    """With a penalty that ignores labels, those of the holdout change nothing."""
    X, y, A = data(300)
    settings = {"penalty": "demographic_parity", "penalty_on": "holdout"}
    _, train = term_of(make(**settings), X, y, A)
    model = make(**settings)
    _, rows = prepared(model, X, y, A)
    holdout = np.setdiff1d(np.arange(300), train.trained)

    def trained_on(labels):
        found = make(**settings)
        found, rows = prepared(found, X, labels, A)
        train, _ = found._split_rows(rows, 3)
        build = found._module_builder(4)
        # The same split, which the labels of the holdout would change.
        train = replace(train, trained=np.setdiff1d(np.arange(300), holdout))
        found._learn(torch, build, train, None, np.array([1, 2]), found._settings())
        return found._module_outputs(X)

    flipped = y.copy()
    flipped[holdout] = 1 - flipped[holdout]
    np.testing.assert_array_equal(trained_on(y), trained_on(flipped))


@pytest.mark.parametrize("batches", ["plain", "stratified", "interleaved"])
def test_the_holdout_penalty_with_early_stopping(batches):
    X, y, A = data(400, groups=("a", "b", "c"))
    model = make(
        penalty_on="holdout", penalty_batches=batches, early_stopping=True, max_epochs=6, patience=2
    ).fit(X, y, sensitive_features=A)
    record = model.history_[-1]
    assert record["validation_score"] == pytest.approx(
        record["validation_loss"] + record["validation_penalty"]
    )
    assert model.best_epoch_ >= 0


# --------------------------------------------------------------- kinds of y


def test_several_classes():
    X, y, A = data(400)
    labels = np.array(["low", "mid", "high"])[y + (X[:, 1] > 1)]
    model = make(penalty="equal_loss", hidden_layer_sizes=(16,), max_epochs=10, lr=0.01)
    model.fit(X, labels, sensitive_features=A)
    assert set(model.predict(X)) <= set(labels) and model.predict_proba(X).shape == (400, 3)
    assert model.score(X, labels) > 0.6
    with pytest.raises(AttributeError, match="no system"):
        model.predict_system(X)
    with pytest.raises(ValueError, match=r"not defined for a multiclass.*\['equal_loss', 'min_max"):
        make(penalty="equalized_odds").fit(X, labels, sensitive_features=A)


@pytest.mark.parametrize("name", ["equalized_odds", "overall_equal_opportunity", "min_max"])
def test_several_tasks(name):
    X, y, A = data(400)
    Y = np.column_stack([y, X[:, 1] > 0.5]).astype(int)
    model = make(penalty=name, max_epochs=10, lr=0.01).fit(X, Y, sensitive_features=A)
    assert model.predict(X).shape == (400, 2) == model.predict_proba(X).shape
    assert model.predict_system(X).shape == (400,)
    assert model.score(X, Y) > 0.5
    same = make(penalty=name, max_epochs=10, lr=0.01).fit(
        X, sparse.csr_matrix(Y), sensitive_features=A
    )
    np.testing.assert_array_equal(model.predict_proba(X), same.predict_proba(X))


def test_numbers():
    X, target, A = conflicting()
    small = {"hidden_layer_sizes": (8,), "max_epochs": 40, "lr": 0.01, "random_state": 0}

    def gap(alpha):
        model = FairPenaltyRegressor(alpha=alpha, **small).fit(X, target, sensitive_features=A)
        errors = (model.predict(X) - target) ** 2
        return abs(errors[A == "a"].mean() - errors[A == "b"].mean())

    assert gap(0.5) < 0.5 * gap(0.0)
    with pytest.raises(ValueError, match=r"not defined for a regression target.*'equal_loss'"):
        FairPenaltyRegressor(penalty="equalized_odds").fit(X, target, sensitive_features=A)


def test_any_two_labels_polars_sparse_and_single_precision():
    polars = pytest.importorskip("polars")
    X, y, A = data(300)
    words = np.array(["no", "yes"])[y]
    model = make(lr=0.01).fit(X, words, sensitive_features=A)
    frame = polars.DataFrame({"group": A.tolist()})
    for given in (sparse.csr_matrix(X), X):
        again = make(lr=0.01).fit(given, words, sensitive_features=frame)
        np.testing.assert_allclose(again.predict_proba(X), model.predict_proba(X), atol=1e-6)
    single = make().fit(X.astype(np.float32), words, sensitive_features=A)
    assert single.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert set(model.predict(X)) == {"no", "yes"}


def test_two_logits_of_a_module():
    X, y, A = data(300)
    model = make(module=torch.nn.Linear(4, 2)).fit(X, y, sensitive_features=A)
    assert model.predict_proba(X).shape == (300, 2)


# -------------------------------------------------------- several features


def test_several_sensitive_features():
    X, y, A = data(500)
    other = np.where(np.random.default_rng(1).random(500) < 0.5, "x", "y")
    both = np.column_stack([A, other]).astype(object)
    joint = make().fit(X, y, sensitive_features=both)
    assert len(joint.group_encoder_.families_[0]) == 4
    apart = make(groups="independent").fit(X, y, sensitive_features=both)
    assert len(apart.group_encoder_.families_) == 2
    term, _ = term_of(make(groups="independent", penalty="demographic_parity"), X, y, both)
    outputs = outputs_for(500)
    term.start_epoch(torch.arange(500), lambda: outputs)
    p = outputs[:, 0].sigmoid().tolist()
    expected = sum(naive_contrast(p, column.tolist(), [1.0] * 500) for column in both.T)
    assert float(term.penalty(outputs, slice(0, 500))) == pytest.approx(expected, abs=1e-5)
    for batches in ("stratified", "interleaved"):
        make(groups="independent", penalty_batches=batches).fit(X, y, sensitive_features=both)


# ------------------------------------------------------------ further rows


def test_the_penalty_of_further_rows():
    X, y, A = data(300)
    words = np.array(["no", "yes"])[y]
    model = make(penalty="equal_opportunity").fit(X, words, sensitive_features=A)
    new, labels, groups = data(200, seed=1)
    groups[:20] = "unseen"
    groups[20:30] = None
    known = [g if g in ("a", "b") else None for g in groups]
    weight = np.random.default_rng(0).uniform(0.5, 2, size=200)
    expected = naive_contrast(
        model.predict_proba(new)[:, 1].tolist(), known, weight.tolist(), (labels == 1).tolist()
    )
    answer = np.array(["no", "yes"])[labels]
    found = model.penalty_value(new, answer, sensitive_features=groups, sample_weight=weight)
    # Weights are kept in single precision.
    assert found == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="give sensitive_features"):
        model.penalty_value(new, answer)
    with pytest.raises(ValueError, match=r"labels \['maybe'\]"):
        model.penalty_value(new[:3], ["no", "maybe", "yes"], sensitive_features=groups[:3])


def test_the_penalty_of_further_rows_with_tasks_classes_and_numbers():
    X, y, A = data(300)
    Y = np.column_stack([y, X[:, 1] > 0.5]).astype(int)
    model = make(penalty="accuracy_parity").fit(X, Y, sensitive_features=A)
    p = model.predict_proba(X)
    error = np.where(Y == 1, 1 - p, p)
    expected = sum(naive_contrast(column.tolist(), A.tolist(), [1.0] * 300) for column in error.T)
    assert model.penalty_value(X, Y, sensitive_features=A) == pytest.approx(expected, abs=1e-6)
    labels = y + (X[:, 1] > 1)
    model = make(penalty="equal_loss").fit(X, labels, sensitive_features=A)
    losses = -np.log(model.predict_proba(X)[np.arange(300), labels])
    expected = naive_contrast(losses.tolist(), A.tolist(), [1.0] * 300)
    assert model.penalty_value(X, labels, sensitive_features=A) == pytest.approx(expected, abs=1e-6)
    numbers = X @ [1.0, 2.0, 0.0, 1.0] + 5
    model = FairPenaltyRegressor(max_epochs=2, random_state=0).fit(X, numbers, sensitive_features=A)
    squared = ((model.predict(X) - numbers) / model.target_scale_) ** 2
    expected = naive_contrast(squared.tolist(), A.tolist(), [1.0] * 300)
    found = model.penalty_value(X, numbers, sensitive_features=A)
    assert found == pytest.approx(expected, abs=1e-5)


# ------------------------------------------------------------ your own penalty


def variance_gap(batch):
    """A function of the module, so that it pickles."""
    mean = batch.group_means(batch.outputs).gaps().sum()
    return mean + batch.group_means(batch.outputs.square()).gaps().sum()


class Calibration(GroupMeanPenalty):
    name = "calibration"
    targets = ("binary",)

    def rows(self, batch):
        return batch.probabilities - batch.labels, None


@pytest.mark.parametrize("penalty", [variance_gap, Calibration(), get_notion("accuracy_parity")])
@pytest.mark.parametrize("batches", ["plain", "stratified", "interleaved"])
def test_penalties_given_as_objects(penalty, batches):
    X, y, A = data(300, groups=("a", "b", "c"))
    model = make(penalty=penalty, penalty_batches=batches).fit(X, y, sensitive_features=A)
    assert model.history_[-1]["penalty"] > 0
    again = pickle.loads(pickle.dumps(clone(model).fit(X, y, sensitive_features=A)))
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_a_search_over_alpha_tells_values_apart():
    X, y, A = data(600)
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), make(lr=0.01, max_epochs=10)),
            {"fairpenaltyclassifier__alpha": [0.0, 4.0]},
            cv=2,
            scoring=make_fairness_scorer("equalized_odds"),
        ).fit(X, y, sensitive_features=A)
    assert search.best_params_ == {"fairpenaltyclassifier__alpha": 4.0}


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1}, "alpha is the weight of the penalty.*got -1"),
        ({"alpha": np.nan}, "alpha is the weight"),
        ({"alpha": True}, "alpha is the weight"),
        ({"penalty": "equal_odds"}, "penalty must be one of .*equal_loss.*equalized_odds"),
        ({"penalty": "min_max", "alpha": 2.0}, "alpha must be at most 1 with .*min_max"),
        ({"penalty_on": "test"}, r"penalty_on must be one of \['train', 'holdout'\]"),
        ({"penalty_batches": "all"}, "penalty_batches must be one of"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"holdout_fraction": 1.0}, "holdout_fraction is the share"),
        ({"penalty_batch_size": 0}, "penalty_batch_size must be an integer >= 1"),
        ({"running_average": 1.0}, "running_average is what past batches keep"),
        ({"running_average": 0.5, "penalty": "auc_gap"}, "needs a penalty on group means"),
        ({"penalty_batches": "interleaved", "penalty": "min_max"}, "needs all groups in a batch"),
        ({"contrast": "pairs"}, "contrast must be one of"),
        ({"groups": "joint"}, "groups must be one of"),
        ({"module": torch.nn.Linear(4, 3)}, r"returns shape \(2, 3\).*must return \(2, 1 or 2\)"),
        ({"module": torch.nn.Linear(5, 1)}, "fails on 2 rows of 4 features"),
    ],
)
def test_bad_parameters_are_refused_before_training(settings, message):
    X, y, A = data(60)
    with pytest.raises(ValueError, match=message):
        make(**settings).fit(X, y, sensitive_features=A)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (lambda batch: batch.losses, r"must return a scalar tensor.*of shape \(\d+, 1\)"),
        (lambda batch: 0.5, "must return a scalar tensor.*got float"),
        (lambda batch: batch.losses.mean() / 0, "is inf on a batch.*Guard"),
        (lambda batch: batch.losses.detach().mean(), "does not depend on batch.outputs"),
        (lambda batch: batch.nothing.mean(), "fails on a batch of .*nothing"),
    ],
)
def test_functions_that_are_no_penalties(penalty, message):
    X, y, A = data(60)
    with pytest.raises(ValueError, match=message):
        make(penalty=penalty).fit(X, y, sensitive_features=A)


def test_penalties_of_the_wrong_type():
    X, y, A = data(60)
    with pytest.raises(TypeError, match="got int"):
        make(penalty=3).fit(X, y, sensitive_features=A)
    with pytest.raises(TypeError, match="the class Calibration; give an instance"):
        make(penalty=Calibration).fit(X, y, sensitive_features=A)


def test_groups_that_cannot_be_compared():
    X, y, A = data(80)
    with pytest.raises(ValueError, match="is constant: every known value is 'a'"):
        make().fit(X, y, sensitive_features=["a"] * 80)
    with pytest.raises(ValueError, match="looks continuous.*Bin it first.*pandas.cut"):
        make().fit(X, y, sensitive_features=X[:, 0])
    only = np.where(y == 1, "a", "b")
    with pytest.raises(ValueError, match="nothing to compare: no two groups of"):
        make(penalty="equal_opportunity").fit(X, y, sensitive_features=only)


def test_a_group_that_the_holdout_cannot_have():
    X, y, A = data(80)
    A[0] = "rare"
    with pytest.raises(ValueError, match=r"no row of the groups 'rare' \(1 rows\).*Merge rare"):
        make(penalty_on="holdout").fit(X, y, sensitive_features=A)
    make(penalty_on="train", penalty="equal_loss").fit(X, y, sensitive_features=A)


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_labels_are_flipped_while_training_with_a_penalty(n_tasks):
    X, y, A = data()
    Y = y if n_tasks == 1 else np.column_stack([y, X[:, 1] > 0]).astype(int)
    plain = make(alpha=0.5).fit(X, Y, sensitive_features=A)
    same = make(alpha=0.5, label_flip=0.0).fit(X, Y, sensitive_features=A)
    np.testing.assert_array_equal(same.decision_function(X), plain.decision_function(X))
    settings = {"alpha": 0.0, "max_epochs": 40, "lr": 0.01, "label_flip": {"b": 1.0}}
    flipped = make(**settings).fit(X, Y, sensitive_features=A)
    right = (flipped.predict(X) == Y).reshape(len(A), -1).mean(axis=1)
    # All labels of b are wrong in training and none of a: nothing but the group's features tells
    # them apart, so that b, which they partly do, is served worse.
    assert right[A == "b"].mean() < right[A == "a"].mean() - 0.2
