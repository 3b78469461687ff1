"""Features from which a classifier reads the sensitive features no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import type_of_target

from fairsk.base import values_by_group
from fairsk.neural._base import BaseFairNetwork, TrainingRows
from fairsk.neural._checks import check_layer_sizes, check_positive_integers, check_positive_numbers
from fairsk.neural._removal_audit import accuracy_of_fresh, default_auditor, majority_share
from fairsk.utils import OPTIMIZERS, GroupEncoder

OBJECTIVES = ("confusion", "as_published")


class SensitiveInformationRemover(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseFairNetwork
):
    r"""Transformer to features from which the sensitive features cannot be read.

    Two networks play against each other. A sensitive classifier P learns to read the groups from
    :math:`\varphi(x)`, and :math:`\varphi` learns the task while it hides them from P:

    .. math:: \min_\varphi \; L(\varphi(x), y) + \alpha\, KL(\pi \,\|\, P(\cdot | \varphi(x))),
        \qquad \min_P \; L_S(P(\cdot | \varphi(x)), s).

    X may be features, or embeddings of a network trained before, as in the paper. The task is the
    class or the number y, by a linear head that is left away afterwards; without y, it is to
    reconstruct X.

    The features have mean zero and variance one, so that nothing is hidden by being made small.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        :math:`\varphi`, with `n_components` outputs: a module (a copy is trained, from its
        weights), a callable (n_features, n_components) -> module, or None for a network of
        `hidden_layer_sizes`.
    hidden_layer_sizes : sequence of int, default=(64, 64, 64)
        With ReLU between: four linear layers in the paper, by default. Empty for a linear map.
    n_components : int, default=None
        Width of :math:`\varphi(x)`; as many as X has columns by default.
    alpha : float, default=1.0
        Weight of hiding, at least 0. 0 learns the task alone.
    objective : {"confusion", "as_published"}, default="confusion"
        What the network wants P to say. "confusion": of every row the shares :math:`\pi` of the
        groups, which is all that is left to say when nothing can be read. "as_published": that it
        be of the one group s, by :math:`\log(1 + |0.9 - P_s|)`; see the notes.
    target_group : group or dict, default=None
        The group s of "as_published", or a dict of groups by sensitive feature; the largest by
        default.
    sensitive_hidden_layer_sizes : sequence of int, default=(64, 64)
        Of the sensitive classifier, three linear layers in the paper. Each sensitive feature has a
        head of its own.
    sensitive_lr : float, default=5e-3
        Of its Adam.
    sensitive_passes : int, default=4
        Passes over the rows that it is trained for before each epoch of the network. A weak
        classifier is fooled without anything being hidden.
    auditor : classifier, default=None
        The fresh classifier of `sensitive_accuracy_`; by default a multilayer perceptron of the
        same size on standardised features.
    max_epochs : int, default=100
    batch_size : int, default=128
    optimizer : {"adam", "sgd"}, default="adam"
    lr : float, default=1e-3
    weight_decay : float, default=0.0
    early_stopping : bool, default=False
        Stop after `patience` epochs in which the objective on the rows held out has not improved,
        and keep the best epoch's weights. The classifier's part in it is noisy: give it patience.
    validation_fraction : float, default=0.2
        Rows held out, wherever there are sensitive features: `sensitive_accuracy_` is measured on
        them.
    patience, max_restarts, device
        As in `FairICPClassifier`.
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`; columns are dropped by default.
    verbose : int, default=0
    random_state : int, RandomState instance or None, default=None
        Decides weights, batches, rows held out and the auditor. torch's and NumPy's global
        generators are not touched.

    Attributes
    ----------
    sensitive_accuracy_ : dict
        For each sensitive feature, the accuracy on held-out rows of a fresh classifier, trained on
        :math:`\varphi(x)` of the training rows; NaN where these have one group.
    sensitive_accuracy_before_ : dict
        The same of one trained on X.
    majority_share_ : dict
        The same of always naming the largest group of the training rows: what accuracy is left when
        nothing can be read.
    task_ : {"classification", "regression", "reconstruction"}
    classes_ : ndarray of shape (n_classes,)
        Only for classification.
    group_encoder_ : GroupEncoder or None
    module_ : torch.nn.Module
        ``module_.body`` is :math:`\varphi`, ``module_.head`` the task's.
    history_ : list of dict
        Of each epoch: the task's `loss`, the `penalty` and the classifier's `sensitive_loss`.
    loss_curve_, n_iter_, n_restarts_, best_epoch_, device_, n_features_in_
        As in `FairICPClassifier`.

    Warns
    -----
    SensitiveFeaturesWarning
        If fitted without sensitive features: nothing is hidden.

    Notes
    -----
    Why not the published objective: its gradient turns round where :math:`P_s` passes .9, and
    vanishes at a row that P is sure is of another group, which is the row to change; and .9 is no
    equilibrium, since P answers features without information by the shares of the groups. It makes
    every other group look like s, and the paper finds that their accuracy pays for it.

    That P reads nothing does not mean that nothing is there: `sensitive_accuracy_` asks a fresh
    classifier, and another kind may read more. Features without sensitive information do not make
    fair decisions either, where base rates differ: the errors of groups then have to differ
    (section 5 of the paper).

    Sparse X without y is made dense, as the thing to reconstruct.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks, sections 5 and A.2.
    Morales et al., SensitiveNets, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import SensitiveInformationRemover
    >>> rng = np.random.default_rng(0)
    >>> sex, y = rng.integers(0, 2, size=(2, 1000))
    >>> X = rng.normal(size=(1000, 4)) + 2 * np.column_stack([sex, y, sex + y, 0 * y])
    >>> remover = SensitiveInformationRemover(n_components=3, max_epochs=40, random_state=0)
    >>> remover = remover.fit(X, y, sensitive_features=sex)
    >>> remover.transform(X).shape
    (1000, 3)
    >>> [before] = remover.sensitive_accuracy_before_.values()
    >>> [after] = remover.sensitive_accuracy_.values()
    >>> before > 0.85 > 0.65 > after
    True
    """

    def __init__(
        self,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64, 64, 64),
        *,
        n_components: int | None = None,
        alpha: float = 1.0,
        objective: str = "confusion",
        target_group: Any = None,
        sensitive_hidden_layer_sizes: Sequence[int] = (64, 64),
        sensitive_lr: float = 5e-3,
        sensitive_passes: int = 4,
        auditor: Any = None,
        max_epochs: int = 100,
        batch_size: int = 128,
        optimizer: str = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
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
        self.n_components = n_components
        self.alpha = alpha
        self.objective = objective
        self.target_group = target_group
        self.sensitive_hidden_layer_sizes = sensitive_hidden_layer_sizes
        self.sensitive_lr = sensitive_lr
        self.sensitive_passes = sensitive_passes
        self.auditor = auditor
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

    def _check_parameters(self) -> None:
        super()._check_parameters()
        alpha, size = self.alpha, self.n_components
        if not isinstance(alpha, Real) or not 0 <= float(alpha) < np.inf:
            raise ValueError(f"alpha is the weight of hiding, at least 0, got {alpha!r}.")
        if self.objective not in OBJECTIVES:
            raise ValueError(
                f"objective must be one of {list(OBJECTIVES)}, got {self.objective!r}."
            )
        if self.target_group is not None and self.objective != "as_published":
            raise ValueError("target_group goes with objective='as_published' only.")
        if size is not None and (not isinstance(size, Integral) or int(size) < 1):
            raise ValueError(f"n_components must be an integer >= 1 or None, got {size!r}.")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"optimizer must be one of {list(OPTIMIZERS)}, got {self.optimizer!r}."
            )
        if int(self.batch_size) < 2:
            raise ValueError("batch_size must be at least 2: features are standardised by batch.")
        check_layer_sizes("sensitive_hidden_layer_sizes", self.sensitive_hidden_layer_sizes)
        check_positive_numbers(self, "sensitive_lr")
        check_positive_integers(self, "sensitive_passes")

    # ------------------------------------------------------------------ fit

    def fit(
        self, X: Any, y: Any = None, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> SensitiveInformationRemover:
        """Train the network against the sensitive classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, dense or sparse, best standardised; or embeddings.
        y : array-like of shape (n_samples,), optional
            The task whose information is kept: classes, or continuous numbers.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Groups of any discrete type; several are hidden each on its own. A row with a missing
            value trains the task and is left out of that feature's part.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If torch is not installed.
        ValueError, TypeError
            Before training starts, for inputs or parameters that cannot work.
        FloatingPointError
            If training diverged in every start.
        """
        return super().fit(X, y, sensitive_features=sensitive_features, sample_weight=sample_weight)

    def _validated_rows(
        self, X: Any, y: Any, sensitive_features: Any, sample_weight: Any, *, reset: bool = True
    ) -> Any:
        self.task_ = "reconstruction" if y is None else _kind_of_task(y)
        if y is None:
            # A placeholder, to be replaced by X itself once it is validated.
            y = np.zeros(X.shape[0] if hasattr(X, "shape") else len(X))
        inner_X, y, weight, features = super()._validated_rows(
            X, y, sensitive_features, sample_weight, reset=reset
        )
        if self.task_ == "reconstruction":
            y = inner_X.toarray() if hasattr(inner_X, "toarray") else inner_X
        return inner_X, y, weight, features

    def _check_target(self, y: Any) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y", estimator_name=type(self).__name__)
        return y

    def _encode_target(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        if self.task_ == "classification":
            self.classes_, codes = np.unique(y, return_inverse=True)
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y has one class only: {self.classes_[0]}. Give a y with information to "
                    f"keep, or none at all to reconstruct X."
                )
            return codes
        y = y.astype(np.float64).reshape(len(y), -1)
        mean = np.average(y, axis=0, weights=weight)
        spread = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))
        return (y - mean) / np.where(spread > 1e-12 * np.maximum(1, np.abs(mean)), spread, 1.0)

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        self.group_encoder_ = None
        self._n_task_outputs = self._count_task_outputs(rows.y)
        self._n_components = int(self.n_components or rows.X.shape[1])
        if rows.features is not None:
            self.group_encoder_ = GroupEncoder("independent").fit(rows.features)
            self.group_encoder_.check_not_constant()
            self._target_codes = self._find_targets()
        super()._train(torch, rows)

    def _count_task_outputs(self, y: np.ndarray) -> int:
        if self.task_ != "classification":
            return y.shape[1]
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _find_targets(self) -> list[int | None]:
        """The group of each sensitive feature that rows are to look like; None for the largest."""
        assert self.group_encoder_ is not None
        families = self.group_encoder_.families_
        names = [family.features[0] for family in families]
        given = self.target_group
        if given is None:
            given = {}
        elif not isinstance(given, Mapping):
            if len(names) > 1:
                raise ValueError(
                    f"There are several sensitive features; give target_group as a dict of groups "
                    f"by feature, of {names}, got {given!r}."
                )
            given = {names[0]: given}
        unknown = [name for name in given if name not in names]
        if unknown:
            raise ValueError(f"target_group names {unknown}; the sensitive features are {names}.")
        found: list[int | None] = []
        for name, family in zip(names, families, strict=True):
            if name not in given:
                found.append(None)
                continue
            marked = values_by_group({given[name]: 1.0}, family, 0.0, name="target_group")
            found.append(int(marked.argmax()))
        return found

    def _split_rows(
        self, rows: TrainingRows, seed: int
    ) -> tuple[TrainingRows, TrainingRows | None]:
        if rows.features is None and not self.early_stopping:
            return rows, None
        return super()._split_rows(rows, seed)

    def _holds_out(self) -> bool:
        return True

    def _learn(
        self,
        torch: Any,
        build: Any,
        train: TrainingRows,
        validation: TrainingRows | None,
        seeds: np.ndarray,
        settings: Any,
        optimizer_state: Any = None,
    ) -> Any:
        stop_by = validation if self.early_stopping else None
        result = super()._learn(torch, build, train, stop_by, seeds, settings, optimizer_state)
        if validation is not None and train.features is not None:
            self._audit(train, validation, int(seeds[1]))
        return result

    def _module_builder(self, n_inputs: int) -> Any:
        from fairsk.neural import _removal_term

        build = super()._module_builder(n_inputs)
        n_components, n_task_outputs = self._n_components, self._n_task_outputs
        return lambda start: _removal_term.RemovalNetwork(
            build(start), n_components, n_task_outputs
        )

    def _output_widths(self) -> tuple[int, ...]:
        return (self._n_components,)

    def _output_meaning(self) -> str:
        return f"the new features, as many as n_components={self._n_components}"

    def _loss(self, torch: Any) -> Any:
        functional, first = torch.nn.functional, self._n_components

        def binary(outputs: Any, y: Any) -> Any:
            return functional.binary_cross_entropy_with_logits(
                outputs[:, first], y.to(outputs.dtype), reduction="none"
            )

        def multiclass(outputs: Any, y: Any) -> Any:
            return functional.cross_entropy(outputs[:, first:], y, reduction="none")

        def squared(outputs: Any, y: Any) -> Any:
            return (outputs[:, first:] - y).square().mean(dim=1)

        if self.task_ != "classification":
            return squared
        return binary if self._n_task_outputs == 1 else multiclass

    def _make_term(
        self, torch: Any, train: TrainingRows, validation: TrainingRows | None, seed: int
    ) -> Any:
        from fairsk.neural import _removal_term

        if self.alpha == 0:
            return None
        codes, priors, targets = self._codes(train), [], []
        assert self.group_encoder_ is not None
        weight = np.ones(len(codes)) if train.weight is None else train.weight
        for k, family in enumerate(self.group_encoder_.families_):
            known = codes[:, k] >= 0
            share = np.bincount(codes[known, k], weight[known], len(family))
            # A group that is not among the training rows has no logarithm.
            share = np.maximum(share, 1e-6 * max(share.sum(), 1.0))
            priors.append(torch.as_tensor(share / share.sum(), dtype=torch.float32))
            target = self._target_codes[k]
            targets.append(int(share.argmax()) if target is None else target)
        return _removal_term.RemovalTerm(
            float(self.alpha),
            self._sensitive_rows(torch, train),
            None if validation is None else self._sensitive_rows(torch, validation),
            self._n_components,
            [prior.to(self.device_) for prior in priors],
            targets if self.objective == "as_published" else None,
            seed,
            hidden_layer_sizes=self.sensitive_hidden_layer_sizes,
            lr=float(self.sensitive_lr),
            n_passes=int(self.sensitive_passes),
            batch_size=int(self.batch_size),
        )

    def _codes(self, rows: TrainingRows) -> np.ndarray:
        assert self.group_encoder_ is not None and rows.features is not None
        return self.group_encoder_.transform(rows.features).codes

    def _sensitive_rows(self, torch: Any, rows: TrainingRows) -> Any:
        from fairsk.neural import _removal_term

        weight = None
        if rows.weight is not None:
            weight = torch.as_tensor(rows.weight, dtype=torch.float32).to(self.device_)
        codes = torch.as_tensor(self._codes(rows).astype(np.int64)).to(self.device_)
        return _removal_term.SensitiveCodes(codes, weight)

    # ---------------------------------------------------------------- audit

    def _audit(self, train: TrainingRows, held_out: TrainingRows, seed: int) -> None:
        """What fresh classifiers read on held-out rows, before and after."""
        assert self.group_encoder_ is not None
        auditor = self.auditor
        if auditor is None:
            auditor = default_auditor(self.sensitive_hidden_layer_sizes, seed)
        codes, held_out_codes = self._codes(train), self._codes(held_out)
        after, held_out_after = self._features_of(train.X), self._features_of(held_out.X)
        self.sensitive_accuracy_: dict[str, float] = {}
        self.sensitive_accuracy_before_: dict[str, float] = {}
        self.majority_share_: dict[str, float] = {}
        for k, name in enumerate(self.group_encoder_.names_):
            known, held_out_known = codes[:, k], held_out_codes[:, k]
            self.majority_share_[name] = majority_share(known, held_out_known)
            self.sensitive_accuracy_[name] = accuracy_of_fresh(
                auditor, after, held_out_after, known, held_out_known
            )
            self.sensitive_accuracy_before_[name] = accuracy_of_fresh(
                auditor, train.X, held_out.X, known, held_out_known
            )

    # ------------------------------------------------------------ transform

    def transform(self, X: Any) -> np.ndarray:
        r"""The features :math:`\varphi(x)`; the sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            float32 for X in float32, else float64.
        """
        self._check_fitted(X)
        return self._outputs(X, self.module_.body)

    def _features_of(self, inner_X: Any) -> np.ndarray:
        return self._module_outputs(inner_X, self.module_.body)

    @property
    def _n_features_out(self) -> int:
        return self._n_components

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


def _kind_of_task(y: Any) -> str:
    kind = type_of_target(y, input_name="y")
    if kind in ("binary", "multiclass"):
        return "classification"
    if kind == "continuous":
        return "regression"
    raise ValueError(f"Unknown label type: {kind}. y must be classes or numbers, one a row.")
