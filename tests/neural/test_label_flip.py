"""Label flips as an option of any network: the hook in the training room."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fairsk import MinDiffIOClassifier  # noqa: E402
from fairsk.neural import _training  # noqa: E402


@pytest.fixture
def posts():
    """Two tasks, one group; which of 200 rows are in it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    return X, (X[:, :2] > 0).astype(int), (np.arange(200) < 100).astype(int)


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_each_task_is_flipped_on_its_own(posts, n_tasks, monkeypatch):
    X, Y, group = posts
    Y = Y if n_tasks == 2 else Y[:, 0]
    seen = []
    original = _training.train

    def spy(build, sample, *args, **given):
        seen.extend(sample.redraw(0, epoch).numpy() for epoch in range(3))
        seen.append(sample.y.numpy())
        return original(build, sample, *args, **given)

    monkeypatch.setattr(_training, "train", spy)
    model = MinDiffIOClassifier(remediation=None, max_epochs=1, random_state=0)
    model.label_flip = {1: 0.3}
    model.fit(X, Y, sensitive_features=group)
    *drawn, true = seen
    np.testing.assert_array_equal(true, Y.reshape(200, n_tasks))
    for labels in drawn:
        assert labels.dtype == true.dtype and labels.shape == true.shape
        changed = labels != true
        assert changed[:100].sum(axis=0).tolist() == [30] * n_tasks and not changed[100:].any()
    assert (drawn[0] != drawn[1]).any()
    if n_tasks == 2:
        assert (drawn[0][:, 0] != true[:, 0]).tolist() != (drawn[0][:, 1] != true[:, 1]).tolist()


def test_targets_of_every_epoch_and_start(posts):
    X, Y, _ = posts
    asked = []

    def redraw(seed, epoch):
        asked.append((seed, epoch))
        return torch.zeros(200)

    sample = _training.Sample(_training.Rows(X, "cpu"), torch.ones(200), redraw=redraw)
    result = _training.train(
        lambda start: torch.nn.Linear(3, 1),
        sample,
        lambda outputs, y: (outputs[:, 0] - y).square(),
        _training.Settings(max_epochs=60, batch_size=50, lr=0.05),
        seed=3,
    )
    assert asked == [(3, epoch) for epoch in range(60)]
    # It learned what was drawn, zero, and not the targets of the sample, one.
    assert abs(float(result.module.bias.detach())) < 0.1
