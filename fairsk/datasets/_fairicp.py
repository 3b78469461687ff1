"""The simulations of the FairICP paper, whose density of Y given A is known."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy.stats import ortho_group
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_scalar


def make_fairicp_permutation(
    n_samples: int = 200,
    *,
    n_relevant: int = 1,
    n_noise: int = 0,
    omega: float = 0.6,
    sigma: float = 1.0,
    theta_state: int | np.random.RandomState | None = 0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Sensitive features and a target, without predictors: the paper's section 3.1.1.

    .. math::
        A = U \Theta^{1/2}, \qquad
        Y \mid A \sim N\Big(\sqrt\omega \sum_{j \le K_0} A_j,\ \sigma^2 + (1 - \omega) K_0\Big),

    with independent entries of U from an equal mixture of exponential variables with rates 1 and
    10, and a random covariance :math:`\Theta` with the eigenvalues of its root evenly spaced in
    [1, 5].

    Parameters
    ----------
    n_samples : int, default=200
    n_relevant, n_noise : int, default=1, 0
        K_0 and K: how many columns of A the target depends on, and how many come beside them.
    omega : float in [0, 1], default=0.6
        Strength of the dependence on A.
    sigma : float, default=1.0
        Standard deviation of the noise; the paper does not give it.
    theta_state : int, RandomState instance or None, default=0
        Decides the covariance, so that two values of ``random_state`` give two samples of one
        problem.
    random_state : int, RandomState instance or None, default=None
        Decides the sample.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        * sensitive_features : ndarray of shape (n_samples, n_relevant + n_noise)
        * target : ndarray of shape (n_samples,)
        * target_coef : ndarray of shape (n_relevant + n_noise,)
          The mean of Y given A is ``A @ target_coef``.
        * target_scale : float
          The standard deviation of Y given A, which is normal.
        * theta_root : ndarray of shape (n_relevant + n_noise, n_relevant + n_noise)

    Notes
    -----
    The paper writes the second argument of the gamma distributions as 1 and 10 without saying
    whether it is a rate or a scale. As a scale, A alone would have a variance above 90 and leave Y
    with a correlation of .99 with it, far from the losses of the paper's figures; it is a rate
    here.

    References
    ----------
    Lai and Guan, FairICP, section 3.1.1.

    Examples
    --------
    >>> data = make_fairicp_permutation(5, n_relevant=1, n_noise=2, random_state=0)
    >>> data.sensitive_features.shape, data.target_scale
    ((5, 3), 1.18)
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_relevant, "n_relevant", Integral, min_val=1)
    check_scalar(n_noise, "n_noise", Integral, min_val=0)
    _check_strengths(omega, sigma)
    rng = check_random_state(random_state)
    A, root = _sensitive_features(n_samples, n_relevant + n_noise, theta_state, rng)
    coef = np.zeros(n_relevant + n_noise)
    coef[:n_relevant] = np.sqrt(omega)
    scale = float(np.sqrt(sigma**2 + (1.0 - omega) * n_relevant))
    target = A @ coef + scale * rng.standard_normal(n_samples)
    return Bunch(
        sensitive_features=A,
        target=target,
        target_coef=coef,
        target_scale=scale,
        theta_root=root,
        DESCR="Simulated sensitive features and target of the FairICP paper, section 3.1.1.",
    )


def make_fairicp_simulation(
    n_samples: int = 500,
    *,
    simulation: int = 1,
    n_dimensions: int = 1,
    omega: float = 0.6,
    sigma: float = 1.0,
    theta_state: int | np.random.RandomState | None = 0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Predictors that pass the influence of A on to the target: the paper's simulations 1 and 2.

    .. math::
        X^*_k \sim N(\sqrt\omega A_k, 1 - \omega), \qquad X'_k \sim N(0, 1), \qquad
        Y \sim N\Big(\sum_k X^*_k + \sum_k X'_k,\ \sigma^2\Big).

    In simulation 1, A, X* and X' have K columns each, and all of A matters. In simulation 2, X*
    and X' have one column, and A has K more columns of noise.

    Parameters
    ----------
    n_samples : int, default=500
    simulation : {1, 2}, default=1
    n_dimensions : int, default=1
        K; the paper has 1, 5 and 10.
    omega : float in [0, 1], default=0.6
        Strength of the dependence on A; the paper has 0.6 and 0.9.
    sigma : float, default=1.0
    theta_state, random_state
        As in `make_fairicp_permutation`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        * data : ndarray of shape (n_samples, 2 K), or (n_samples, 2) in simulation 2
          ``X*``, then ``X'``.
        * target : ndarray of shape (n_samples,)
        * sensitive_features : ndarray of shape (n_samples, K), or (n_samples, K + 1)
        * target_coef : ndarray, one number a column of A
          The mean of Y given A is ``A @ target_coef``.
        * target_scale : float
          The standard deviation of Y given A, which is normal.
        * theta_root : ndarray
        * n_relevant : int
          How many columns of A, the first ones, matter.

    Notes
    -----
    The paper prints the law of Y given X and says that A acts through X; the laws of X* and X'
    here are the ones that agree with the mean and variance of its section 3.1.1.

    References
    ----------
    Lai and Guan, FairICP, section 3.1.2.

    Examples
    --------
    >>> data = make_fairicp_simulation(5, simulation=2, n_dimensions=3, random_state=0)
    >>> data.data.shape, data.sensitive_features.shape, data.target_coef
    ((5, 2), (5, 4), array([0.8, 0. , 0. , 0. ]))
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    check_scalar(n_dimensions, "n_dimensions", Integral, min_val=1)
    if simulation not in (1, 2):
        raise ValueError(f"simulation must be 1 or 2, got {simulation!r}.")
    _check_strengths(omega, sigma)
    rng = check_random_state(random_state)
    relevant, width = (n_dimensions, n_dimensions) if simulation == 1 else (1, n_dimensions + 1)
    A, root = _sensitive_features(n_samples, width, theta_state, rng)
    noise = rng.standard_normal((n_samples, 2 * relevant))
    X = noise.copy()
    X[:, :relevant] *= np.sqrt(1.0 - omega)
    X[:, :relevant] += np.sqrt(omega) * A[:, :relevant]
    target = X.sum(axis=1) + sigma * rng.standard_normal(n_samples)
    coef = np.zeros(width)
    coef[:relevant] = np.sqrt(omega)
    return Bunch(
        data=X,
        target=target,
        sensitive_features=A,
        target_coef=coef,
        target_scale=float(np.sqrt(sigma**2 + relevant * (2.0 - omega))),
        theta_root=root,
        n_relevant=relevant,
        DESCR=f"Simulation {simulation} of the FairICP paper, section 3.1.2.",
    )


def _sensitive_features(
    n_samples: int, width: int, theta_state: object, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    theta_rng = check_random_state(theta_state)
    # scipy has no orthogonal matrices of size one.
    basis = ortho_group.rvs(width, random_state=theta_rng) if width > 1 else np.ones((1, 1))
    root = (basis * np.linspace(1.0, 5.0, width)) @ basis.T
    rate = np.where(rng.random_sample((n_samples, width)) < 0.5, 1.0, 10.0)
    return rng.exponential(size=(n_samples, width)) / rate @ root, root


def _check_strengths(omega: float, sigma: float) -> None:
    check_scalar(omega, "omega", Real, min_val=0, max_val=1)
    check_scalar(sigma, "sigma", Real, min_val=0, include_boundaries="neither")
