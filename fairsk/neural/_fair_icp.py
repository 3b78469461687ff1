"""FairICP: predictors trained so that equalized odds holds, whatever the sensitive features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from fairsk.neural._base import BaseFairNetwork, TrainingRows
from fairsk.neural._checks import check_layer_sizes, check_positive_numbers
from fairsk.neural._resampling import Copier, check_resampling, make_copier
from fairsk.neural._tasks import FairNetworkClassifier, FairNetworkRegressor
from fairsk.utils import SensitiveEncoder, SensitiveFeatures

DISCREPANCIES = ("adversarial", "mmd", "energy")
# Fewer rows have no conditional distribution to speak of.
MIN_ROWS = 10


class _FairICP(BaseFairNetwork):
    """What the classifier and the regressor share: the term of conditional independence."""

    mu: Any
    discrepancy: str
    resampling: Any
    density: Any
    discriminator_hidden_layer_sizes: Any
    discriminator_lr: Any
    classes_: np.ndarray
    target_mean_: float
    target_scale_: float

    def __init__(
        self,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        mu: float = 0.5,
        discrepancy: str = "adversarial",
        resampling: Any = "icp",
        density: Any = None,
        discriminator_hidden_layer_sizes: Sequence[int] = (64, 64, 64),
        max_epochs: int = 100,
        batch_size: int = 128,
        lr: float = 1e-3,
        discriminator_lr: float = 1e-4,
        weight_decay: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        max_restarts: int = 2,
        device: str = "cpu",
        sensitive_columns: Any = None,
        drop_sensitive_columns: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.mu = mu
        self.discrepancy = discrepancy
        self.resampling = resampling
        self.density = density
        self.discriminator_hidden_layer_sizes = discriminator_hidden_layer_sizes
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.discriminator_lr = discriminator_lr
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.max_restarts = max_restarts
        self.device = device
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.verbose = verbose
        self.random_state = random_state

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not isinstance(self.mu, Real) or not 0 <= float(self.mu) < 1:
            raise ValueError(
                f"mu is the share of fairness in the objective, at least 0 and below 1, got "
                f"{self.mu!r}."
            )
        if self.discrepancy not in DISCREPANCIES:
            raise ValueError(
                f"discrepancy must be one of {list(DISCREPANCIES)}, got {self.discrepancy!r}."
            )
        check_resampling(self.resampling, self.density)
        check_positive_numbers(self, "discriminator_lr")
        check_layer_sizes("discriminator_hidden_layer_sizes", self.discriminator_hidden_layer_sizes)

    def _make_term(
        self, torch: Any, train: TrainingRows, validation: TrainingRows | None, seed: int
    ) -> Any:
        from fairsk.neural import _discrepancies

        assert train.features is not None
        known = np.flatnonzero(known_rows(train.features))
        features = train.features.take(known)
        check_sensitive_rows(features)
        self.sensitive_encoder_ = SensitiveEncoder().fit(features)
        if self.mu == 0:
            return None
        seeds = np.random.RandomState(seed).randint(2**31 - 1, size=2)
        copier = make_copier(
            self.resampling,
            self.density,
            self.sensitive_encoder_,
            self._is_discrete(),
            int(seeds[0]),
        )
        weight = None if train.weight is None else train.weight[known]
        copier.fit(features, self._original_target(train.y[known]), weight)
        copies = self._copies(torch, train, known, copier)
        held_out = self._held_out_copies(torch, validation, copier)
        if self.discrepancy == "adversarial":
            return _discrepancies.AdversarialTerm(
                float(self.mu),
                copies,
                held_out,
                int(seeds[1]),
                hidden_layer_sizes=self.discriminator_hidden_layer_sizes,
                lr=float(self.discriminator_lr),
                batch_size=int(self.batch_size),
            )
        kind = {"mmd": _discrepancies.MMDTerm, "energy": _discrepancies.EnergyTerm}
        return kind[self.discrepancy](
            float(self.mu), copies, held_out, int(seeds[1]), self._is_discrete()
        )

    def _held_out_copies(self, torch: Any, rows: TrainingRows | None, copier: Copier) -> Any:
        if rows is None:
            return None
        assert rows.features is not None
        known = np.flatnonzero(known_rows(rows.features))
        features, y = rows.features.take(known), self._original_target(rows.y[known])
        # Too few rows to permute: stop by the prediction loss alone.
        if len(known) < MIN_ROWS or len(np.unique(y)) < 2 or not varies(features):
            return None
        return self._copies(torch, rows, known, copier.for_rows(features, y))

    def _copies(self, torch: Any, rows: TrainingRows, known: np.ndarray, copier: Copier) -> Any:
        from fairsk.neural import _discrepancies

        def tensor(values: np.ndarray) -> Any:
            return torch.as_tensor(values, dtype=torch.float32).to(self.device_)

        assert rows.features is not None
        weight = None
        if rows.weight is not None:
            weight = tensor(rows.weight[known] / rows.weight[known].mean())
        return _discrepancies.Copies(
            tensor(self.sensitive_encoder_.transform(rows.features.take(known))),
            tensor(self._target_columns(rows.y[known])),
            torch.as_tensor(known).to(self.device_),
            len(rows.y),
            lambda: tensor(copier.draw()),
            weight,
        )

    def _original_target(self, y: np.ndarray) -> np.ndarray:
        """Y in its own units: a density that is given may know no others."""
        if self._is_discrete():
            return self.classes_[y]
        return self.target_mean_ + self.target_scale_ * y

    def _is_discrete(self) -> bool:
        return hasattr(self, "classes_")

    def _target_columns(self, y: np.ndarray) -> np.ndarray:
        """Y as the discriminator sees it: a number, or an indicator of each class but the first."""
        if not self._is_discrete():
            return y[:, None]
        return (y[:, None] == np.arange(1, len(self.classes_))).astype(float)


def known_rows(features: SensitiveFeatures) -> np.ndarray:
    """Rows of which every sensitive feature is known, a mask of shape (n_samples,)."""
    return ~np.any(features.missing, axis=0)


def varies(features: SensitiveFeatures) -> bool:
    """Whether some feature has two values."""
    return any(bool(np.any(column != column[0])) for column in features.columns)


def check_sensitive_rows(features: SensitiveFeatures) -> None:
    """Refuse known rows that are too few, or do not differ in any sensitive feature.

    Raises
    ------
    ValueError
    """
    if features.n_samples < MIN_ROWS:
        raise ValueError(
            f"Only {features.n_samples} rows have all sensitive features known; the distribution "
            f"of A given Y needs at least {MIN_ROWS}."
        )
    if not varies(features):
        raise ValueError(
            f"The sensitive features {list(features.names)} are constant. A fairness term "
            f"compares at least two values."
        )


class FairICPRegressor(_FairICP, FairNetworkRegressor):
    r"""Regression network whose predictions tell nothing of A that Y does not: equalized odds.

    Equalized odds, :math:`\hat Y \perp A \mid Y`, holds if and only if :math:`(\hat Y, A, Y)` and
    :math:`(\hat Y, \tilde A, Y)` have the same distribution, where :math:`\tilde A` is a
    permutation of the rows of A drawn given Y alone. So a copy is drawn in every epoch, a
    discriminator D learns to tell the two samples apart, and the predictor f minimises

    .. math:: (1 - \mu)\, L_f + \mu\, \ell(D, \text{labels exchanged}).

    The copy is made by inverse conditional permutation, which needs a density of the
    one-dimensional Y given A, never one of A: the sensitive features may be many, continuous,
    categorical or both. Unlike the printed value function, which subtracts D's loss, exchanged
    labels have a gradient where D is sure; the fixed points are the same.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        The predictor: a module (a copy is trained, from its weights), a callable
        (n_features, n_outputs) -> module, or None for a network of `hidden_layer_sizes`.
    hidden_layer_sizes : sequence of int, default=(64,)
        Widths of the default network, with ReLU between; empty for a linear model.
    mu : float in [0, 1), default=0.5
        The share of fairness. 0 is plain training, bit for bit.
    discrepancy : {"adversarial", "mmd", "energy"}, default="adversarial"
        How the two samples are compared: by a discriminator, or without one by the squared maximum
        mean discrepancy (Gaussian kernel) or the energy distance of each batch, times 30 to be of
        the size of the task loss. These look at probabilities where the discriminator looks at
        logits, and need no second network; for classes, take a `mu` of at most one half.
    resampling : {"icp", "cp", "oracle", "fdl"} or sampler, default="icp"
        Where copies come from. "icp": inverse conditional permutation; "cp": permutation by a
        density of A given Y; "oracle": as "icp" by a `density` that is true; "fdl": draws from
        a density of A given Y (fair dummies learning). A sampler has ``fit(A, y)`` and
        ``sample(n_permutations, random_state)``, which returns row indices.
    density : ConditionalDensity, default=None
        Of Y given A for "icp" and "oracle", of A given Y for "cp" and "fdl". By default the
        sampler's: for "icp", `MixtureDensityNetwork` for continuous Y and a classifier for
        classes.
    discriminator_hidden_layer_sizes : sequence of int, default=(64, 64, 64)
    max_epochs : int, default=100
        Passes over the rows; in each, D is trained for a pass and then f.
    batch_size : int, default=128
    lr, discriminator_lr : float, default=1e-3, 1e-4
        Of Adam.
    weight_decay : float, default=0.0
        L2 penalty on the predictor.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, stop after `patience` epochs in which the value
        function on them, :math:`(1-\mu) L_f + \mu (\log 2 - L_d)`, has not improved, and keep the
        best epoch's weights. D's loss is noisy: give it patience.
    validation_fraction, patience : default=0.1, 10
    max_restarts : int, default=2
        Fresh starts, each with learning rates of 30 %, after a divergence.
    device : {"cpu", "auto", "cuda"}, default="cpu"
        "auto" takes a GPU where there is one. For networks of this size a CPU is often faster, and
        only there are results the same bit for bit.
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`; columns are dropped by default.
    verbose : int, default=0
        1 shows a progress bar, 2 leaves it there.
    random_state : int, RandomState instance or None, default=None
        Decides weights, batches and copies. torch's and NumPy's global generators are not touched.

    Attributes
    ----------
    module_ : torch.nn.Module
    history_ : list of dict
        Of each epoch: `loss`, `penalty`, `discriminator_loss` (log 2 when D sees nothing), and
        with early stopping `validation_loss`, `validation_penalty`, `validation_score`.
    loss_curve_ : list of float
    n_iter_, n_restarts_, best_epoch_ : int
    target_mean_, target_scale_ : float
        Of y: the module predicts the standardised target.
    sensitive_encoder_ : SensitiveEncoder
    device_ : str
    n_features_in_ : int

    Warns
    -----
    SensitiveFeaturesWarning
        If fitted without sensitive features: it is then a plain network.

    Notes
    -----
    X should be standardised. Adversarial training differs from seed to seed: compare several, or
    the other discrepancies, which have no adversary. At equalized odds a constant prediction is
    always fair, so that a `mu` near 1 may give one.

    References
    ----------
    Lai and Guan, FairICP: Encouraging Equalized Odds via Inverse Conditional Permutation:
    equations 2 to 5 and 7, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import FairICPRegressor
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(400, 1))
    >>> X = np.column_stack([A[:, 0] + 0.5 * rng.normal(size=400), rng.normal(size=400)])
    >>> y = X.sum(axis=1) + rng.normal(size=400)
    >>> def leak(mu):  # correlation of prediction and A among rows of like y
    ...     model = FairICPRegressor(
    ...         hidden_layer_sizes=(), mu=mu, lr=0.01, discriminator_lr=0.01, max_epochs=30,
    ...         random_state=0,
    ...     )
    ...     predicted = model.fit(X, y, sensitive_features=A).predict(X)
    ...     rest = [v - np.polyval(np.polyfit(y, v, 1), y) for v in (predicted, A[:, 0])]
    ...     return abs(np.corrcoef(rest)[0, 1])
    >>> bool(leak(0.8) < leak(0.0) / 2)
    True
    """


class FairICPClassifier(_FairICP, FairNetworkClassifier):
    r"""Classification network whose predictions tell nothing of A that Y does not.

    As `FairICPRegressor`, with the cross-entropy as the loss :math:`L_f`. The discriminator sees
    the log-odds (a logit a class for more than two). Any number of classes.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        Its outputs are the log-odds of the second class (one column), or a logit a class.
    hidden_layer_sizes, mu, discrepancy, resampling, density
        As in `FairICPRegressor`.
    discriminator_hidden_layer_sizes, max_epochs, batch_size, lr, discriminator_lr, weight_decay
        As in `FairICPRegressor`.
    early_stopping, validation_fraction, patience, max_restarts, device
        As in `FairICPRegressor`.
    sensitive_columns, drop_sensitive_columns, verbose, random_state
        As in `FairICPRegressor`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    module_, history_, loss_curve_, n_iter_, n_restarts_, best_epoch_
        As in `FairICPRegressor`.
    sensitive_encoder_, device_, n_features_in_
        As in `FairICPRegressor`.

    References
    ----------
    Lai and Guan, FairICP: Encouraging Equalized Odds via Inverse Conditional Permutation.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fairsk import FairICPClassifier
    >>> from fairsk.datasets import load_compas
    >>> X, y, A = load_compas(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> model = FairICPClassifier(mu=0.9, max_epochs=5, batch_size=256, random_state=0)
    >>> model = model.fit(X, y, sensitive_features=A)
    >>> model.predict_proba(X[:2]).shape
    (2, 2)
    """
