"""Every penalty against the paper's formulas in plain loops, its gradient, and empty cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fairsk import FairnessNotion, GroupRate, get_notion, list_notions  # noqa: E402
from fairsk.neural import (  # noqa: E402
    FairnessPenalty,
    GroupMeanPenalty,
    PenaltyBatch,
    list_penalties,
)
from fairsk.neural._penalties import PENALTIES, RunningMeans, get_penalty  # noqa: E402
from fairsk.neural._penalties._auc_gap import MOST_ROWS  # noqa: E402
from fairsk.notions import cell_masses  # noqa: E402
from fairsk.utils import GroupEncoder  # noqa: E402
from tests._reference.naive_penalties import (  # noqa: E402
    cross_entropy,
    equation_2,
    equation_4,
    equation_6,
    naive_auc_gap,
    naive_contrast,
    sigmoid,
    worst_loss,
)

# Double precision on tens of rows: rounding is far below.
TIGHT = {"abs": 1e-12, "rel": 1e-10}


def losses_of(outputs, y):
    functional = torch.nn.functional
    if y.ndim == 2 or outputs.shape[1] == 1:
        y = y if y.ndim == 2 else y[:, None]
        return functional.binary_cross_entropy_with_logits(
            outputs, y.to(outputs.dtype), reduction="none"
        )
    return functional.cross_entropy(outputs, y, reduction="none")[:, None]


def make_batch(n=41, groups=3, tasks=1, unknown=0.0, seed=0, weighted=False, target="binary"):
    """Random logits, labels and groups; tasks 0 is one label."""
    rng = np.random.default_rng(seed)
    several = target == "multilabel"
    y = rng.integers(0, 2, size=(n, tasks) if several else n)
    code = rng.integers(0, groups, size=n)
    code[rng.random(n) < unknown] = -1
    weight = rng.uniform(0.2, 3.0, size=n) if weighted else np.ones(n)
    return PenaltyBatch(
        outputs=torch.tensor(rng.normal(size=(n, tasks)) * 1.5, dtype=torch.float64),
        y=torch.tensor(y),
        groups=torch.tensor(code)[:, None],
        families=(slice(0, groups),),
        weight=torch.tensor(weight),
        target=target,
        loss=losses_of,
    )


def with_outputs(batch, outputs):
    return replace(batch, outputs=outputs)


def lists_of(batch, task=0):
    """Logits, probabilities, labels, losses, groups and weights as plain lists."""
    logit = batch.outputs[:, task].tolist()
    y = (batch.y if batch.y.ndim == 1 else batch.y[:, task]).tolist()
    group = [None if g < 0 else g for g in batch.groups[:, 0].tolist()]
    p = [sigmoid(v) for v in logit]
    loss = [cross_entropy(v, t) for v, t in zip(logit, y, strict=True)]
    return logit, p, y, loss, group, batch.weight.tolist()


# ------------------------------------------------------------------- formulas


@pytest.mark.parametrize("seed", range(3))
def test_two_groups_are_the_papers_equations(seed):
    batch = make_batch(groups=2, seed=seed)
    _, p, y, loss, a, _ = lists_of(batch)
    value = {name: float(get_penalty(name)(batch)) for name in list_penalties()}
    assert value["equal_loss"] == pytest.approx(equation_2(loss, a), **TIGHT)
    assert value["equalized_odds_as_published"] == pytest.approx(equation_4(p, y, a), **TIGHT)
    assert value["disparate_impact"] - 1 == pytest.approx(equation_6(p, a), **TIGHT)
    mean = sum(loss) / len(loss)
    assert value["min_max"] + mean == pytest.approx(worst_loss(loss, a), **TIGHT)


@pytest.mark.parametrize("contrast", ["groups", "population"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_more_groups_weights_and_unknown_groups(contrast, weighted, seed):
    batch = make_batch(n=57, groups=4, unknown=0.3, seed=seed, weighted=weighted)
    logit, p, y, loss, group, weight = lists_of(batch)

    def naive(values, counts=None):
        return naive_contrast(values, group, weight, counts, contrast=contrast)

    n = len(y)
    ones, zeros = [t == 1 for t in y], [t == 0 for t in y]
    error = [1 - h if t else h for h, t in zip(p, y, strict=True)]
    expected = {
        "equal_loss": naive(loss),
        "equalized_odds": naive(p, ones) + naive(p, zeros),
        "equalized_odds_as_published": naive([p[i] * (1 - y[i]) for i in range(n)])
        + naive([(1 - p[i]) * y[i] for i in range(n)]),
        "demographic_parity": naive(p),
        "equal_opportunity": naive(p, ones),
        "predictive_equality": naive(p, zeros),
        "accuracy_parity": naive(error),
        "overall_equal_opportunity": naive(p, zeros),
    }
    for name, value in expected.items():
        found = float(get_penalty(name, contrast)(batch))
        assert found == pytest.approx(value, **TIGHT), name
    if contrast == "groups":
        found = float(get_penalty("auc_gap")(batch))
        assert found == pytest.approx(naive_auc_gap(logit, y, group, weight), **TIGHT)


@pytest.mark.parametrize("name", list_notions())
def test_a_notion_is_its_own_rates_on_probabilities(name):
    """The penalty is the notion's metric, summed over its rates, of the probabilities."""
    batch = make_batch(n=60, groups=3, seed=5, weighted=True)
    labels = ["abc"[g] for g in batch.groups[:, 0].tolist()]
    masses = cell_masses(
        batch.y.numpy(),
        batch.probabilities[:, 0].numpy(),
        GroupEncoder().fit_transform(labels),
        sample_weight=batch.weight.numpy(),
    )
    notion = get_notion(name)
    rates = notion.group_rates(masses)
    expected = np.ptp(rates, axis=1).sum()
    assert float(get_penalty(name)(batch)) == pytest.approx(expected, **TIGHT)
    apart = np.abs(notion.disparities(masses)).mean(axis=1).sum()
    assert float(get_penalty(notion, "population")(batch)) == pytest.approx(apart, **TIGHT)


