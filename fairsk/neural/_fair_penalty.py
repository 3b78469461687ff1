"""Networks trained with a penalty on unfairness beside the task loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fairsk.neural._multilabel import FairTasksClassifier
from fairsk.neural._penalised import PenalisedNetwork
from fairsk.neural._tasks import FairNetworkRegressor


class FairPenaltyClassifier(PenalisedNetwork, FairTasksClassifier):
    r"""Classification network trained on its loss and a penalty on unfairness.

    .. math:: \min_\theta \; \hat L(f_\theta) + \alpha \, P(f_\theta),

    where the penalty compares groups in every batch: by losses, by error rates or by any fairness
    notion, with probabilities in the place of decisions. It is what the paper tries on deep
    networks, and finds to be satisfied on the rows trained on while the gap on others stays: a
    network that interpolates its rows is fair on them whatever it does elsewhere. So look at the
    gap on rows of a validation set, and restrain the network: `weight_decay` and `early_stopping`
    (the penalty counts in what is stopped by). ``penalty_on="holdout"`` is of little help by
    itself, as in the paper.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        The network: a module (a copy is trained, from its weights), a callable
        (n_features, n_outputs) -> module, or None for a network of `hidden_layer_sizes`. Its
        outputs are the log-odds of the second class, a logit a class, or the log-odds of each task.
    hidden_layer_sizes : sequence of int, default=(64,)
        Widths of the default network, with ReLU between; empty for a linear model.
    penalty : str, FairnessNotion, FairnessPenalty or callable, default="equalized_odds"
        - "equal_loss": gap of the groups' mean losses (equation 2).
        - "equalized_odds": gaps of the true and false positive rates (equation 4, with the rates'
          own denominators); "equalized_odds_as_published" has the printed ones.
        - "disparate_impact": one minus the smaller ratio of mean probabilities (equation 6 + 1).
        - "min_max": how far the worst group's loss is above the mean; with ``alpha=1`` training on
          the worst group alone (equation 7).
        - "auc_gap": gap of smooth areas under the ROC curve, the metric the paper reports.
        - the name of any fairness notion, or a `FairnessNotion`: gaps of its rates.
        - a `FairnessPenalty`, or a callable from a `PenaltyBatch` to a scalar tensor.

        For several classes "equal_loss" and "min_max" are defined, for several tasks all: summed
        over tasks, as the losses are.
    alpha : float, default=1.0
        Weight of the penalty, at least 0, and at most 1 for "min_max". 0 is plain training, bit for
        bit.
    groups : {"intersectional", "independent"}, default="intersectional"
        With several sensitive features, the groups of their combinations, or a penalty for each
        feature, which are summed.
    contrast : {"groups", "population"}, default="groups"
        Largest minus smallest value of a group, which for two groups is the paper's; or the mean
        absolute deviation from the value of all, which has a gradient for every group.
    penalty_on : {"train", "holdout"}, default="train"
        The holdout has rows of its own, the same share of every cell of group and label, that the
        task loss never sees; rows of it are drawn for every batch.
    holdout_fraction : float, default=0.1
    penalty_batches : {"plain", "stratified", "interleaved"}, default="plain"
        Which rows the penalty sees in a batch. "plain": the batch's own (random ones of a holdout).
        "stratified": as many rows of each cell of group and label, however rare, weighted back.
        "interleaved": one group against the others, drawn in turn, at the same cost for any number
        of groups; the objective is then the mean over groups of these comparisons. Drawn rows pass
        through the network beside the batch.
    penalty_batch_size : int, default=None
        How many rows are drawn; by default as many as `batch_size`, or with "plain" on the training
        rows none, as the batch's own serve.
    running_average : float in [0, 1), default=0.0
        Take group means over the past batches, each of which keeps this share of its weight in the
        next: the value, and so which group is worse, is that of the average, and the gradient that
        of the current batch. A remedy for few rows a group in a batch; .9 averages about ten.
    label_flip : float or dict, default=None
        Share of the labels that are flipped in training, for every group or by group; drawn afresh
        in every epoch, as in `CosineMarginClassifier`.
    label_flip_to : {"any", "group"}, default="any"
        Whether flips are to any other class, or to another one of the row's group.
    max_epochs : int, default=100
    batch_size : int, default=128
    optimizer : {"adam", "sgd"}, default="adam"
    lr : float, default=1e-3
    weight_decay : float, default=0.0
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, stop after `patience` epochs in which loss plus
        alpha times penalty on them has not improved, and keep the best epoch's weights.
    validation_fraction, patience : default=0.1, 10
    max_restarts : int, default=2
        Fresh starts, each with learning rates of 30 %, after a divergence.
    device : {"cpu", "auto", "cuda"}, default="cpu"
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`; columns are dropped by default.
    verbose : int, default=0
        1 shows a progress bar, 2 leaves it there.
    random_state : int, RandomState instance or None, default=None
        Decides weights, batches, splits and draws. torch's and NumPy's global generators are not
        touched.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such for several tasks
    task_names_ : tuple of str
    group_encoder_ : GroupEncoder or None
    module_, history_, loss_curve_, n_iter_, n_restarts_, best_epoch_, device_, n_features_in_
        As in `FairICPClassifier`; `penalty` in the history is the penalty's mean over batches,
        without alpha, and ``gap_<group>`` that of each comparison with "interleaved".

    Warns
    -----
    SensitiveFeaturesWarning
        If fitted without sensitive features: it is then a plain network.
    FewRowsWarning
        If a group has no rows for one of the penalty's means, such as no positive ones.

    Notes
    -----
    A group that a batch has no row of (or none of a label, where a rate needs it) is left out of
    that batch's comparison; with fewer than two groups left, nothing is compared. With
    `running_average` such a group has the value of past batches.

    The gap of a batch is too large by chance: for exponential losses of two equal groups it is
    .39, .20 and .10 at 8, 32 and 128 rows a group. A larger `penalty_batch_size`, stratified
    batches or `running_average` reduce that.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks: equations 2, 4, 6
    and 7.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import FairPenaltyClassifier, demographic_parity_difference
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(0, 2, size=1000)
    >>> X = rng.normal(size=(1000, 3)) + group[:, None] * [1.0, 0.0, 0.0]
    >>> y = (X.sum(axis=1) + rng.normal(size=1000) > 0.5).astype(int)
    >>> def gap(alpha):
    ...     model = FairPenaltyClassifier(
    ...         penalty="demographic_parity", alpha=alpha, max_epochs=20, lr=0.01, random_state=0
    ...     )
    ...     predicted = model.fit(X, y, sensitive_features=group).predict(X)
    ...     return demographic_parity_difference(y, predicted, sensitive_features=group)
    >>> bool(gap(2.0) < gap(0.0) / 2)
    True
    """

    def __init__(
        self,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        penalty: Any = "equalized_odds",
        alpha: float = 1.0,
        groups: str = "intersectional",
        contrast: str = "groups",
        penalty_on: str = "train",
        holdout_fraction: float = 0.1,
        penalty_batches: str = "plain",
        penalty_batch_size: int | None = None,
        running_average: float = 0.0,
        label_flip: Any = None,
        label_flip_to: str = "any",
        max_epochs: int = 100,
        batch_size: int = 128,
        optimizer: str = "adam",
        lr: float = 1e-3,
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
        super().__init__(
            module,
            hidden_layer_sizes,
            penalty=penalty,
            alpha=alpha,
            groups=groups,
            contrast=contrast,
            penalty_on=penalty_on,
            holdout_fraction=holdout_fraction,
            penalty_batches=penalty_batches,
            penalty_batch_size=penalty_batch_size,
            running_average=running_average,
            max_epochs=max_epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            max_restarts=max_restarts,
            device=device,
            sensitive_columns=sensitive_columns,
            drop_sensitive_columns=drop_sensitive_columns,
            verbose=verbose,
            random_state=random_state,
        )
        self.label_flip = label_flip
        self.label_flip_to = label_flip_to

    def _target_kind(self) -> str:
        if self._is_multilabel():
            return "multilabel"
        return "binary" if len(self.classes_) == 2 else "multiclass"

    def _known_target(self, y: np.ndarray) -> np.ndarray:
        if self._is_multilabel() or y.ndim == 2:
            return self._known_tasks(y)
        codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = sorted(set(y[self.classes_[codes] != y].tolist()))
        if unknown:
            raise ValueError(f"y has the labels {unknown[:5]}, unlike {self.classes_} in fit.")
        return codes


class FairPenaltyRegressor(PenalisedNetwork, FairNetworkRegressor):
    r"""Regression network trained on its squared error and a penalty on unfairness.

    As `FairPenaltyClassifier`, with the penalties that are defined for numbers: "equal_loss" and
    "min_max", on the squared error of the standardised target, or your own.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        With one output: the standardised target.
    hidden_layer_sizes : sequence of int, default=(64,)
    penalty : str, FairnessPenalty or callable, default="equal_loss"
    alpha, groups, contrast, penalty_on, holdout_fraction, penalty_batches, penalty_batch_size
        As in `FairPenaltyClassifier`; strata are groups alone.
    running_average, max_epochs, batch_size, optimizer, lr, weight_decay, early_stopping
        As in `FairPenaltyClassifier`.
    validation_fraction, patience, max_restarts, device, sensitive_columns
        As in `FairPenaltyClassifier`.
    drop_sensitive_columns, verbose, random_state
        As in `FairPenaltyClassifier`.

    Attributes
    ----------
    target_mean_, target_scale_ : float
        Of y: the module predicts the standardised target.
    group_encoder_ : GroupEncoder or None
    module_, history_, loss_curve_, n_iter_, n_restarts_, best_epoch_, device_, n_features_in_
        As in `FairPenaltyClassifier`.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks: equations 2 and 7.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import FairPenaltyRegressor
    >>> rng = np.random.default_rng(0)
    >>> group = (rng.random(1000) < 0.2).astype(int)
    >>> X = rng.normal(size=(1000, 2))
    >>> y = np.where(group == 1, X[:, 1], X[:, 0]) + 0.1 * rng.normal(size=1000)
    >>> def worst(alpha):  # a rare group with another relation: its error is the larger one
    ...     model = FairPenaltyRegressor(
    ...         penalty="min_max", alpha=alpha, max_epochs=20, lr=0.01, random_state=0
    ...     )
    ...     errors = (model.fit(X, y, sensitive_features=group).predict(X) - y) ** 2
    ...     return max(errors[group == g].mean() for g in (0, 1))
    >>> bool(worst(1.0) < 0.8 * worst(0.0))
    True
    """

    def __init__(
        self,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        penalty: Any = "equal_loss",
        alpha: float = 1.0,
        groups: str = "intersectional",
        contrast: str = "groups",
        penalty_on: str = "train",
        holdout_fraction: float = 0.1,
        penalty_batches: str = "plain",
        penalty_batch_size: int | None = None,
        running_average: float = 0.0,
        max_epochs: int = 100,
        batch_size: int = 128,
        optimizer: str = "adam",
        lr: float = 1e-3,
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
        super().__init__(
            module,
            hidden_layer_sizes,
            penalty=penalty,
            alpha=alpha,
            groups=groups,
            contrast=contrast,
            penalty_on=penalty_on,
            holdout_fraction=holdout_fraction,
            penalty_batches=penalty_batches,
            penalty_batch_size=penalty_batch_size,
            running_average=running_average,
            max_epochs=max_epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            max_restarts=max_restarts,
            device=device,
            sensitive_columns=sensitive_columns,
            drop_sensitive_columns=drop_sensitive_columns,
            verbose=verbose,
            random_state=random_state,
        )

    def _target_kind(self) -> str:
        return "regression"

    def _known_target(self, y: np.ndarray) -> np.ndarray:
        return (y - self.target_mean_) / self.target_scale_
