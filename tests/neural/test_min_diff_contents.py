"""MinDiff-IO's regularisers against the paper's formulas, and what it says of bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logit
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, get_scorer, roc_auc_score
from sklearn.model_selection import cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

torch = pytest.importorskip("torch")

from fairsk import MinDiffIOClassifier, make_system_scorer  # noqa: E402
from fairsk.metrics import list_system_scores  # noqa: E402
from fairsk.neural import FewRowsWarning, _min_diff  # noqa: E402
from fairsk.neural._base import TrainingRows  # noqa: E402
from fairsk.neural._mmd import KERNELS  # noqa: E402
from fairsk.utils import check_sensitive_features  # noqa: E402
from tests._reference.naive_min_diff import kernel, naive_regularisers  # noqa: E402

# The data here are small, so that only the tests of the warning want it.
pytestmark = pytest.mark.filterwarnings("ignore:Overconditioning leaves few rows")


def data(n=240, n_tasks=3, seed=0, rate=0.25):
    """Tasks, two overlapping groups of which a third is unknown."""
    rng = np.random.default_rng(seed)
    A = (rng.random((n, 2)) < [0.5, 0.4]).astype(float)
    X = rng.normal(size=(n, 4)) + A[:, :1]
    Y = (X[:, :n_tasks] + rng.normal(size=(n, n_tasks)) > 0.5 + 2 * (0.5 - rate)).astype(int)
    A[rng.random((n, 2)) < 0.3] = np.nan
    return X, Y, A


def make(**changed):
    small = {"hidden_layer_sizes": (8,), "max_epochs": 3, "batch_size": 32, "random_state": 0}
    return MinDiffIOClassifier(**small | changed)


def term_of(model, X, Y, A, weight=None):
    """The term that a fit would train with, and its streams started."""
    model._check_parameters()
    model.device_, model._partial = "cpu", None
    model.task_names_ = tuple(f"task {t}" for t in range(Y.shape[1]))
    rows = TrainingRows(X, Y.astype(np.float32), weight, check_sensitive_features(A))
    term = model._make_term(torch, rows, None, 0)
    term.start(Y.shape[1], 0, 1.0)
    return term


# ------------------------------------------------------------------- formulas


VARIANTS = {
    "overconditioned": ({"remediation": "overconditioned"}, True),
    "interleaved": ({"remediation": "interleaved"}, True),
    "interleaved by task": ({"overcondition": False}, False),
    "interleaved by gap": ({"group_draw": "gap"}, True),
    "every third": ({"remediate_every": 3}, True),
    "per task": ({"remediation": "per_task"}, False),
    "per task, separate": ({"remediation": "per_task", "task_streams": "separate"}, False),
}


@pytest.mark.parametrize("condition", ["negatives", "positives"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_penalty_is_the_papers_in_each_batch(variant, condition):
    """Equation 4 or 8 on the rows that were drawn, times lambda and what interleaving needs."""
    settings, overconditioned = VARIANTS[variant]
    X, Y, A = data()
    weights = np.array([[0.5, 1.0, 2.0], [3.0, 0.25, 1.0]])
    model = make(condition=condition, min_diff_weight=weights, group_share=0.5, **settings)
    term = term_of(model, X, Y, A)
    logits = torch.randn(len(X), 3, generator=torch.Generator().manual_seed(0))
    p = torch.sigmoid(logits).tolist()
    extra = term.extra_rows([slice(0, 32)] * 7)
    compared = [rows for rows in extra if rows is not None]
    assert len(compared) == (3 if variant == "every third" else 7)
    for step, rows in enumerate(compared):
        found = float(term.penalty(logits[rows], slice(0, 32)))
        streams = term._plan.streams[step].tolist()
        blocks = rows.view(len(streams), -1)
        expected = 0.0
        for stream, block in zip(streams, blocks.tolist(), strict=True):
            group = int(term.names[stream][-1])
            R = naive_regularisers(
                [p[i] for i in block],
                Y[block].tolist(),
                [[A[i, group]] for i in block],
                kernel("gaussian", 0.1),
                overconditioned=overconditioned,
                positives=condition == "positives",
            )
            tasks = range(3) if term.tasks is None else [int(term.tasks[stream])]
            expected += sum(weights[group, t] * R[t][0] for t in tasks)
        if "interleaved" in variant or variant == "every third":
            expected *= 2 * (3 if variant == "every third" else 1)
        # Single precision of a few tens of kernel values, and the series' 1e-5.
        assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["interleaved", "per task, separate", "interleaved by task"])
def test_held_out_rows_have_the_whole_regulariser(name):
    X, Y, A = data()
    settings, overconditioned = VARIANTS[name]
    model = make(kernel="laplace", early_stopping=True, **settings)
    term = term_of(model, X, Y, A)
    from fairsk.neural import _min_diff_term

    streams = [tuple(pool.rows for pool in sides) for sides in term.streams.pools]
    term.held_out = _min_diff_term.HeldOut(streams, term.counts, None)
    logits = torch.randn(len(X), 3, generator=torch.Generator().manual_seed(0))
    member = np.where(np.isnan(A), -1, A).astype(int).tolist()
    R = naive_regularisers(
        torch.sigmoid(logits).tolist(),
        Y.tolist(),
        member,
        kernel("laplace", 0.1),
        overconditioned=overconditioned,
    )
    assert term.held_out_penalty(logits) == pytest.approx(np.sum(R), abs=1e-4)


def test_interleaving_is_overconditioning_in_expectation():
    """Over many batches the mean penalty is that of all groups at once."""
    X, Y, A = data(2000)
    logits = torch.randn(len(X), 3, generator=torch.Generator().manual_seed(0))
    logits[:, 0] += torch.as_tensor(np.nan_to_num(A[:, 0]) * 2, dtype=torch.float32)

    def penalties(**settings):
        term = term_of(make(group_share=1.0, batch_size=64, **settings), X, Y, A)
        found = []
        for _ in range(3):
            rows = term.extra_rows([slice(0, 64)] * 400)
            found += [float(term.penalty(logits[r], slice(0, 64))) for r in rows if r is not None]
            term.report()
        n_batches = 1200
        return np.sum(found) / n_batches, np.std(found) / np.sqrt(len(found))

    expected, error = penalties(remediation="overconditioned")
    spread = {}
    for name, settings in {
        "uniform": {},
        "gap": {"group_draw": "gap"},
        "every": {"remediate_every": 4},
    }.items():
        mean, spread[name] = penalties(**settings)
        scale = 2 if name == "every" else 1  # a quarter of the values, in 4 times the size
        assert abs(mean - expected) < 4 * (error + scale * spread[name])
    # What drawing by the gap is for: here one gap is much larger than the other.
    assert spread["gap"] < spread["uniform"]


def test_sample_weights_count_like_repetition():
    X, Y, A = data()
    A = np.where(np.isnan(A), 0, A)
    weight = np.arange(len(X)) % 3 + 1.0
    logits = torch.randn(len(X), 3, generator=torch.Generator().manual_seed(0))
    term = term_of(make(), X, Y, A, weight)
    (rows,) = term.extra_rows([slice(0, 32)])
    found = term.compare(logits[rows][None], term._plan.streams[0], rows[None])
    group = int(term.names[int(term._plan.streams[0])][-1])
    repeated = np.repeat(rows.numpy(), weight[rows.numpy()].astype(int))
    R = naive_regularisers(
        torch.sigmoid(logits[repeated]).tolist(),
        Y[repeated].tolist(),
        A[repeated][:, [group]].tolist(),
        kernel("gaussian", 0.1),
        overconditioned=True,
    )
    np.testing.assert_allclose(found[0], [row[0] for row in R], atol=1e-5)


def test_names_known_before_torch_are_those_of_the_kernels():
    assert tuple(KERNELS) == _min_diff.KERNELS


# ----------------------------------------------------------- weights and groups


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2.0, [[2, 2, 2], [2, 2, 2], [2, 2, 2]]),
        ({"g": 3.0}, [[3, 3, 3], [1, 1, 1], [1, 1, 1]]),
        ({"b": 0.5, "h": 4.0}, [[1, 0.5, 1], [4, 2, 4], [1, 0.5, 1]]),
        ({"g & h": 7.0, "a": 2.0}, [[2, 1, 1], [2, 1, 1], [14, 7, 7]]),
        ([[1.0], [3.0]], [[1, 1, 1], [3, 3, 3], [1, 1, 1]]),
        ([[1.0, 2.0, 3.0]], [[1, 2, 3]] * 3),
    ],
    ids=str,
)
def test_weights_by_group_and_task(given, expected):
    from fairsk.neural._min_diff_pools import regulariser_weights

    names = {"groups": ["g", "h", "g & h"], "parts": [(0,), (1,), (0, 1)], "tasks": list("abc")}
    np.testing.assert_allclose(regulariser_weights(given, **names), expected)


def test_a_group_of_weight_zero_has_no_stream():
    X, Y, A = data()
    term = term_of(make(min_diff_weight=[[0.0], [1.0]]), X, Y, A)
    assert term.names == ["sensitive_feature_1"]
    term.extra_rows([slice(0, 32)])
    assert float(term._plan.scale[0]) == 1.0


def test_intersections_are_remediated():
    rng = np.random.default_rng(0)
    A = rng.integers(0, 2, size=(2500, 2))
    both = A.all(axis=1)
    X = rng.normal(size=(2500, 2)) + 1.5 * both[:, None]
    Y = (X - 1.5 * both[:, None] + rng.normal(size=(2500, 2)) > 1).astype(int)

    def gap(**settings):
        model = make(max_epochs=12, batch_size=64, **settings).fit(X, Y, sensitive_features=A)
        negative = Y.max(axis=1) == 0
        flags = model.predict_system(X)
        return flags[negative & both].mean() - flags[negative & ~both].mean(), model

    plain, _ = gap(remediation=None)
    fair, model = gap(max_intersection=2)
    assert model.remediated_groups_[-1] == "sensitive_feature_0 & sensitive_feature_1"
    assert len(model.remediated_groups_) == 3
    assert fair < plain / 2


# ------------------------------------------------------------------- estimator


def test_thresholds_are_calibrated_on_held_out_rows():
    X, Y, A = data(2000)
    model = make(thresholds="fpr", target_rate=0.2, validation_fraction=0.5, max_epochs=8)
    model.fit(X, Y, sensitive_features=A)
    assert len(set(model.thresholds_)) == 1
    fresh, labels, _ = data(2000, seed=1)
    negative = labels.max(axis=1) == 0
    # Four standard errors of two rates on some 500 rows each.
    assert abs(model.predict_system(fresh)[negative].mean() - 0.2) < 4 * 0.4 * np.sqrt(2 / 500)
    model.set_params(threshold_level="task").calibrate_thresholds(fresh, labels)
    flags = model.predict(fresh)
    for t in range(3):
        assert abs(flags[labels[:, t] == 0, t].mean() - 0.2) < 0.01
    # Each flag is a margin over its threshold, and so is the system's.
    np.testing.assert_array_equal(flags, model.predict_proba(fresh) > model.thresholds_)
    np.testing.assert_array_equal(model.predict_system(fresh), model.system_score(fresh) > 0)


def test_system_by_noisy_or():
    X, Y, A = data(2000)
    settings = {"thresholds": "fpr", "target_rate": 0.2, "validation_fraction": 0.5}
    model = make(combination="noisy_or", max_epochs=8, **settings)
    model.fit(X, Y, sensitive_features=A)
    # The tasks are trained as ever.
    plain = make(max_epochs=8, **settings).fit(X, Y, sensitive_features=A)
    p = model.predict_proba(X)
    np.testing.assert_array_equal(p, plain.predict_proba(X))
    any_task, threshold = 1 - np.prod(1 - p, axis=1), model.thresholds_[0]
    flags = model.predict_system(X)
    np.testing.assert_array_equal(flags, any_task > threshold)
    np.testing.assert_allclose(model.system_score(X), logit(any_task) - logit(threshold), atol=1e-5)
    assert (flags >= model.predict(X).max(axis=1)).all()
    assert model.system_score(X.astype(np.float32)).dtype == np.float32
    fresh, labels, _ = data(2000, seed=1)
    model.calibrate_thresholds(fresh, labels)
    negative = labels.max(axis=1) == 0
    assert abs(model.predict_system(fresh)[negative].mean() - 0.2) < 0.01
    # Set and not calibrated again, it waits.
    model.set_params(combination="max")
    assert (model.predict_system(fresh) > model.predict(fresh).max(axis=1)).any()
    model.calibrate_thresholds(fresh, labels)
    np.testing.assert_array_equal(model.predict_system(fresh), model.predict(fresh).max(axis=1))
    with pytest.raises(ValueError, match="needs one threshold"):
        make(combination="noisy_or", thresholds=[0.2, 0.3, 0.4]).fit(X, Y, sensitive_features=A)


def test_fixed_thresholds_and_direct():
    X, Y, A = data(400)
    model = make(thresholds=[0.2, 0.3, 0.4]).fit(X, Y, sensitive_features=A)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > [0.2, 0.3, 0.4])
    direct = make(remediation="direct").fit(X, Y, sensitive_features=A)
    assert direct.predict(X).shape == (400,) and direct.predict_proba(X).shape == (400, 2)
    expected = np.mean(direct.predict_system(X) == Y.max(axis=1))
    assert direct.score(X, Y) == direct.score(X, Y.max(axis=1)) == expected


def test_the_same_bits_for_the_same_seed_and_after_pickling():
    X, Y, A = data()
    first = make(group_draw="gap").fit(X, Y, sensitive_features=A)
    again = clone(first).fit(X, Y, sensitive_features=A)
    scores = first.predict_proba(X)
    np.testing.assert_array_equal(scores, again.predict_proba(X))
    np.testing.assert_array_equal(scores, pickle.loads(pickle.dumps(first)).predict_proba(X))
    assert scores.dtype == np.float64
    assert first.predict_proba(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_partial_fit_is_resumed_as_if_never_interrupted(optimizer):
    X, Y, A = data()
    settings = {"optimizer": optimizer, "lr": 0.01}
    model = make(**settings)
    for _ in range(2):
        model.partial_fit(X, Y, sensitive_features=A)
    saved = pickle.loads(pickle.dumps(model))
    for one in (model, saved):
        one.partial_fit(X, Y, sensitive_features=A)
    np.testing.assert_array_equal(model.predict_proba(X), saved.predict_proba(X))


def test_partial_fit_of_chunks_without_a_group_or_a_class():
    X, Y, A = data(300)
    model = make().partial_fit(X[:100], Y[:100], sensitive_features=A[:100])
    one_sided = np.zeros_like(A[100:200])
    model.partial_fit(X[100:200], Y[100:200], sensitive_features=one_sided)
    model.partial_fit(X[200:], Y[200:])
    y = Y[:, 0]
    single = make().partial_fit(X[:8], [0] * 8, classes=[0, 1], sensitive_features=[0, 1] * 4)
    assert set(single.predict(X)) <= {0, 1}
    single.partial_fit(X, y, sensitive_features=A[:, 0])
    with pytest.raises(ValueError, match="needs two classes, got \\[0\\]"):
        make().partial_fit(X[:8], [0] * 8, sensitive_features=[0, 1] * 4)
    with pytest.raises(ValueError, match="there were 3 in fit"):
        model.partial_fit(X, Y[:, :2], sensitive_features=A)


def test_early_stopping_stops_by_the_whole_objective():
    X, Y, A = data(400)
    model = make(early_stopping=True, max_epochs=20, patience=2, lr=0.5)
    record = model.fit(X, Y, sensitive_features=A).history_[model.best_epoch_]
    expected = record["validation_loss"] + record["validation_penalty"]
    assert record["validation_score"] == pytest.approx(expected)
    assert record["validation_score"] == min(r["validation_score"] for r in model.history_)


def test_single_label_and_strings():
    X, Y, A = data(400)
    y = np.array(["no", "yes"])[Y[:, 0]]
    model = make(max_epochs=15, lr=0.5, min_diff_weight=0.1).fit(X, y, sensitive_features=A)
    assert set(model.predict(X)) == {"no", "yes"}
    assert model.predict_proba(X).shape == (400, 2)
    np.testing.assert_array_equal(model.predict(X) == "yes", model.predict_system(X) == 1)


def test_a_module_of_your_own_and_frames():
    pandas = pytest.importorskip("pandas")
    X, Y, A = data()
    frame = pandas.DataFrame(X, columns=list("stuv"))
    labels = pandas.DataFrame(Y, columns=["toxic", "insult", "threat"])
    groups = pandas.DataFrame(A, columns=["black", "female"])
    model = make(module=lambda n, k: torch.nn.Linear(n, k), min_diff_weight={"black": 2.0})
    model.fit(frame, labels, sensitive_features=groups)
    assert model.task_names_ == ("toxic", "insult", "threat")
    assert model.group_names_ == ("black", "female")
    assert {"gap_black", "gap_female"} <= set(model.history_[-1])
    with pytest.raises(ValueError, match="must return \\(2, 3\\)"):
        make(module=torch.nn.Linear(4, 2)).fit(X, Y, sensitive_features=A)
    np.testing.assert_array_equal(
        make().fit(X, sparse.csr_array(Y), sensitive_features=A).predict(X),
        make().fit(X, Y, sensitive_features=A).predict(X),
    )


# -------------------------------------------------------------------- scorers


def test_scorers_agree_with_their_formulas():
    X, Y, A = data(500)
    model = make(max_epochs=8, thresholds=0.3).fit(X, Y, sensitive_features=A)
    flags, negative = model.predict_system(X), Y.max(axis=1) == 0
    rates = [[flags[negative & (A[:, m] == g)].mean() for g in (0, 1)] for m in (0, 1)]

    def score(name, **options):
        return make_system_scorer(name, **options)(model, X, Y, sensitive_features=A)

    gaps = [abs(inside - outside) for outside, inside in rates]
    assert score("neg_dEO") == pytest.approx(-max(gaps))
    assert score("neg_dEO", group=1) == pytest.approx(-gaps[1])
    ratio = rates[0][1] / rates[0][0]
    assert score("rEO", group="sensitive_feature_0") == pytest.approx(min(ratio, 1 / ratio))
    sklearn_scorer = get_scorer("roc_auc")
    assert score("task_roc_auc") == pytest.approx(sklearn_scorer(model, X, Y))
    probabilities = model.predict_proba(X)
    assert score("task_roc_auc", task=1) == roc_auc_score(Y[:, 1], probabilities[:, 1])
    pooled = probabilities.max(axis=1)
    assert score("system_roc_auc") == pytest.approx(roc_auc_score(Y.max(axis=1), pooled))
    assert score("system_average_precision") == pytest.approx(
        average_precision_score(Y.max(axis=1), pooled)
    )


def test_scorers_in_cross_validation():
    X, Y, A = data(400)
    scoring = {name: make_system_scorer(name) for name in list_system_scores()}
    params = {"sensitive_features": A}
    with config_context(enable_metadata_routing=True):
        result = cross_validate(make(), X, Y, cv=2, scoring=scoring, params=params)
    for name in scoring:
        assert np.isfinite(result[f"test_{name}"]).all()
    by_column = make_system_scorer("neg_dEO", sensitive_columns=[4, 5])
    assert np.isfinite(
        cross_validate(
            make(sensitive_columns=[4, 5]),
            np.column_stack([X, np.nan_to_num(A)]),
            Y,
            cv=2,
            scoring=by_column,
        )["test_score"]
    ).all()


@pytest.mark.parametrize("n_tasks", [1, 2, 3])
@pytest.mark.parametrize(
    "other", [DecisionTreeClassifier(max_depth=3), OneVsRestClassifier(LogisticRegression())]
)
def test_scorers_of_other_estimators(other, n_tasks):
    X, Y, A = data(400, n_tasks)
    Y = Y[:, 0] if n_tasks == 1 else Y
    model = clone(other).fit(X, Y)
    labels = Y if n_tasks == 1 else Y.max(axis=1)
    probabilities = model.predict_proba(X)
    if isinstance(probabilities, list):
        probabilities = np.column_stack([part[:, 1] for part in probabilities])
    ranks = probabilities[:, 1] if n_tasks == 1 else probabilities.max(axis=1)
    found = make_system_scorer("system_roc_auc")(model, X, Y)
    assert found == pytest.approx(roc_auc_score(labels, ranks))
    assert -1 <= make_system_scorer("neg_dEO")(model, X, Y, sensitive_features=A) <= 0


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"score": "dEO"}, "score must be one of"),
        ({"score": "task_roc_auc", "group": "a"}, "group goes with"),
        ({"score": "system_roc_auc", "task": 1}, "task goes with"),
    ],
)
def test_bad_scorers(arguments, match):
    with pytest.raises(ValueError, match=match):
        make_system_scorer(**arguments)


# ------------------------------------------------------------------------ text


def test_a_pipeline_from_raw_text(monkeypatch):
    """X is sparse from the first step on, and no more than a few batches are ever dense."""
    from fairsk.neural import _training

    rng = np.random.default_rng(0)
    female = rng.random(900) < 0.3
    insult, threat = (rng.random((2, 900)) < 0.25).astype(int)
    words = {0: ["tea", "sun", "tree", "book"], 1: ["fool", "idiot"], 2: ["kill", "burn"]}
    posts = [
        " ".join(
            [*rng.choice(words[0], 4), *(["she"] * 2 if f else [])]
            + ([str(rng.choice(words[1]))] if i else [])
            + ([str(rng.choice(words[2]))] if t else [])
        )
        for f, i, t in zip(female, insult, threat, strict=True)
    ]
    Y = np.column_stack([insult, threat])
    sizes = []
    original = _training.Rows.__getitem__

    def recorded(self, part):
        batch = original(self, part)
        sizes.append(len(batch))
        return batch

    monkeypatch.setattr(_training.Rows, "__getitem__", recorded)
    monkeypatch.setattr(_training, "PREDICT_ROWS", 100)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            HashingVectorizer(n_features=2**10, alternate_sign=False),
            make(max_epochs=25, batch_size=32, lr=0.5, min_diff_weight=0.1),
        )
        pipeline.fit(posts, Y, sensitive_features=np.where(rng.random(900) < 0.5, female, np.nan))
    predicted = pipeline.predict(posts)
    assert np.mean(predicted == Y) > 0.9
    # A batch, its share of the streams, and a last row that joined it; 100 to predict.
    assert max(sizes) <= 101


# ------------------------------------------------------------------- bad input


def bad(match, X, Y, A, error=ValueError, **settings):
    with pytest.raises(error, match=match):
        make(**settings).fit(X, Y, sensitive_features=A)


def test_bad_labels():
    X, Y, A = data()
    bad("must be 0 or 1 for every task, but task 'task 1' has \\['2'\\]", X, Y * [1, 2, 1], A)
    bad("No task has two classes", X, np.zeros_like(Y), A)
    bad("Only binary classification is supported", X, Y.sum(axis=1), A)
    with pytest.warns(UserWarning, match="Tasks 'task 2' have one class only"):
        make().fit(X, Y * [1, 1, 0], sensitive_features=A)


def test_bad_groups():
    X, Y, A = data()
    bad("'sensitive_feature_1' is missing: no row says", X, Y, A * [1, np.nan])
    bad("'sensitive_feature_0' is constant", X, Y, np.where(np.isnan(A), A, A * [0, 1]))
    always = np.maximum(Y, np.eye(3, dtype=int)[np.arange(len(Y)) % 3])
    bad("Nothing can be remediated: there are no rows negative on every task", X, always, A)
    # Each task has negatives of its own: masks still work.
    make(overcondition=False).fit(X, always, sensitive_features=A)
    none_left = Y.copy()
    none_left[A[:, 0] == 1, 0] = 1
    with pytest.warns(FewRowsWarning, match="inside of group 'sensitive_feature_0': left out"):
        model = make().fit(X, none_left, sensitive_features=A)
    assert model.remediated_groups_ == ("sensitive_feature_1",)
    assert model.pool_sizes_["sensitive_feature_0"][0] == 0


def test_few_rows():
    X, Y, A = data(700, rate=0.6)
    with pytest.warns(FewRowsWarning, match="Overconditioning leaves few rows negative on every"):
        make().fit(X, Y, sensitive_features=A)
    A[:, 0] = np.nan
    A[:6, 0] = [0, 1, 0, 1, 0, 1]
    Y[:6] = 0
    match = "3 inside, 3 outside\\): they are repeated"
    with pytest.warns(FewRowsWarning, match=match):
        make(batch_size=128, overcondition=False).fit(X, Y, sensitive_features=A[:, 0])


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"min_diff_weight": [1.0, 2.0]}, "not clear whether they belong to groups or to tasks"),
        ({"min_diff_weight": [[1.0, 2.0]]}, "has shape \\(1, 2\\); there are 2 groups"),
        ({"min_diff_weight": {"nobody": 1.0}}, "names 'nobody'; there are the groups"),
        ({"min_diff_weight": np.nan}, "must be at least 0 and finite"),
        ({"min_diff_weight": [[-1.0]]}, "must be at least 0 and finite"),
        ({"min_diff_weight": "strong"}, "must be at least 0 and finite"),
        ({"kernel_length": 0}, "kernel_length is a width in probability"),
        ({"group_share": 0.01}, "less than 2 rows"),
        ({"remediate_every": 0}, "remediate_every must be an integer >= 1"),
        ({"max_intersection": 0}, "max_intersection must be an integer >= 1"),
        ({"group_draw": "worst"}, "group_draw must be one of"),
        ({"task_streams": "own"}, "task_streams must be one of"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of \\['adam', 'sgd'\\]"),
        ({"thresholds": "f1"}, "thresholds must be a number in"),
        ({"thresholds": [0.1, 0.2]}, "thresholds has 2 values, but there are 3 tasks"),
        ({"device": "tpu"}, "device must be one of"),
    ],
    ids=str,
)
def test_bad_parameters(settings, match):
    X, Y, A = data()
    bad(match, X, Y, A, **settings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU at hand")
def test_cuda_agrees_with_the_cpu():
    X, Y, A = data(600)
    for settings, _ in VARIANTS.values():
        cpu = make(**settings).fit(X, Y, sensitive_features=A)
        gpu = make(device="cuda", **settings).fit(X, Y, sensitive_features=A)
        assert gpu.module_[0].weight.device.type == "cuda"
        # Rows are drawn by the device's own generator: alike, not the same.
        np.testing.assert_allclose(gpu.predict_proba(X), cpu.predict_proba(X), atol=0.1)