def test_a_notion_of_the_users_with_any_coefficients():
    rate = GroupRate("odd", gain=(2.0, -1.0), offset=(0.5, 3.0), condition=(0.25, 1.5))
    notion = FairnessNotion("odd_notion", (rate,), "for the test")
    batch = make_batch(n=50, groups=2, seed=2)
    masses = cell_masses(
        batch.y.numpy(),
        batch.probabilities[:, 0].numpy(),
        GroupEncoder().fit_transform(batch.groups[:, 0].tolist()),
    )
    expected = np.ptp(notion.group_rates(masses))
    assert float(get_penalty(notion)(batch)) == pytest.approx(expected, **TIGHT)


def test_several_tasks_are_summed():
    batch = make_batch(n=50, tasks=3, groups=2, target="multilabel", seed=3)
    for name in ("equal_loss", "equalized_odds", "disparate_impact", "auc_gap", "min_max"):
        penalty = get_penalty(name)
        alone = [
            replace(batch, outputs=batch.outputs[:, [t]], y=batch.y[:, t], target="binary")
            for t in range(3)
        ]
        expected = sum(float(penalty(one)) for one in alone)
        assert float(penalty(batch)) == pytest.approx(expected, **TIGHT), name


def test_a_notion_of_the_system_joins_the_tasks_first():
    batch = make_batch(n=60, tasks=3, groups=2, target="multilabel", seed=4)
    p = batch.probabilities.amax(1).tolist()
    negative = (batch.y.amax(1) == 0).tolist()
    group, weight = batch.groups[:, 0].tolist(), batch.weight.tolist()
    expected = naive_contrast(p, group, weight, negative)
    found = float(get_penalty("overall_equal_opportunity")(batch))
    assert found == pytest.approx(expected, **TIGHT)


def test_several_families_are_summed_and_the_worst_group_is_of_all():
    one, other = make_batch(n=60, groups=2, seed=6), make_batch(n=60, groups=3, seed=7)
    groups = torch.cat([one.groups, other.groups + 2], dim=1)
    both = replace(one, groups=groups, families=(slice(0, 2), slice(2, 5)))
    second = replace(one, groups=other.groups, families=(slice(0, 3),))
    for name in ("equal_loss", "equalized_odds", "disparate_impact", "auc_gap"):
        penalty = get_penalty(name)
        expected = float(penalty(one)) + float(penalty(second))
        assert float(penalty(both)) == pytest.approx(expected, **TIGHT), name
    worst = max(float(get_penalty("min_max")(b)) for b in (one, second))
    assert float(get_penalty("min_max")(both)) == pytest.approx(worst, **TIGHT)


