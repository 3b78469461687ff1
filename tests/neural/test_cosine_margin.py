"""CosineMarginClassifier: the loss as printed, margins by group, embeddings, label flips."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch")

from fairsk import CosineMarginClassifier, make_identification_scorer  # noqa: E402
from fairsk.base import SensitiveFeaturesWarning  # noqa: E402
from fairsk.metrics import angles_by_group  # noqa: E402
from fairsk.neural import _tasks  # noqa: E402
from fairsk.neural._cosine_head import CosineNetwork, margin_loss  # noqa: E402
from tests._reference import naive_cosine_margin as naive  # noqa: E402

SMALL = {
    "hidden_layer_sizes": (16,),
    "embedding_size": 7,
    "max_epochs": 5,
    "batch_size": 32,
    "lr": 0.01,
}


def make(**changed):
    return CosineMarginClassifier(**SMALL | {"random_state": 0} | changed)


@pytest.fixture(scope="module")
def people():
    """11 people in 5 columns, 330 rows; even ones are women."""
    rng = np.random.default_rng(0)
    person = np.tile(np.arange(11), 30)
    X = rng.normal(size=(11, 5))[person] + 0.5 * rng.normal(size=(330, 5))
    return X, person, np.where(person % 2 == 0, "f", "m")


# ----------------------------------------------------------------------- loss


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_loss_is_the_printed_one(gamma):
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 1, size=(9, 4))
    y, which = rng.integers(0, 4, 9), rng.integers(0, 3, 9)
    table = np.array([0.0, 0.35, 0.75])
    loss = margin_loss(torch.as_tensor(table), 8.0, gamma)
    targets = torch.as_tensor(np.column_stack([y, which]))
    found = loss(torch.as_tensor(8.0 * cosines), targets)
    expected = naive.cosface(cosines, y, table[which], 8.0)
    if gamma:
        expected = naive.focal(expected, gamma)
    # Rounding of exp and log in double precision.
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


def test_focal_loss_has_a_gradient_where_a_row_is_learned():
    loss = margin_loss(torch.zeros(1), 64.0, 0.5)
    logits = torch.tensor([[64.0, -64.0]], requires_grad=True)
    loss(logits, torch.tensor([[0, 0]])).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_network_gives_scaled_cosines():
    network = CosineNetwork(torch.nn.Linear(3, 2), 2, 4, 10.0)
    X = torch.randn(6, 3)
    embedding, directions = network.embedding(X), network.directions
    cosine = torch.nn.functional.cosine_similarity(embedding[:, None], directions[None], dim=2)
    # Single precision.
    torch.testing.assert_close(network(X), 10.0 * cosine, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(6))


# -------------------------------------------------------------------- margins


def test_margins_of_groups_reach_the_rows(people):
    X, person, sex = people
    groups = sex.astype(object)
    groups[:11] = None
    model = make(group_margins={"f": 0.75}).fit(X, person, sensitive_features=groups)
    assert model.margins_ == {"f": 0.75, "m": 0.35}
    seen = model._margin_table[[0, 1, 2]]
    np.testing.assert_array_equal(seen, [0.35, 0.75, 0.35])
    # A larger margin makes the loss before training larger by about the scale times the excess.
    first = make(max_epochs=1, lr=1e-6).fit(X, person, sensitive_features=sex)
    larger = make(max_epochs=1, lr=1e-6, group_margins={"f": 0.75})
    larger.fit(X, person, sensitive_features=sex)
    excess = 64 * 0.4 * np.mean(sex == "f")
    # log(1 + x) is convex: the increase is at most that, and near it where losses are large.
    assert 0.8 * excess < larger.loss_curve_[0] - first.loss_curve_[0] < excess


def test_a_larger_margin_makes_the_group_tighter_and_further_apart(people):
    X, person, sex = people
    found = []
    for margins in (None, {"f": 0.75}):
        model = make(group_margins=margins, max_epochs=40)
        model.fit(X, person, sensitive_features=sex)
        report = angles_by_group(model.transform(X), person, sensitive_features=sex)
        found.append((report.intra, report.inter))
    (intra, inter), (intra_fair, inter_fair) = found
    # On the rows trained on, as on the paper's validation rows of the same people (table 2): women
    # gain, by degrees, what men do not.
    assert intra_fair[0] < intra[0] - 2 and intra_fair[1] > intra[1]
    assert inter_fair[0] > inter[0] + 1 and inter_fair[1] < inter[1]


def test_equal_margins_by_group_are_one_margin_bit_for_bit(people):
    X, person, sex = people
    one = make(margin=0.4).fit(X, person, sensitive_features=sex)
    two = make(margin=0.1, group_margins={"f": 0.4, "m": 0.4})
    two.fit(X, person, sensitive_features=sex)
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    with pytest.warns(SensitiveFeaturesWarning):
        plain = make(margin=0.4).fit(X, person)
    np.testing.assert_array_equal(one.transform(X), plain.transform(X))


def test_prediction_has_no_margin(people):
    X, person, sex = people
    model = make(max_epochs=20, group_margins={"f": 0.75})
    model.fit(X, person, sensitive_features=sex)
    directions = model.module_.directions.detach().double().numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scores = 64 * model.transform(X) @ directions.T
    # Double precision: rounding only.
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))
    assert model.score(X, person) > 0.8


def test_two_classes_and_words(people):
    X, person, sex = people
    y = np.where(person < 5, "young", "old")
    model = make(max_epochs=20).fit(X, y, sensitive_features=sex)
    assert model.decision_function(X).shape == (330,)
    assert model.predict_proba(X).shape == (330, 2)
    assert model.score(X, y) > 0.8
    # Two directions may be opposite to each other.
    assert make(margin=2.0, max_epochs=1).fit(X, y, sensitive_features=sex).n_iter_ == 1


# ----------------------------------------------------------------- embeddings


def test_embeddings_names_and_containers(people):
    X, person, sex = people
    model = make().fit(X, person, sensitive_features=sex)
    embeddings = model.transform(X)
    assert embeddings.shape == (330, 7) and embeddings.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1)
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    names = [f"cosinemarginclassifier{j}" for j in range(7)]
    assert model.get_feature_names_out().tolist() == names
    pandas = pytest.importorskip("pandas")
    frame = model.set_output(transform="pandas").transform(X)
    assert isinstance(frame, pandas.DataFrame) and list(frame.columns) == names


def test_identification_in_a_search(people):
    X, person, sex = people
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), make()),
            {"cosinemarginclassifier__max_epochs": [1, 20]},
            scoring={name: make_identification_scorer(name) for name in ("rate", "neg_gap")},
            refit="rate",
            cv=2,
        ).fit(X, person, sensitive_features=sex)
    assert search.best_params_["cosinemarginclassifier__max_epochs"] == 20
    assert np.isfinite(search.cv_results_["mean_test_neg_gap"]).all()


def test_modules(people):
    X, person, sex = people
    body = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh())
    model = make(module=body).fit(X, person, sensitive_features=sex)
    assert isinstance(model.module_.embedding.body[1], torch.nn.Tanh)
    made = make(module=lambda n_inputs, n_outputs: torch.nn.Linear(n_inputs, n_outputs))
    assert made.fit(X, person, sensitive_features=sex).transform(X).shape == (330, 7)
    with pytest.raises(ValueError, match="must return \\(2, 9\\): an embedding as wide"):
        make(module=body, embedding_size=9).fit(X, person, sensitive_features=sex)


# ---------------------------------------------------------------- label flips


def test_fresh_flips_in_every_epoch(people, monkeypatch):
    X, person, sex = people
    drawn = []
    original = _tasks.make_label_flips

    def spy(codes, *args, **given):
        flips = original(codes, *args, **given)

        class Spied:
            shares = flips.shares

            def draw(self, rng):
                labels, rows = flips.draw(rng)
                drawn.append((labels != codes, rows))
                return labels, rows

        return Spied()

    monkeypatch.setattr(_tasks, "make_label_flips", spy)
    model = make(label_flip={"m": 0.3}).fit(X, person, sensitive_features=sex)
    assert len(drawn) == model.n_iter_ == 5
    assert all(changed.sum() == 45 and set(sex[changed]) == {"m"} for changed, _ in drawn)
    assert len({tuple(rows) for _, rows in drawn}) == 5
    assert model.classes_.tolist() == list(range(11))


def test_flips_are_seeded_and_matter(people):
    X, person, sex = people

    def fit(**changed):
        return make(max_epochs=10, **changed).fit(X, person, sensitive_features=sex)

    plain = fit()
    np.testing.assert_array_equal(plain.transform(X), fit(label_flip=0).transform(X))
    np.testing.assert_array_equal(plain.transform(X), fit(label_flip={"f": 0}).transform(X))
    flipped = fit(label_flip={"m": 0.5})
    again = fit(label_flip={"m": 0.5})
    np.testing.assert_array_equal(flipped.transform(X), again.transform(X))
    # Half of the men's labels are wrong in every epoch: their loss stays high.
    assert flipped.loss_curve_[-1] > plain.loss_curve_[-1] + 1
    within = fit(label_flip={"m": 0.5}, label_flip_to="group")
    assert np.abs(within.transform(X) - flipped.transform(X)).max() > 1e-3


def test_flips_leave_the_validation_rows_alone(people):
    X, person, sex = people
    settings = {"early_stopping": True, "max_epochs": 1, "lr": 1e-7}
    plain = make(**settings).fit(X, person, sensitive_features=sex)
    flipped = make(label_flip=1.0, **settings).fit(X, person, sensitive_features=sex)
    # The step is too small to tell in single precision.
    assert flipped.history_[0]["validation_loss"] == pytest.approx(
        plain.history_[0]["validation_loss"], rel=1e-4
    )
    assert flipped.history_[0]["loss"] != pytest.approx(plain.history_[0]["loss"], rel=1e-4)


# ------------------------------------------------------------------- the rest


def test_pickling_and_early_stopping(people):
    X, person, sex = people
    model = make(early_stopping=True, max_epochs=40, patience=3, lr=0.1, focal_gamma=2.0)
    model.fit(X, person, sensitive_features=sex)
    assert model.best_epoch_ >= 0
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.transform(X), model.transform(X))
    again = clone(model).fit(X, person, sensitive_features=sex)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"margin": -0.1}, "margin is what is subtracted .* from 0 to 2"),
        ({"margin": {"f": 0.3}}, "margins by group go to group_margins"),
        ({"margin": 1.2}, "from 0 to 1.1"),
        ({"group_margins": 0.75}, "group_margins is a dict"),
        ({"group_margins": {"f": 3.0}}, "from 0 to 2"),
        ({"group_margins": {"x": 0.5}}, r"group_margins names the group 'x'.*\['f', 'm'\]"),
        ({"scale": 0}, "scale must be a positive number"),
        ({"focal_gamma": -1}, "focal_gamma must be a number >= 0"),
        ({"embedding_size": 0}, "embedding_size must be an integer"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"label_flip": 1.5}, "label_flip is the share of labels to flip"),
        ({"label_flip": {"x": 0.5}}, "label_flip names the group 'x'"),
        ({"label_flip": 0.1, "label_flip_to": "men"}, "to must be one of"),
    ],
)
def test_bad_parameters(changed, message, people):
    X, person, sex = people
    with pytest.raises(ValueError, match=message):
        make(**changed).fit(X, person, sensitive_features=sex)


def test_bad_data(people):
    X, person, sex = people
    with pytest.raises(ValueError, match="one class only"):
        make().fit(X, np.zeros(330), sensitive_features=sex)
    with pytest.raises(ValueError, match="is constant"):
        make(group_margins={"f": 0.5}).fit(X, person, sensitive_features=["f"] * 330)
    with pytest.raises(ValueError, match="looks continuous"):
        make().fit(X, person, sensitive_features=X[:, 0])
