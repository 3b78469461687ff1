"""The mixture density network and the masked autoregressive flow."""

import pickle

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone

torch = pytest.importorskip("torch")

from fairsk.independence import MaskedAutoregressiveFlow, MixtureDensityNetwork  # noqa: E402
from fairsk.independence._density import Conditional  # noqa: E402
from fairsk.independence._flow import _FlowConditional  # noqa: E402

SMALL_FLOW = {"n_transforms": 2, "hidden_layer_sizes": (16,), "lr": 0.01}
KINDS = {
    "mixture": MixtureDensityNetwork,
    "affine": lambda **kw: MaskedAutoregressiveFlow(**SMALL_FLOW | kw),
    "spline": lambda **kw: MaskedAutoregressiveFlow(
        transform="spline", **SMALL_FLOW | {"n_transforms": 1} | kw
    ),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def line(n=600, seed=0):
    """Y = 3 + 5 a + noise of width .5 + |b|, with the log-density of each row."""
    rng = np.random.default_rng(seed)
    given = rng.normal(size=(n, 2))
    scale = 0.5 + np.abs(given[:, 1])
    target = 3 + 5 * given[:, 0] + scale * rng.normal(size=n)
    return given, target, norm.logpdf(target, 3 + 5 * given[:, 0], scale)


def bimodal(n=600, seed=0):
    rng = np.random.default_rng(seed)
    given = rng.normal(size=(n, 1))
    sign = np.where(rng.random(n) < 0.5, 1, -1)
    return given, sign * (2 + given[:, 0]) + 0.2 * rng.normal(size=n)


@EVERY
def test_the_density_comes_near_the_true_one(kind):
    given, target, _ = line()
    new_given, new_target, truth = line(seed=1)
    density = KINDS[kind](random_state=0).fit(given, target)
    # Mean excess over the entropy on new rows, in nats; a linear Gaussian of one width has .2, and
    # the estimation error of a network at n = 600 is about .1.
    assert truth.mean() - density.log_prob(new_given, new_target).mean() < 0.15


@EVERY
def test_the_density_integrates_to_one(kind):
    given, target, _ = line(200)
    density = KINDS[kind](random_state=0, max_epochs=15).fit(given, target)
    grid = np.linspace(-200, 200, 20_001)
    row = np.repeat(given[:1], len(grid), axis=0)
    # Trapezoids of width .02 on widths of .1 and more; single precision.
    mass = np.trapezoid(np.exp(density.log_prob(row, grid)), grid)
    assert mass == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("kind", ["mixture", "spline"])
def test_two_branches_need_more_than_one_normal(kind):
    given, target = bimodal()
    new_given, new_target = bimodal(seed=1)
    values = {
        name: KINDS[name](random_state=0).fit(given, target).log_prob(new_given, new_target).mean()
        for name in (kind, "affine")
    }
    # Normals of width 2 and .2, two of them: log(10 / 2) = 1.6 nats apart at best.
    assert values[kind] > values["affine"] + 0.8


@EVERY
def test_the_log_odds_are_those_of_the_densities(kind):
    given, target, _ = line(60)
    conditional = KINDS[kind](random_state=0, max_epochs=5).fit(given, target).condition(given)
    rng = np.random.default_rng(0)
    i, j = rng.permutation(60).reshape(2, 30)
    index_i, index_j = rng.permutation(60).reshape(2, 30)
    fast = conditional.log_odds(target, i, j, index_i, index_j)
    slow = Conditional.log_odds(conditional, target, i, j, index_i, index_j)
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-10)


def test_one_dimensional_affine_flows_are_one_normal():
    given, target, _ = line(200)
    flow = KINDS["affine"](random_state=0, max_epochs=10).fit(given, target)
    rows = np.arange(200)
    general = _FlowConditional(flow, given).log_prob(target, rows)
    # The general path evaluates the network in single precision.
    np.testing.assert_allclose(flow.condition(given).log_prob(target, rows), general, atol=2e-3)


@pytest.mark.parametrize("transform", ["affine", "spline"])
def test_a_flow_of_several_columns(transform):
    rng = np.random.default_rng(0)
    given = rng.normal(size=(800, 1))
    noise = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=800)
    target = np.column_stack([2 * given[:, 0], -given[:, 0]]) + noise
    flow = MaskedAutoregressiveFlow(**SMALL_FLOW, transform=transform, random_state=0)
    flow.fit(given, target)
    drawn = flow.sample(given, random_state=0)
    assert drawn.shape == target.shape
    # Standard errors of .04 and .02, and the estimation error of the flow.
    np.testing.assert_allclose(np.polyfit(given[:, 0], drawn, 1)[0], [2, -1], atol=0.25)
    rest = drawn - np.column_stack([2 * given[:, 0], -given[:, 0]])
    assert np.corrcoef(rest.T)[0, 1] == pytest.approx(0.8, abs=0.12)


