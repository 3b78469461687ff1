"""What networks trained with a penalty share: the penalty, its rows and its checks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from fairsk.neural._base import BaseFairNetwork, TrainingRows
from fairsk.neural._checks import check_positive_integers
from fairsk.neural._penalties import (
    FairnessPenalty,
    GroupMeanPenalty,
    get_penalty,
    list_penalties,
)
from fairsk.neural._penalty_checks import check_penalty
from fairsk.neural._penalty_pools import (
    PenaltyStream,
    interleaved_streams,
    known_share,
    plain_stream,
    rows_per_pool,
    slices_of,
    strata_of,
    stratified_stream,
    with_holdout,
)
from fairsk.utils import OPTIMIZERS, GroupEncoder, Groups, import_torch

PENALTY_ON = ("train", "holdout")
PENALTY_BATCHES = ("plain", "stratified", "interleaved")


class PenalisedNetwork(BaseFairNetwork):
    """A network with a penalty on unfairness beside its task loss.

    A subclass writes `_target_kind` and `_known_target`.
    """

    penalty: Any
    alpha: Any
    groups: Any
    contrast: Any
    penalty_on: Any
    holdout_fraction: Any
    penalty_batches: Any
    penalty_batch_size: Any
    running_average: Any

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
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.penalty = penalty
        self.alpha = alpha
        self.groups = groups
        self.contrast = contrast
        self.penalty_on = penalty_on
        self.holdout_fraction = holdout_fraction
        self.penalty_batches = penalty_batches
        self.penalty_batch_size = penalty_batch_size
        self.running_average = running_average
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
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

    @abstractmethod
    def _target_kind(self) -> str:
        """What y is, as penalties call it."""

    # -------------------------------------------------------------- the rows

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        self.group_encoder_ = None
        if rows.features is not None:
            self.group_encoder_ = GroupEncoder(self.groups).fit(rows.features)
            self.group_encoder_.check_not_constant()
            self._check_target_of_penalty()
        super()._train(torch, rows)

    def _split_rows(
        self, rows: TrainingRows, seed: int
    ) -> tuple[TrainingRows, TrainingRows | None]:
        train, validation = super()._split_rows(rows, seed)
        if self.penalty_on == "holdout" and train.features is not None:
            train = with_holdout(
                train,
                self._groups_of(train),
                strata_of(train.y, self._target_kind()),
                float(self.holdout_fraction),
                seed,
            )
        return train, validation

    def _groups_of(self, rows: TrainingRows) -> Groups:
        assert self.group_encoder_ is not None
        return self.group_encoder_.transform(rows.features, unseen="unknown")

    # -------------------------------------------------------------- the term

    def _make_term(
        self, torch: Any, train: TrainingRows, validation: TrainingRows | None, seed: int
    ) -> Any:
        from fairsk.neural import _penalty_term

        penalty, groups = self._penalty(), self._groups_of(train)
        labelled = self._labelled(torch, train)
        rows = self._penalty_rows(train, groups)
        check_penalty(torch, penalty, labelled, rows, self._n_outputs, groups.labels, seed)
        if self.alpha == 0:
            return None
        streams = self._streams(train, groups, rows)
        penalised = _penalty_term.Penalised(
            penalty,
            labelled,
            self._labelled(torch, validation) if validation is not None else None,
            float(self.running_average),
            [(s.pair, s.weight) for s in streams if s.pair is not None],
        )
        if not streams:
            return _penalty_term.OwnRowsTerm(float(self.alpha), penalised)
        size = self.batch_size if self.penalty_batch_size is None else self.penalty_batch_size
        return _penalty_term.DrawnRowsTerm(
            float(self.alpha),
            penalised,
            streams,
            rows_per_pool(streams[0], int(size)),
            interleaved=self.penalty_batches == "interleaved",
            share=torch.as_tensor(known_share(train, groups), dtype=torch.float32).to(self.device_),
            seed=seed,
        )

    def _penalty_rows(self, train: TrainingRows, groups: Groups) -> np.ndarray:
        """Rows that the penalty is taken of."""
        known = np.flatnonzero(groups.known)
        return known if train.trained is None else np.setdiff1d(known, train.trained)

    def _streams(
        self, train: TrainingRows, groups: Groups, rows: np.ndarray
    ) -> list[PenaltyStream]:
        """What to draw rows from; empty where the batch's own rows do."""
        strata = strata_of(train.y, self._target_kind())
        if self.penalty_batches == "interleaved":
            return interleaved_streams(groups, strata, rows)
        if self.penalty_batches == "stratified":
            return [stratified_stream(groups, strata, rows)]
        if self.penalty_on == "holdout" or self.penalty_batch_size is not None:
            return [plain_stream(groups, rows)]
        return []

    def _labelled(self, torch: Any, rows: TrainingRows) -> Any:
        from fairsk.neural import _penalty_term

        groups, sample = self._groups_of(rows), self._sample(torch, rows)
        weight = sample.weight
        return _penalty_term.LabelledRows(
            sample.y,
            torch.as_tensor(groups.flat_codes()).to(self.device_),
            slices_of(groups),
            torch.ones(len(sample), device=self.device_) if weight is None else weight,
            self._target_kind(),
            self._task_losses(torch),
        )

    # ------------------------------------------------------------ other rows

    def penalty_value(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """The penalty of further rows, all at once and without alpha.

        What is small on the rows trained on and large on others has been overfitted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Needed, unless `sensitive_columns` are read from X. Groups that were not there in fit
            are left out.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
            Zero where there are no two groups to compare.

        Raises
        ------
        ValueError
            If the network was fitted without sensitive features or they are not given, or y has
            labels that were not there in fit.
        """
        self._check_fitted(X)
        torch = import_torch(type(self).__name__)
        names = getattr(self, "task_names_", None)
        inner_X, y, weight, features = self._validated_rows(
            X, y, sensitive_features, sample_weight, reset=False
        )
        if names is not None:
            self.task_names_ = names
        if self.group_encoder_ is None or features is None:
            raise ValueError(
                "A penalty compares groups: give sensitive_features in fit and in penalty_value."
            )
        rows = TrainingRows(inner_X, self._known_target(y), weight, features)
        labelled = self._labelled(torch, rows)
        outputs = torch.as_tensor(self._module_outputs(inner_X)).to(self.device_)
        with torch.no_grad():
            return float(self._penalty()(labelled.batch(outputs, labelled.all_rows())))

    @abstractmethod
    def _known_target(self, y: np.ndarray) -> np.ndarray:
        """The target of further rows as the loss takes it."""

    # ---------------------------------------------------------------- checks

    def _penalty(self) -> FairnessPenalty:
        return get_penalty(self.penalty, self.contrast)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        alpha: Any = self.alpha
        if isinstance(alpha, bool) or not isinstance(alpha, Real) or not 0 <= float(alpha) < np.inf:
            raise ValueError(
                f"alpha is the weight of the penalty, a number of at least 0, got {alpha!r}."
            )
        for name, known in (
            ("penalty_on", PENALTY_ON),
            ("penalty_batches", PENALTY_BATCHES),
            ("optimizer", tuple(OPTIMIZERS)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {list(known)}, got {getattr(self, name)!r}."
                )
        fraction: Any = self.holdout_fraction
        if not isinstance(fraction, Real) or not 0 < float(fraction) < 1:
            raise ValueError(
                f"holdout_fraction is the share of rows kept for the penalty, between 0 and 1, "
                f"got {fraction!r}."
            )
        if self.penalty_batch_size is not None:
            check_positive_integers(self, "penalty_batch_size")
        decay: Any = self.running_average
        if isinstance(decay, bool) or not isinstance(decay, Real) or not 0 <= float(decay) < 1:
            raise ValueError(
                f"running_average is what past batches keep of their weight, at least 0 and below "
                f"1, got {decay!r}."
            )
        self._check_combination(self._penalty())

    def _check_combination(self, penalty: FairnessPenalty) -> None:
        """Refuse settings that this penalty cannot have."""
        if float(self.alpha) > penalty.largest_alpha:
            raise ValueError(
                f"alpha must be at most {penalty.largest_alpha:g} with the penalty "
                f"{penalty.name!r}, got {self.alpha!r}."
            )
        if self.running_average and not isinstance(penalty, GroupMeanPenalty):
            raise ValueError(
                f"running_average={self.running_average!r} needs a penalty on group means (a "
                f"GroupMeanPenalty), which {penalty.name!r} is not. Set running_average=0, or "
                f"take larger batches by penalty_batch_size."
            )
        if self.penalty_batches == "interleaved" and penalty.needs_all_groups:
            raise ValueError(
                f"The penalty {penalty.name!r} needs all groups in a batch, but "
                f"penalty_batches='interleaved' draws one at a time. Set 'stratified'."
            )

    def _check_target_of_penalty(self) -> None:
        penalty, kind = self._penalty(), self._target_kind()
        if kind not in penalty.targets:
            raise ValueError(
                f"The penalty {penalty.name!r} is not defined for a {kind} target, only for "
                f"{list(penalty.targets)}. For this y take one of {list_penalties(kind)}, or a "
                f"callable of your own."
            )
