"""SensitiveInformationRemover: the two objectives, what is hidden and what is kept."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch")

from fairsk import SensitiveInformationRemover  # noqa: E402
from fairsk.base import SensitiveFeaturesWarning  # noqa: E402
from fairsk.neural._removal_term import (  # noqa: E402
    RemovalTerm,
    SensitiveCodes,
    confusion,
    published,
)
from tests._reference import naive_removal as naive  # noqa: E402

SMALL = {
    "hidden_layer_sizes": (16,),
    "n_components": 3,
    "max_epochs": 3,
    "batch_size": 64,
    "sensitive_passes": 1,
    "sensitive_hidden_layer_sizes": (16,),
}
SEX = "sensitive_feature_0"


def make(**changed):
    return SensitiveInformationRemover(**SMALL | {"random_state": 0} | changed)


@pytest.fixture(scope="module")
def data():
    """Four columns: sex, the label, both, noise. X, y, sex."""
    rng = np.random.default_rng(0)
    sex, y = rng.integers(0, 2, size=(2, 1000))
    X = rng.normal(size=(1000, 4)) + 2 * np.column_stack([sex, y, sex + y, 0 * y])
    return X, np.array(["no", "yes"])[y], np.array(["f", "m"])[sex]


# ------------------------------------------------------------------ objectives


def test_objectives_are_the_naive_ones():
    rng = np.random.default_rng(0)
    logits = torch.as_tensor(rng.normal(size=(9, 4)) * 3)
    probabilities = torch.softmax(logits, dim=1).tolist()
    prior = [0.1, 0.2, 0.3, 0.4]
    found = confusion(logits, torch.tensor(prior, dtype=torch.float64))
    # Rounding in double precision.
    np.testing.assert_allclose(found, naive.confusion(probabilities, prior), rtol=1e-9)
    np.testing.assert_allclose(published(logits, 2), naive.published(probabilities, 2), rtol=1e-9)


def gradient_of_first(objective, logit):
    logits = torch.tensor([[logit, 0.0]], dtype=torch.float64, requires_grad=True)
    objective(logits).sum().backward()
    return float(logits.grad[0, 0])


def test_quirks_of_the_published_objective_and_their_absence_in_the_other():
    def printed(logits):
        return published(logits, 0)

    def corrected(logits):
        return confusion(logits, torch.tensor([0.5, 0.5], dtype=torch.float64))

    # log 9 is where the probability is .9: below it is pulled up, above down again.
    assert gradient_of_first(printed, 2.0) < 0 < gradient_of_first(printed, 2.4)
    # The row that is surely of the other group, which is the one to change, has no gradient.
    assert abs(gradient_of_first(printed, -15.0)) < 1e-6
    assert gradient_of_first(corrected, -15.0) == pytest.approx(-0.5, abs=1e-6)
    # The prior is where the corrected one rests.
    assert gradient_of_first(corrected, 0.0) == 0


def make_term(codes, weight=None, **changed):
    given = {
        "weight": 1.0,
        "rows": SensitiveCodes(codes, weight),
        "held_out": None,
        "n_components": 2,
        "priors": [torch.tensor([0.5, 0.5])],
        "targets": None,
        "seed": 0,
        "hidden_layer_sizes": (8,),
        "lr": 0.01,
        "n_passes": 2,
        "batch_size": 10,
    }
    term = RemovalTerm(**given | changed)
    term.start(3, 0, 1.0)
    return term


def test_rows_of_unknown_group_and_task_outputs_are_left_out():
    codes = torch.randint(0, 2, (30, 1))
    codes[:10] = -1
    outputs = torch.randn(30, 3, requires_grad=True)
    term = make_term(codes)
    term.start_epoch(torch.arange(30), outputs.detach)
    term.penalty(outputs[:20], slice(0, 20)).backward()
    assert (outputs.grad[:10] == 0).all() and (outputs.grad[:, 2] == 0).all()
    assert (outputs.grad[10:20, :2] != 0).any()
    assert term.penalty(outputs[:10], slice(0, 10)) == 0
    assert all(p.requires_grad for p in term.classifier.parameters())


def test_weights_are_repetitions():
    codes, outputs = torch.tensor([[0], [1], [1]]), torch.randn(3, 3)
    repeated = torch.tensor([0, 1, 1, 2])
    weighted = make_term(codes, torch.tensor([1.0, 2.0, 1.0]))
    plain = make_term(codes[repeated])
    weighted.start_epoch(torch.arange(3), lambda: outputs)
    plain.start_epoch(torch.arange(4), lambda: outputs[repeated])
    found = weighted.penalty(outputs, slice(0, 3))
    # Single precision.
    torch.testing.assert_close(found, plain.penalty(outputs[repeated], slice(0, 4)))


# ------------------------------------------------------------- hidden and kept


@pytest.fixture(scope="module")
def remover(data):
    X, y, sex = data
    model = SensitiveInformationRemover(n_components=3, max_epochs=40, random_state=0)
    return model.fit(X[:700], y[:700], sensitive_features=sex[:700])


def accuracy(model, X, y):
    return model.fit(X[:700], y[:700]).score(X[700:], y[700:])


def test_hides_the_group_and_keeps_the_task(data, remover):
    X, y, sex = data
    features = remover.transform(X)
    assert accuracy(LogisticRegression(), X, sex) > 0.8
    # Standard error .03: chance, or near it; and two points of accuracy at most for the task.
    assert accuracy(LogisticRegression(), features, sex) < 0.65
    assert accuracy(LogisticRegression(), features, y) > accuracy(LogisticRegression(), X, y) - 0.05


def test_what_is_reported(data, remover):
    X, _, sex = data
    assert remover.task_ == "classification" and remover.classes_.tolist() == ["no", "yes"]
    assert remover.sensitive_accuracy_before_[SEX] > 0.8
    assert remover.sensitive_accuracy_[SEX] < 0.7
    assert 0.35 < remover.majority_share_[SEX] < 0.65
    assert {"loss", "penalty", "sensitive_loss"} <= set(remover.history_[-1])
    # log 2 when nothing can be read; below .4 with nothing hidden.
    assert remover.history_[-1]["sensitive_loss"] > 0.55


def test_features_are_standardised(data, remover):
    X, _, _ = data
    features = remover.transform(X[:700])
    # Running means of batches follow the last epochs' features.
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=0.5)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=0.5)


def test_alpha_zero_is_no_removal_bit_for_bit(data):
    X, y, sex = data
    plain = make(alpha=0).fit(X, y, sensitive_features=sex)
    assert plain.sensitive_accuracy_[SEX] > 0.7
    # Without groups no row is held out: compare on the same rows.
    order = np.random.RandomState(np.random.RandomState(0).randint(2**31 - 1, size=3)[0])
    rows = np.sort(order.permutation(1000)[200:])
    assert np.abs(make(alpha=1.0).fit(X, y, sensitive_features=sex).transform(X)).max() > 0
    with pytest.warns(SensitiveFeaturesWarning):
        without = make(alpha=1.0).fit(X[rows], y[rows])
    np.testing.assert_array_equal(plain.transform(X), without.transform(X))
    assert not hasattr(without, "sensitive_accuracy_")


def test_target_group_of_the_published_objective(data):
    X, y, sex = data
    models = {
        given: make(objective="as_published", target_group=given).fit(X, y, sensitive_features=sex)
        for given in ("f", "m", None)
    }
    assert [model._target_codes for model in models.values()] == [[0], [1], [None]]
    by_name = make(objective="as_published", target_group={SEX: "m"})
    by_name.fit(X, y, sensitive_features=sex)
    features = {given: model.transform(X) for given, model in models.items()}
    np.testing.assert_array_equal(by_name.transform(X), features["m"])
    assert np.abs(features["f"] - features["m"]).max() > 1e-3
    # By default the largest group among the rows trained on, whichever that is.
    assert any(np.array_equal(features[None], features[given]) for given in ("f", "m"))


# ----------------------------------------------------------------- other tasks


def test_several_sensitive_features_with_missing_values(data):
    X, y, sex = data
    age = np.where(X[:, 3] > 0, "old", "young").astype(object)
    both = np.column_stack([sex, age]).astype(object)
    both[::7, 0], both[::5, 1] = None, None
    model = make(max_epochs=5).fit(X, y, sensitive_features=both)
    assert list(model.sensitive_accuracy_) == [SEX, "sensitive_feature_1"]
    assert all(0.3 < share <= 1 for share in model.sensitive_accuracy_.values())
    published_too = make(objective="as_published", target_group={SEX: "f"})
    assert published_too.fit(X, y, sensitive_features=both)._target_codes == [0, None]
    with pytest.raises(ValueError, match="give target_group as a dict"):
        make(objective="as_published", target_group="f").fit(X, y, sensitive_features=both)


def test_many_classes_numbers_and_reconstruction(data):
    X, _, sex = data
    classes = np.argmax(X[:, :3], axis=1)
    many = make(max_epochs=20).fit(X, classes, sensitive_features=sex)
    assert many.task_ == "classification" and many.module_.head.out_features == 3
    settings = {"alpha": 0.0, "max_epochs": 30, "lr": 0.01}
    numbers = make(**settings).fit(X, X[:, 1] - X[:, 3], sensitive_features=sex)
    assert numbers.task_ == "regression"
    kept = LinearRegression().fit(numbers.transform(X), X[:, 1] - X[:, 3])
    assert kept.score(numbers.transform(X), X[:, 1] - X[:, 3]) > 0.9
    itself = make(n_components=4, **settings).fit(X, sensitive_features=sex)
    assert itself.task_ == "reconstruction"
    assert LinearRegression().fit(itself.transform(X), X).score(itself.transform(X), X) > 0.9


def test_sparse_rows(data):
    X, y, sex = data
    X = np.where(X > 1, X, 0)
    for target in (y, None):
        dense = make().fit(X, target, sensitive_features=sex)
        thin = make().fit(sparse.csr_matrix(X), target, sensitive_features=sex)
        # Sums in another order.
        np.testing.assert_allclose(
            thin.transform(sparse.csr_matrix(X)), dense.transform(X), atol=1e-6
        )


# -------------------------------------------------------------------- the rest


def test_names_and_containers(data):
    X, y, sex = data
    model = make().fit(X.astype(np.float32), y, sensitive_features=sex)
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    names = [f"sensitiveinformationremover{j}" for j in range(3)]
    assert model.get_feature_names_out().tolist() == names
    polars = pytest.importorskip("polars")
    frame = model.set_output(transform="polars").transform(X)
    assert isinstance(frame, polars.DataFrame) and frame.columns == names
    assert make(n_components=None).fit(X, y, sensitive_features=sex).transform(X).shape[1] == 4


@pytest.mark.parametrize("channel", ["metadata", "columns"])
def test_pipelines_and_searches(data, channel):
    pandas = pytest.importorskip("pandas")
    X, y, sex = data
    frame, given = pandas.DataFrame(X, columns=list("abcd")), {"sensitive_features": sex}
    steps = [make(), LogisticRegression()]
    if channel == "columns":
        frame, given = frame.assign(sex=sex), {}
        steps = [make(sensitive_columns=["sex"]), LogisticRegression()]
    else:
        steps.insert(0, StandardScaler())
    with config_context(enable_metadata_routing=channel == "metadata"):
        grid = {"sensitiveinformationremover__alpha": [0.0, 1.0]}
        search = GridSearchCV(make_pipeline(*steps), grid, cv=2).fit(frame, y, **given)
        assert search.score(frame, y) > 0.8
        assert search.best_estimator_[-2].sensitive_accuracy_


def test_seeds_and_pickles(data):
    X, y, sex = data
    model = make(early_stopping=True, max_epochs=6, patience=2)
    first = model.fit(X, y, sensitive_features=sex).transform(X)
    assert model.best_epoch_ >= 0 and "validation_penalty" in model.history_[0]
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.transform(X), first)
    state = torch.random.get_rng_state()
    again = clone(model).fit(X, y, sensitive_features=sex)
    np.testing.assert_array_equal(again.transform(X), first)
    assert again.sensitive_accuracy_ == model.sensitive_accuracy_
    np.testing.assert_array_equal(state, torch.random.get_rng_state())
    other = make(random_state=1).fit(X, y, sensitive_features=sex).transform(X)
    assert np.abs(other - first).max() > 1e-3


def test_auditor_of_the_user(data):
    X, y, sex = data
    model = make(auditor=GaussianNB()).fit(X, y, sensitive_features=sex)
    assert 0.3 < model.sensitive_accuracy_[SEX] <= 1
    # Hardly anyone is known: nothing to audit by.
    rare = np.full(1000, None, dtype=object)
    rare[:2] = ["f", "m"]
    assert np.isnan(make().fit(X, y, sensitive_features=rare).sensitive_accuracy_[SEX])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"alpha": -1}, "alpha is the weight of hiding"),
        ({"objective": "gan"}, "objective must be one of"),
        ({"target_group": "f"}, "target_group goes with objective='as_published'"),
        ({"objective": "as_published", "target_group": "x"}, "names the group 'x'"),
        ({"objective": "as_published", "target_group": {"age": "x"}}, "names \\['age'\\]"),
        ({"n_components": 0}, "n_components must be an integer"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"sensitive_lr": 0}, "sensitive_lr must be a positive number"),
        ({"sensitive_passes": 0}, "sensitive_passes must be an integer"),
        ({"sensitive_hidden_layer_sizes": 8}, "sensitive_hidden_layer_sizes must be a sequence"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"module": torch.nn.Linear(4, 5)}, "the new features, as many as n_components=3"),
    ],
)
def test_bad_parameters(changed, message, data):
    X, y, sex = data
    with pytest.raises(ValueError, match=message):
        make(**changed).fit(X, y, sensitive_features=sex)


def test_bad_data(data):
    X, y, sex = data
    with pytest.raises(ValueError, match="one class only"):
        make().fit(X, np.zeros(1000, dtype=int), sensitive_features=sex)
    with pytest.raises(ValueError, match="is constant"):
        make().fit(X, y, sensitive_features=["f"] * 1000)
    with pytest.raises(ValueError, match="looks continuous"):
        make().fit(X, y, sensitive_features=X[:, 0])
    with pytest.raises(ValueError, match="Unknown label type"):
        make().fit(X, np.column_stack([X[:, 0], X[:, 1]]), sensitive_features=sex)