@EVERY
def test_samples_follow_the_density(kind):
    given, target, _ = line()
    density = KINDS[kind](random_state=0).fit(given, target)
    point = np.repeat([[1.0, 0.5]], 4000, axis=0)
    drawn = density.sample(point, random_state=0)
    log_prob = density.log_prob(point, drawn)
    # The mean of -log q over draws from q is its entropy: compare with quadrature.
    grid = np.linspace(drawn.min() - 5, drawn.max() + 5, 4000)
    q = density.log_prob(point[:4000], grid)
    entropy = -np.trapezoid(np.exp(q) * q, grid)
    # Standard error: sd .7 over root 4000.
    assert -log_prob.mean() == pytest.approx(entropy, abs=0.06)
    np.testing.assert_array_equal(drawn, density.sample(point, random_state=0))


@EVERY
def test_reproducible_picklable_and_apart_from_the_global_generator(kind):
    given, target, _ = line(100)
    state = torch.random.get_rng_state()
    density = KINDS[kind](random_state=0, max_epochs=5).fit(given, target)
    expected = density.log_prob(given, target)
    assert bool((state == torch.random.get_rng_state()).all())
    torch.rand(1)
    for other in (clone(density).fit(given, target), pickle.loads(pickle.dumps(density))):
        np.testing.assert_array_equal(other.log_prob(given, target), expected)
    different = clone(density).set_params(random_state=1).fit(given, target)
    assert np.abs(different.log_prob(given, target) - expected).max() > 1e-3


@EVERY
def test_early_stopping_keeps_the_best_weights(kind):
    given, target, _ = line(80)
    settings = {"random_state": 0, "lr": 0.05}
    density = KINDS[kind](patience=3, max_epochs=200, **settings).fit(given, target)
    best = int(np.argmin(density.validation_curve_))
    assert density.n_iter_ == len(density.validation_curve_) == best + 4
    short = KINDS[kind](patience=500, max_epochs=best + 1, **settings).fit(given, target)
    np.testing.assert_array_equal(short.log_prob(given, target), density.log_prob(given, target))


@EVERY
def test_rows_of_weight_zero_do_not_count(kind):
    given, target, _ = line(200)
    weight = np.tile([1.0, 0.0, 2.0, 1.0], 50)
    keep = weight > 0
    settings = {"random_state": 0, "max_epochs": 5}
    weighted = KINDS[kind](**settings).fit(given, target, sample_weight=weight)
    subset = KINDS[kind](**settings).fit(given[keep], target[keep], sample_weight=weight[keep])
    # Sums over zeros may round in another order.
    np.testing.assert_allclose(
        weighted.log_prob(given, target), subset.log_prob(given, target), atol=1e-4
    )


def test_min_scale_bounds_the_density_of_repeated_values():
    rng = np.random.default_rng(0)
    given = rng.normal(size=(300, 1))
    target = np.where(rng.random(300) < 0.5, 1.0, given[:, 0])
    density = MixtureDensityNetwork(min_scale=0.05, random_state=0).fit(given, target)
    assert density.condition(given).scale.min() >= 0.05 * target.std() * (1 - 1e-6)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"n_components": 0}, "n_components must be"),
        ({"min_scale": 0}, "min_scale must be"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be"),
        ({"max_epochs": 0}, "max_epochs must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"patience": 0}, "patience must be"),
        ({"lr": 0}, "lr must be"),
        ({"weight_decay": -1}, "weight_decay must be"),
        ({"validation_fraction": 0}, "validation_fraction is the share"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_parameters_of_the_mixture(parameters, match):
    given, target, _ = line(30)
    with pytest.raises(ValueError, match=match):
        MixtureDensityNetwork(**parameters).fit(given, target)


def test_other_bad_input():
    given, target, _ = line(30)
    with pytest.raises(ValueError, match="transform must be one of"):
        MaskedAutoregressiveFlow(transform="radial").fit(given, target)
    with pytest.raises(ValueError, match="n_transforms must be"):
        MaskedAutoregressiveFlow(n_transforms=0).fit(given, target)
    with pytest.raises(ValueError, match="one-dimensional target.*MaskedAutoregressiveFlow"):
        MixtureDensityNetwork().fit(given, given)
    for density in (MixtureDensityNetwork(), MaskedAutoregressiveFlow()):
        with pytest.raises(ValueError, match="target is constant"):
            density.fit(given, np.ones(30))
        with pytest.raises(ValueError, match="is a density of numbers"):
            density.fit(given, ["a", "b", "c"] * 10)
    with pytest.raises(FloatingPointError, match="Training diverged.*Lower lr"):
        MixtureDensityNetwork(lr=1e30, random_state=0).fit(given, target)


def test_progress_is_shown_on_request(capsys):
    given, target, _ = line(30)
    MixtureDensityNetwork(verbose=2, max_epochs=2).fit(given, target)
    assert "MixtureDensityNetwork" in capsys.readouterr().err