def test_disparate_impact_of_several_groups():
    batch = make_batch(n=80, groups=3, seed=8)
    _, p, _, _, group, _ = lists_of(batch)
    rates = [np.mean([h for h, g in zip(p, group, strict=True) if g == k]) for k in range(3)]
    found = float(get_penalty("disparate_impact")(batch))
    assert found == pytest.approx(1 - min(rates) / max(rates), **TIGHT)
    overall = np.mean(p)
    expected = np.mean([1 - min(r / overall, overall / r) for r in rates])
    found = float(get_penalty("disparate_impact", "population")(batch))
    assert found == pytest.approx(expected, **TIGHT)


def test_two_logits_are_the_difference_of_one():
    batch = make_batch(groups=2)
    two = with_outputs(batch, torch.cat([batch.outputs * 0 + 0.7, batch.outputs + 0.7], dim=1))
    for name in list_penalties("binary"):
        one = float(get_penalty(name)(batch))
        assert float(get_penalty(name)(two)) == pytest.approx(one, **TIGHT), name


# ---------------------------------------------------------- the paper's quirks


def constant_batch(p, base_rates, n=1_000):
    y = np.concatenate([np.arange(n) < rate * n for rate in base_rates]).astype(int)
    group = np.repeat([0, 1], n)
    logit = np.full((2 * n, 1), np.log(p / (1 - p)))
    return PenaltyBatch(
        torch.tensor(logit),
        torch.tensor(y),
        torch.tensor(group)[:, None],
        (slice(0, 2),),
        torch.ones(2 * n, dtype=torch.float64),
        "binary",
        losses_of,
    )


def test_equation_4_as_printed_penalises_equalized_odds_and_misses_gaps():
    fair = constant_batch(0.3, (0.6, 0.3))
    assert float(get_penalty("equalized_odds")(fair)) == pytest.approx(0, abs=1e-12)
    printed = get_penalty("equalized_odds_as_published")
    means = fair.group_means(*printed.rows(fair))
    # p (1 - base rate) and (1 - p) base rate of the groups: .12 and .21, .42 and .21.
    np.testing.assert_allclose(means.gaps()[0].tolist(), [0.09, 0.21], atol=1e-12)
    # A false positive rate gap of .075 that the printed term does not see: p (1 - b) alike.
    p = torch.where(fair.groups[:, 0] == 0, 0.175, 0.1)[:, None].double()
    unfair = with_outputs(fair, torch.logit(p))
    gaps = unfair.group_means(*printed.rows(unfair)).gaps()[0]
    assert float(gaps[0]) == pytest.approx(0.0, abs=1e-8)
    rates = unfair.group_means(*get_penalty("equalized_odds").rows(unfair)).gaps()[0]
    assert float(rates[1]) == pytest.approx(0.075, abs=1e-8)


def test_few_rows_make_a_gap_and_a_worst_group_of_equal_ones():
    """The expected values that the docstrings name, for losses with an exponential distribution."""
    rng, repeats = np.random.default_rng(0), 4_000
    for n, gap, worst in ((8, 0.39, 1.19), (32, 0.20, 1.10), (128, 0.10, 1.04)):
        batch = PenaltyBatch(
            outputs=torch.tensor(rng.exponential(size=(2 * n, repeats))),
            y=torch.zeros(2 * n),
            groups=torch.arange(2).repeat(n)[:, None],
            families=(slice(0, 2),),
            weight=torch.ones(2 * n, dtype=torch.float64),
            target="multilabel",
            loss=lambda outputs, y: outputs,  # every task is a sample of its own
        )
        # Standard error of the mean of 4,000 gaps: below .005.
        assert float(get_penalty("equal_loss")(batch)) / repeats == pytest.approx(gap, abs=0.015)
        excess = float(get_penalty("min_max")(batch)) / repeats
        assert 1 + excess == pytest.approx(worst, abs=0.015)


# ------------------------------------------------------------------- gradients


@pytest.mark.parametrize("contrast", ["groups", "population"])
@pytest.mark.parametrize("target", ["binary", "multilabel"])
@pytest.mark.parametrize("name", list_penalties())
def test_gradient(name, contrast, target):
    """By finite differences; random logits are away from the kinks, where gaps are zero or tie."""
    tasks = 2 if target == "multilabel" else 1
    batch = make_batch(n=23, groups=3, tasks=tasks, target=target, weighted=True, unknown=0.2)
    penalty = get_penalty(name, contrast)
    outputs = batch.outputs.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda o: penalty(with_outputs(batch, o)), (outputs,))
    (gradient,) = torch.autograd.grad(penalty(with_outputs(batch, outputs)), outputs)
    assert gradient.abs().sum() > 1e-4
    assert not gradient[batch.groups[:, 0] < 0].any() or name == "min_max"


