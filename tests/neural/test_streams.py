"""Pools, interleaving and plans: what every remediated batch is promised."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scipy import sparse  # noqa: E402

from fairsk.neural._networks import make_mlp  # noqa: E402
from fairsk.neural._streams import (  # noqa: E402
    Pool,
    Streams,
    StreamTerm,
    condition_mask,
    signed_weights,
)
from fairsk.neural._training import Rows, Sample, Settings, batches_of_inputs, train  # noqa: E402

SIZES = ((3, 40), (11, 5), (200, 1))


def pools():
    """Inside and outside of three groups, of very different sizes."""
    start, streams = 0, []
    for inside, outside in SIZES:
        streams.append(
            (
                torch.arange(start, start + inside),
                torch.arange(start + inside, start + inside + outside),
            )
        )
        start += inside + outside
    return streams


def make(draw="uniform", n_rows=4, every=1, seed=0):
    streams = Streams(pools(), n_rows, draw=draw, every=every)
    streams.start(seed)
    return streams


def test_a_pool_gives_every_row_before_any_again():
    pool, generator = Pool(torch.arange(10, 17)), torch.Generator().manual_seed(0)
    drawn = torch.cat([pool.take(n, generator) for n in (3, 3, 5, 10)])
    assert len(drawn) == 21
    for k in range(3):
        assert sorted(drawn[7 * k : 7 * k + 7].tolist()) == list(range(10, 17))
    assert drawn[:7].tolist() != drawn[7:14].tolist()


@pytest.mark.parametrize("draw", ["all", "uniform", "gap"])
@pytest.mark.parametrize("every", [1, 3])
def test_every_remediated_batch_has_its_share_of_either_side(draw, every):
    streams = make(draw, every=every)
    for _ in range(2):
        plan = streams.plan(10)
        for step, chosen in enumerate(plan.streams.tolist()):
            for k, stream in enumerate(chosen):
                rows = plan.rows[step, k].tolist()
                for side, drawn in zip(pools()[stream], (rows[:4], rows[4:]), strict=True):
                    assert set(drawn) <= set(side.tolist())
    # The phase goes on from epoch to epoch: batches 0, 3, 6, 9, 12, ...
    expected = [b for b in range(10, 20) if b % every == 0]
    assert sum(step is not None for step in plan.step_of_batch) == len(expected)


def test_uniform_interleaving_takes_all_groups_in_turn():
    plan = make().plan(9)
    turns = plan.streams[:, 0].view(3, 3)
    assert (turns.sort(1).values == torch.arange(3)).all()
    assert plan.streams.shape == (9, 1)
    # As much as all three streams in every batch.
    torch.testing.assert_close(plan.scale, torch.full((9, 1), 3.0))
    torch.testing.assert_close(make(every=2).plan(8).scale, torch.full((4, 1), 6.0))


def test_draw_by_gap_favours_the_gap_and_weights_it_back():
    streams = make("gap")
    torch.testing.assert_close(streams.probabilities(), torch.full((3,), 1 / 3))
    streams.observe(torch.tensor([0.6, 0.2, float("nan")]))
    chances = streams.probabilities()
    # The unseen one is taken for usual, .4; a fifth is uniform.
    expected = 0.8 * torch.tensor([0.5, 1 / 6, 1 / 3]) + 0.2 / 3
    torch.testing.assert_close(chances, expected)
    plan = streams.plan(4000)
    counts = torch.bincount(plan.streams[:, 0], minlength=3) / 4000
    # Four standard errors of a share.
    assert (counts - chances).abs().max() < 4 * 0.5 / np.sqrt(4000)
    torch.testing.assert_close(plan.scale[:, 0], 1 / chances[plan.streams[:, 0]])
    # The expectation over draws is the sum over groups, whatever the chances.
    torch.testing.assert_close((chances * (1 / chances)).sum(), torch.tensor(3.0))


def test_the_same_seed_draws_the_same_rows():
    first, second, other = make().plan(7), make().plan(7), make(seed=1).plan(7)
    assert torch.equal(first.rows, second.rows)
    assert not torch.equal(first.rows, other.rows)


def test_conditions():
    Y = np.array([[0, 0], [0, 1], [1, 1]])
    assert condition_mask(Y, "negatives", True).tolist() == [[True], [False], [False]]
    assert condition_mask(Y, "positives", True).tolist() == [[False], [True], [True]]
    assert condition_mask(Y, "negatives", False).tolist() == (Y == 0).tolist()
    assert condition_mask(Y, "positives", False).tolist() == (Y == 1).tolist()


def test_signed_weights_drop_a_task_without_a_side():
    generator = torch.Generator().manual_seed(0)
    inside, outside = torch.rand((2, 5, 6, 3), generator=generator).round()
    outside[0, :, 1] = 0
    weights = signed_weights(inside, outside)
    for form in range(5):
        for task in range(3):
            a, b, w = inside[form, :, task], outside[form, :, task], weights[form, :, task]
            if a.sum() == 0 or b.sum() == 0:
                assert (w == 0).all()
            else:
                torch.testing.assert_close(w, a / a.sum() - b / b.sum())
    assert (weights[0, :, 1] == 0).all()


class MeanGap(StreamTerm):
    """Squared difference of mean outputs: another regulariser on the same streams."""

    def compare(self, outputs, streams, rows):
        n = outputs.shape[1] // 2
        return (outputs[:, :n].mean(1) - outputs[:, n:].mean(1)).square()


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("draw", ["uniform", "gap", "all"])
def test_another_regulariser_interleaves(kind, draw):
    rng = np.random.default_rng(0)
    group = rng.random(600) < 0.1
    X = rng.normal(size=(600, 3)) + group[:, None]
    y = torch.as_tensor(X.sum(1), dtype=torch.float32)
    X = sparse.csr_matrix(X) if kind == "sparse" else X
    sides = tuple(torch.as_tensor(np.flatnonzero(group == g)) for g in (1, 0))
    other = tuple(torch.arange(k, 600, 2) for k in (0, 1))

    def gap(weight):
        term = None
        if weight:
            streams = Streams([sides, other], 8, draw=draw, every=2)
            term = MeanGap(streams, ["rare", "other"], torch.full((2, 1), weight), 0)
        result = train(
            lambda start: make_mlp(3, (), 1),
            Sample(Rows(X, "cpu"), y),
            lambda outputs, target: (outputs[:, 0] - target).square(),
            Settings(max_epochs=12, batch_size=32, lr=0.03),
            seed=0,
            term=term,
        )
        if weight:
            assert {"gap_rare", "gap_other"} <= set(result.history[-1])
        dense = torch.as_tensor(X.toarray() if kind == "sparse" else X, dtype=torch.float32)
        outputs = result.module(dense).detach()
        return float((outputs[sides[0]].mean() - outputs[sides[1]].mean()).abs())

    assert gap(3.0) < gap(0.0) / 2


def test_extra_rows_lie_below_the_batch(monkeypatch):
    from fairsk.neural import _training

    monkeypatch.setattr(_training, "GATHERED", 60)
    X = Rows(np.arange(60.0).reshape(20, 3), "cpu")
    order, parts = torch.randperm(20), [slice(0, 8), slice(8, 16), slice(16, 20)]
    extra = [torch.tensor([5, 5]), None, torch.tensor([0])]
    found = list(batches_of_inputs(X, order, parts, extra))
    assert [len(batch) for batch in found] == [10, 8, 5]
    for batch, part, rows in zip(found, parts, extra, strict=True):
        rows = order[part] if rows is None else torch.cat([order[part], rows])
        assert torch.equal(batch, X.values[rows])
