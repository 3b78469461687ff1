"""MinDiff-IO: equal opportunity of a system of many classifiers for many groups."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state

from fairsk.neural._base import TrainingRows
from fairsk.neural._checks import check_positive_integers
from fairsk.neural._min_diff_pools import (
    GroupPools,
    PoolNames,
    check_min_diff_weight,
    check_share,
    make_pools,
    regulariser_weights,
    usable_pools,
    warn_of_few_rows,
)
from fairsk.neural._thresholded import FairMultiLabelClassifier
from fairsk.neural._thresholds import fixed_log_odds
from fairsk.utils import OPTIMIZERS, MembershipEncoder, check_device, import_torch

REMEDIATIONS = ("interleaved", "overconditioned", "per_task", "direct", None)
CONDITIONS = ("negatives", "positives")
TASK_STREAMS = ("shared", "separate")
GROUP_DRAWS = ("uniform", "gap")
KERNELS = ("gaussian", "laplace")
MIN_KERNEL_LENGTH = 1e-3


@dataclass(frozen=True)
class _PartialState:
    """What one call of `partial_fit` leaves to the next."""

    seed: int
    n_calls: int = 0
    optimizer: Any = None


class MinDiffIOClassifier(FairMultiLabelClassifier):
    r"""Network for many binary tasks whose errors fall on all groups alike, at constant cost.

    A system flags a row when any of its T classifiers does. To equalise its false positive rates
    between the members of each of G groups and all others, MinDiff adds to the cross-entropy

    .. math:: \lambda \sum_t \sum_m R_{t,m}, \quad
        R_{t,m} = \mathrm{MMD}^2(\hat Y_t | Y_t = 0, G_m = 0;\ \hat Y_t | Y_t = 0, G_m = 1),

    the squared maximum mean discrepancy of the predicted probabilities, on rows drawn for the
    purpose: group labels may be rare. That takes T x G streams of rows. Two changes make it one:
    *overconditioning* conditions every task on the system's label :math:`Y = \max_t Y_t`, so that
    all tasks share a stream; *interleaving* draws one group a batch. MinDiff-IO does both.

    Interleaving has the overconditioned objective in expectation only if the drawn group counts G
    times (equation 9 as printed leaves that and :math:`\lambda` out); it does here.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        The network, with a logit a task: a module (a copy is trained, from its weights), a callable
        (n_features, n_tasks) -> module, or None for a network of `hidden_layer_sizes`.
    hidden_layer_sizes : sequence of int, default=(64,)
        Widths of the default network, with ReLU between; empty for a linear model.
    remediation : {"interleaved", "overconditioned", "per_task", "direct", None}
        "interleaved" (default) is MinDiff-IO; "overconditioned" is MinDiff-O, all groups in every
        batch; "per_task" is MinDiff, each task on its own condition; "direct" learns the system's
        label alone, with MinDiff for all groups, and has one output; None is the plain network.
    min_diff_weight : float, dict or array-like, default=1.0
        Weight :math:`\lambda` at least 0: one number; a dict by names of groups, tasks or both
        (others 1); or an array of shape (n_groups, n_tasks), or 1 in place of either. Intersections
        have the smallest weight of their parts. All zero is plain training, bit for bit.
    kernel : {"gaussian", "laplace"}, default="gaussian"
        :math:`\exp(-d^2/l^2)` or :math:`\exp(-|d|/l)`, as in TensorFlow's model-remediation.
    kernel_length : float, default=0.1
        The width l, in units of probability; at least .001.
    condition : {"negatives", "positives"}, default="negatives"
        Equalise false positive rates, or false negative rates.
    overcondition : bool, default=True
        With "interleaved", whether to condition on the system's label as the paper does. With False
        the labels of each task mask the rows of the one stream: the interleaved form of MinDiff's
        own objective, at the same cost, also where hardly any row is negative on every task.
    group_share : float in (0, 1], default=0.25
        Rows of a stream in a batch, as a share of `batch_size`; half from each side. They are added
        to the batch, pass through the network with it, and do not enter the cross-entropy.
    remediate_every : int, default=1
        Remediate every k-th batch only, with k times the weight.
    group_draw : {"uniform", "gap"}, default="uniform"
        How interleaving draws groups: each in turn, in random order; or in proportion to the
        current gap (root of the sum of :math:`R_{t,m}`), weighted back, which goes beyond the
        paper: the objective is the same, its estimate varies less.
    max_intersection : int, default=1
        2 treats the intersection of any two groups as a group too, 3 that of any three.
    task_streams : {"shared", "separate"}, default="shared"
        For "per_task": one stream a group, its rows masked by each task's labels, or the T x G
        streams of the paper, at their cost.
    thresholds : float, array-like or {"fpr", "tpr", "base_rate"}, default=0.5
        Probability over which a task flags, one for all or one each; or what to calibrate on
        `validation_fraction` of the rows, held out: a false positive rate of at most, or a true
        positive rate of at least, `target_rate`, or as many flags as positive labels.
    threshold_level : {"system", "task"}, default="system"
        Whether the rule holds for the system, with one threshold for all tasks, or for each task.
    target_rate : float, default=0.1
    combination : {"max", "noisy_or"}, default="max"
        How tasks make up the system, beyond the paper: it flags where any task does, and ranks by
        the largest margin; or it takes its probability to be :math:`1 - \prod_t (1 - p_t)`, with
        one threshold, which ranks better where tasks seldom hold together. Tasks are trained alike.
    max_epochs : int, default=25
    batch_size : int, default=128
    optimizer : {"sgd", "adam"}, default="sgd"
    lr : float, default=0.1
        The paper's; it suits "sgd". Take about 1e-3 for "adam".
    weight_decay : float, default=0.0
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, stop after `patience` epochs without a better
        objective on them, and keep the best epoch's weights.
    validation_fraction, patience : default=0.1, 10
    max_restarts : int, default=2
        Fresh starts, each with learning rates of 30 %, after a divergence.
    device : {"cpu", "auto", "cuda"}, default="cpu"
        Dense X, labels and the pools of the streams stay on the device.
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`; columns are dropped by default.
    verbose : int, default=0
    random_state : int, RandomState instance or None, default=None
        Decides weights, batches and draws. torch's and NumPy's global generators are not touched.

    Attributes
    ----------
    classes_ : ndarray of shape (2,), or a list of such for several tasks
    task_names_, group_names_ : tuple of str
        Groups with intersections, those left out included.
    remediated_groups_ : tuple of str
        Groups with rows on both sides.
    pool_sizes_ : dict
        Rows (inside, outside) that each group's stream draws from, for every group; by (group,
        task) with separate streams.
    thresholds_ : ndarray of shape (n_tasks,)
    membership_encoder_ : MembershipEncoder
    module_, history_, loss_curve_, n_iter_, n_restarts_, best_epoch_, device_, n_features_in_
        As in `FairICPClassifier`; of each epoch the history also has `gap_<group>`, the sum of
        :math:`R_{t,m}` over tasks.

    Warns
    -----
    SensitiveFeaturesWarning
        If fitted without sensitive features: it is then a plain network.
    FewRowsWarning
        If a group has no rows on one side and is left out, or few on which all tasks are negative.
    ThresholdWarning
        If the thresholds cannot reach the rate that was asked for.

    Notes
    -----
    Sensitive features are columns of 0, 1 and missing, one a group, not exclusive; a column of
    names gives an indicator a name. Missing means unknown: the row trains the tasks and is in no
    stream of that group. A side of which a batch has no row for some task drops that task's term.

    The discrepancy is a V-statistic: its expectation at parity is about 2 (1 - E k) / n for n rows
    a side, and its gradient draws all predictions a little together. Take larger `group_share` or
    batches where that matters.

    References
    ----------
    MinDiff-IO, equations 3, 4 and 7 to 9; definitions 2.1 and 4.1, lemma 4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import MinDiffIOClassifier
    >>> from fairsk.metrics import overall_equal_opportunity_difference
    >>> rng = np.random.default_rng(0)
    >>> group = rng.integers(0, 2, size=2000)
    >>> X = rng.normal(size=(2000, 3)) + group[:, None] * [1.0, 1.0, 0.0]
    >>> Y = (X - group[:, None] * [1.0, 1.0, 0.0] + rng.normal(size=(2000, 3)) > 0.7)[:, :2]
    >>> def gap(weight):
    ...     model = MinDiffIOClassifier(min_diff_weight=weight, max_epochs=10, random_state=0)
    ...     model.fit(X, Y, sensitive_features=group)
    ...     return overall_equal_opportunity_difference(
    ...         Y.max(axis=1), model.predict_system(X), sensitive_features=group
    ...     )[0]
    >>> bool(gap(1.0) < gap(0.0) / 2)
    True
    """

    _partial: _PartialState | None
    __metadata_request__partial_fit: ClassVar = {"sensitive_features": True}

    def __init__(
        self,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        remediation: str | None = "interleaved",
        min_diff_weight: Any = 1.0,
        kernel: str = "gaussian",
        kernel_length: float = 0.1,
        condition: str = "negatives",
        overcondition: bool = True,
        group_share: float = 0.25,
        remediate_every: int = 1,
        group_draw: str = "uniform",
        max_intersection: int = 1,
        task_streams: str = "shared",
        thresholds: Any = 0.5,
        threshold_level: str = "system",
        target_rate: float = 0.1,
        combination: str = "max",
        max_epochs: int = 25,
        batch_size: int = 128,
        optimizer: str = "sgd",
        lr: float = 0.1,
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
        self.remediation = remediation
        self.min_diff_weight = min_diff_weight
        self.kernel = kernel
        self.kernel_length = kernel_length
        self.condition = condition
        self.overcondition = overcondition
        self.group_share = group_share
        self.remediate_every = remediate_every
        self.group_draw = group_draw
        self.max_intersection = max_intersection
        self.task_streams = task_streams
        self.thresholds = thresholds
        self.threshold_level = threshold_level
        self.target_rate = target_rate
        self.combination = combination
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

    # ------------------------------------------------------------------ fit

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        *,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> MinDiffIOClassifier:
        """Train one more epoch on these rows, from the weights at hand.

        Groups are those of the first call, and those without rows on both sides in this one are
        not remediated by it. Thresholds that are a rule stay at one half until
        `calibrate_thresholds` is called.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        classes : array-like of shape (2,), optional
            Both labels of a single task, where the first rows may lack one.
        sensitive_features, sample_weight
            As in `fit`.

        Returns
        -------
        self
        """
        torch = import_torch(type(self).__name__)
        self._check_parameters()
        first, names = not hasattr(self, "module_"), getattr(self, "task_names_", ())
        inner_X, y, weight, features = self._validated_rows(
            X, y, sensitive_features, sample_weight, reset=first
        )
        if first:
            self._learn_labels(y, classes)
            if features is None:
                self._warn_without_sensitive_features()
        else:
            self.task_names_ = names
        rows = TrainingRows(inner_X, self._known_tasks(y), weight, features)
        self.device_ = check_device(self.device)
        state = getattr(self, "_partial", None)
        if state is None:
            # Drawn once: each call then has a seed of its own, whatever random_state is.
            state = _PartialState(check_random_state(self.random_state).randint(2**31 - 1))
        self._partial = replace(state, n_calls=state.n_calls + 1)
        seeds = np.random.RandomState([state.seed, state.n_calls]).randint(2**31 - 1, size=2)
        if first:
            build = self._module_builder(inner_X.shape[1])
        else:
            build = partial(_copy_for_start, self.module_)
        settings = replace(self._settings(), max_epochs=1, early_stopping=False, max_restarts=0)
        result = self._learn(torch, build, rows, None, seeds, settings, state.optimizer)
        self._partial = replace(self._partial, optimizer=result.optimizer_state)
        return self

    def _learn_labels(self, y: np.ndarray, classes: Any) -> None:
        """Classes and thresholds, from the first rows of `partial_fit`."""
        if y.ndim == 2:
            self._encode_tasks(y, warn=False)
        else:
            labels = np.unique(y if classes is None else np.asarray(classes))
            if len(labels) != 2:
                raise ValueError(
                    f"{type(self).__name__} needs two classes, got {labels.tolist()}. Name both in "
                    f"classes= where the first rows have one only."
                )
            self.classes_ = labels
        self._set_thresholds(fixed_log_odds(self.thresholds, self.n_tasks_))

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        self._partial = None
        super()._train(torch, rows)

    def _joins_tasks(self) -> bool:
        return self.remediation == "direct"

    # ------------------------------------------------------------ the term

    def _make_term(
        self, torch: Any, train: TrainingRows, validation: TrainingRows | None, seed: int
    ) -> Any:
        if self.remediation is None:
            return None
        # Further rows of partial_fit may lack a group: that is no news.
        is_new = self._partial is None or not hasattr(self, "membership_encoder_")
        if is_new:
            self.membership_encoder_ = MembershipEncoder(int(self.max_intersection))
            self.membership_encoder_.fit(train.features)
            self.group_names_ = self.membership_encoder_.names_
        weights = regulariser_weights(
            self.min_diff_weight,
            groups=self.group_names_,
            parts=self.membership_encoder_.parts_,
            tasks=self.task_names_,
        )
        pools, counts = self._all_pools(train)
        of_pools = [weights[p.group] if p.task < 0 else weights[p.group, [p.task]] for p in pools]
        kept = [k for k, weight in enumerate(of_pools) if weight.any()]
        if not kept:
            return None
        if is_new:
            self._report_pools(train, pools)
        kept = [k for k in kept if len(pools[k].inside) and len(pools[k].outside)]
        if not kept:
            return None
        return self._build_term(
            torch,
            [pools[k] for k in kept],
            np.stack([of_pools[k] for k in kept]),
            counts,
            seed,
            train,
            validation,
        )

    def _build_term(
        self,
        torch: Any,
        pools: list[GroupPools],
        weights: np.ndarray,
        counts: np.ndarray | None,
        seed: int,
        train: TrainingRows,
        validation: TrainingRows | None,
    ) -> Any:
        from fairsk.neural import _min_diff_term, _mmd, _streams

        def tensor(values: Any) -> Any:
            return torch.as_tensor(values).to(self.device_)

        def single(values: np.ndarray | None) -> Any:
            return None if values is None else tensor(values.astype(np.float32))

        def streams_of(chosen: Sequence[GroupPools]) -> list[tuple[Any, Any]]:
            return [(tensor(p.inside), tensor(p.outside)) for p in chosen]

        held_out = None
        if validation is not None and self.early_stopping:
            # Those without rows among the validation rows count as fair.
            found, held_counts = self._all_pools(validation)
            by_name = {(p.group, p.task): p for p in found}
            held_out = _min_diff_term.HeldOut(
                streams_of([by_name[p.group, p.task] for p in pools]),
                None if held_counts is None else tensor(held_counts),
                single(validation.weight),
            )
        return _min_diff_term.MinDiffTerm(
            _streams.Streams(
                streams_of(pools),
                self._side_rows(),
                draw=self.group_draw if self.remediation == "interleaved" else "all",
                every=int(self.remediate_every),
            ),
            [self.group_names_[p.group] for p in pools],
            single(weights),
            seed,
            kernel=_mmd.KERNELS[self.kernel](float(self.kernel_length)),
            counts=None if counts is None else tensor(counts),
            tasks=tensor([p.task for p in pools]) if pools[0].task >= 0 else None,
            row_weight=single(train.weight),
            held_out=held_out,
        )

    def _report_pools(self, rows: TrainingRows, pools: list[GroupPools]) -> None:
        """Warn of empty and small pools, and keep their sizes."""
        names = PoolNames(
            self.group_names_, self.task_names_, self.condition, self._overconditions()
        )
        self.pool_sizes_ = {names.key(p): (len(p.inside), len(p.outside)) for p in pools}
        kept = usable_pools(pools, names, n_rows=self._side_rows())
        used = sorted({p.group for p in kept})
        self.remediated_groups_ = tuple(self.group_names_[m] for m in used)
        if self._overconditions() and rows.y.shape[1] > 1:
            wide = [p for p in self._all_pools(rows, overcondition=False)[0] if p.group in used]
            warn_of_few_rows(kept, wide, names)

    def _all_pools(
        self, rows: TrainingRows, overcondition: bool | None = None
    ) -> tuple[list[GroupPools], np.ndarray | None]:
        from fairsk.neural import _streams

        if overcondition is None:
            overcondition = self._overconditions()
        encoder = self.membership_encoder_
        base = encoder.base(rows.features)
        members = [encoder.member(base, m) for m in range(len(encoder.parts_))]
        counts = _streams.condition_mask(rows.y, self.condition, overcondition)
        by_task = self.remediation == "per_task" and self.task_streams == "separate"
        pools = make_pools(members, counts, by_task=by_task)
        return pools, None if by_task or counts.shape[1] == 1 else counts

    def _overconditions(self) -> bool:
        if self.remediation == "interleaved":
            return bool(self.overcondition)
        return self.remediation != "per_task"

    def _side_rows(self) -> int:
        """Rows of either side of a stream in a batch."""
        return max(1, round(float(self.group_share) * int(self.batch_size) / 2))

    # ---------------------------------------------------------------- checks

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name, known in (
            ("remediation", REMEDIATIONS),
            ("condition", CONDITIONS),
            ("kernel", KERNELS),
            ("group_draw", GROUP_DRAWS),
            ("task_streams", TASK_STREAMS),
            ("optimizer", tuple(OPTIMIZERS)),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {list(known)}, got {getattr(self, name)!r}."
                )
        check_min_diff_weight(self.min_diff_weight)
        check_share("group_share", self.group_share)
        check_positive_integers(self, "remediate_every", "max_intersection")
        length: Any = self.kernel_length
        if not isinstance(length, int | float) or not MIN_KERNEL_LENGTH <= float(length) < np.inf:
            raise ValueError(
                f"kernel_length is a width in probability, at least {MIN_KERNEL_LENGTH:g}, got "
                f"{length!r}."
            )
        if self.remediation is not None and float(self.group_share) * int(self.batch_size) < 2:
            raise ValueError(
                f"A batch needs one row of either side of a group: group_share={self.group_share:g}"
                f" of batch_size={self.batch_size} is less than 2 rows. Raise either."
            )


def _copy_for_start(module: Any, start: int) -> Any:
    """Not the module itself: a divergence would leave it useless."""
    return copy.deepcopy(module)