@pytest.mark.parametrize("name", ["equal_loss", "min_max"])
def test_gradient_for_classes_and_numbers(name):
    rng = np.random.default_rng(0)
    groups = torch.tensor(rng.integers(0, 2, size=20))[:, None]
    penalty = get_penalty(name)
    common = {"groups": groups, "families": (slice(0, 2),), "weight": torch.ones(20).double()}
    y = torch.tensor(rng.integers(0, 3, size=20))
    logits = torch.tensor(rng.normal(size=(20, 3)), requires_grad=True)

    def of_classes(outputs):
        return penalty(
            PenaltyBatch(outputs=outputs, y=y, target="multiclass", loss=losses_of, **common)
        )

    assert torch.autograd.gradcheck(of_classes, (logits,))

    def of_numbers(outputs):
        target = y.double()
        return penalty(
            PenaltyBatch(
                outputs=outputs,
                y=target,
                target="regression",
                loss=lambda o, t: (o[:, 0] - t).square()[:, None],
                **common,
            )
        )

    assert torch.autograd.gradcheck(of_numbers, (logits[:, :1].detach().requires_grad_(),))


def test_min_max_with_alpha_one_has_the_gradient_of_the_worst_loss():
    """Of the worst group for rows of known group, of their own loss for the others."""
    batch = make_batch(n=30, groups=2, unknown=0.3, weighted=True)
    outputs = batch.outputs.clone().requires_grad_()
    own = with_outputs(batch, outputs)
    loss = (own.losses[:, 0] * own.weight).sum() / own.weight.sum()
    (found,) = torch.autograd.grad(loss + get_penalty("min_max")(own), outputs)

    again = batch.outputs.clone().requires_grad_()
    other = with_outputs(batch, again)
    group, weight = other.groups[:, 0], other.weight
    means = [
        (other.losses[:, 0] * weight)[group == g].sum() / weight[group == g].sum() for g in (0, 1)
    ]
    known = weight[group >= 0].sum() / weight.sum()
    rest = (other.losses[:, 0] * weight)[group < 0].sum() / weight.sum()
    (expected,) = torch.autograd.grad(known * max(means) + rest, again)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


# ------------------------------------------------------------- missing groups


@pytest.mark.parametrize("contrast", ["groups", "population"])
@pytest.mark.parametrize("name", list_penalties())
@pytest.mark.parametrize("present", [[], [1], [0, 2]], ids=["none", "one", "two of three"])
def test_absent_groups_are_not_compared_and_nothing_is_nan(name, contrast, present):
    batch = make_batch(n=40, groups=3)
    keep = torch.isin(batch.groups, torch.tensor(present, dtype=torch.long))
    batch = replace(
        batch,
        outputs=batch.outputs.clone().requires_grad_(),
        groups=batch.groups.where(keep, torch.tensor(-1)),
    )
    penalty = get_penalty(name, contrast)
    value = penalty(batch)
    assert torch.isfinite(value)
    if len(present) < 2:
        assert float(value.detach()) == 0
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, batch.outputs)
        assert torch.isfinite(gradient).all()
        # What is taken of one group alone cancels up to rounding.
        assert len(present) == 2 or gradient.abs().max() < 1e-15
    if len(present) == 2:
        rows = keep[:, 0]
        two = replace(
            batch,
            outputs=batch.outputs[rows],
            y=batch.y[rows],
            groups=(batch.groups[rows] > 0).long(),
            families=(slice(0, 2),),
            weight=batch.weight[rows],
            share=batch.known_share,
        )
        assert float(value.detach()) == pytest.approx(float(penalty(two).detach()), **TIGHT)


def test_an_empty_cell_drops_its_rate_alone():
    batch = make_batch(n=40, groups=2)
    y = batch.y.where(batch.groups[:, 0] == 0, torch.tensor(0))  # group 1 has no positives
    batch = replace(batch, y=y)
    both = float(get_penalty("equalized_odds")(batch))
    assert both == pytest.approx(float(get_penalty("predictive_equality")(batch)), **TIGHT)
    assert float(get_penalty("equal_opportunity")(batch)) == 0
    assert both > 0


def test_zero_probabilities_of_both_groups_are_parity():
    batch = make_batch(groups=2)
    outputs = torch.full((len(batch.y), 1), -1e4, dtype=torch.float32, requires_grad=True)
    weight = torch.ones(len(batch.y))
    value = get_penalty("disparate_impact")(replace(batch, outputs=outputs, weight=weight))
    (gradient,) = torch.autograd.grad(value, outputs)
    assert float(value.detach()) == 0 and torch.isfinite(gradient).all()


# ------------------------------------------------------------ running averages


def test_running_means_are_the_decayed_average_with_the_batchs_gradient():
    rng = np.random.default_rng(0)
    running, families = RunningMeans(0.75), (slice(0, 2),)
    sums, masses = np.zeros((2, 1)), np.zeros((2, 1))
    for step in range(5):
        a, b = rng.normal(size=(2, 1)), rng.uniform(0.5, 2, size=(2, 1))
        if step == 3:
            a[1] = b[1] = 0  # the second group is not in this batch
        sums, masses = 0.75 * sums + a, 0.75 * masses + b
        tensor = torch.tensor(a, requires_grad=True)
        found = running.update(tensor, torch.tensor(b), families)
        np.testing.assert_allclose(found.values.detach(), sums / masses, rtol=1e-12)
        np.testing.assert_allclose(found.overall[0].detach(), sums.sum() / masses.sum())
        (gradient,) = torch.autograd.grad(found.values.sum(), tensor)
        expected = np.divide(1, b, out=np.zeros_like(b), where=b > 0)
        expected[b == 0] = gradient.numpy()[b == 0]  # of a group without rows it goes nowhere
        np.testing.assert_allclose(gradient, expected)
        assert bool(found.present.all())


def test_running_means_without_decay_are_the_batchs():
    batch = make_batch(groups=3, weighted=True)
    penalty = get_penalty("equalized_odds")
    means = RunningMeans(0.0).update(*batch.totals(*penalty.rows(batch)), batch.families)
    assert float(penalty.compare(means)) == pytest.approx(float(penalty(batch)), **TIGHT)


# ------------------------------------------------------------------ the registry


def test_every_penalty_is_listed_once_and_states_its_needs():
    names = list_penalties()
    assert len(set(names)) == len(names)
    assert {p.name for p in PENALTIES} | set(list_notions()) == set(names)
    for name in names:
        penalty = get_penalty(name)
        assert penalty.name == name and penalty.targets
    assert "equal_loss" in list_penalties("multiclass")
    assert "equalized_odds" not in list_penalties("multiclass")


def test_unknown_penalties_name_the_known():
    with pytest.raises(ValueError, match="equal_loss.*min_max.*equalized_odds"):
        get_penalty("equal_odds")
    with pytest.raises(TypeError, match="got int"):
        get_penalty(3)
    with pytest.raises(TypeError, match="the class AUCGap; give an instance"):
        get_penalty(type(get_penalty("auc_gap")))
    with pytest.raises(ValueError, match="contrast must be one of"):
        get_penalty("equal_loss", "extremes")


def test_objects_and_functions_are_taken_as_they_are():
    class Mine(GroupMeanPenalty):
        name = "mine"

        def rows(self, batch):
            return batch.outputs, None

    mine = Mine("population")
    assert get_penalty(mine) is mine and isinstance(mine, FairnessPenalty)

    def spread(batch):
        return batch.outputs.var()

    assert get_penalty(spread).name == "spread"
    batch = make_batch()
    assert get_penalty(spread)(batch) == batch.outputs.var()
    with pytest.raises(NotImplementedError):
        FairnessPenalty()(batch)


def test_large_batches_pair_some_of_the_rows_only():
    batch = make_batch(n=3 * MOST_ROWS * 2, groups=2, seed=1)
    found = float(get_penalty("auc_gap")(batch))
    # A mean over a third of the rows a side: some .01 from that over all, both groups nearly alike.
    assert found < 0.05


def test_no_probability_of_a_number():
    batch = make_batch()
    numbers = replace(batch, target="regression")
    with pytest.raises(ValueError, match="no log-odds of a regression target"):
        get_penalty("equalized_odds")(numbers)
