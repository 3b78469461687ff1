"""Cosine margins: classes kept apart on a sphere, further apart for the group to protect."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from fairsk.base import check_group_values, values_by_group
from fairsk.neural._base import TrainingRows
from fairsk.neural._checks import check_positive_integers, check_positive_numbers
from fairsk.neural._tasks import FairNetworkClassifier
from fairsk.utils import OPTIMIZERS, GroupEncoder

# Two cosines cannot be further apart.
MAX_MARGIN = 2.0


class CosineMarginClassifier(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, FairNetworkClassifier
):
    r"""Embedding network with a CosFace head, whose margin may differ by group.

    The network puts a row on the unit sphere, and the head compares it with a direction a class.
    In training, the cosine :math:`\cos\theta_y` of the row's own class is lowered by a margin m, so
    that it has to be larger than the others by that much:

    .. math:: -\log \frac{e^{s(\cos\theta_y - m)}}{e^{s(\cos\theta_y - m)}
        + \sum_{j \neq y} e^{s \cos\theta_j}}.

    A larger margin for the rows of a group makes its classes tighter and further apart. It is a
    training device: predictions are cosines without margins. `transform` gives the embeddings, for
    the identification of classes that were not there in fit.

    Parameters
    ----------
    module : torch.nn.Module or callable, default=None
        The embedding network, with `embedding_size` outputs: a module (a copy is trained, from its
        weights), a callable (n_features, embedding_size) -> module, or None for a network of
        `hidden_layer_sizes`. The outputs are normalised.
    hidden_layer_sizes : sequence of int, default=(64,)
        Widths of the default network, with ReLU between; empty for a linear embedding.
    embedding_size : int, default=32
    margin : float, default=0.35
        Subtracted from the cosine of a row's class. At most C / (C - 1) for C classes: no C
        directions are further apart than that, all of them from all others.
    group_margins : dict, default=None
        Margins of some groups by their value (the tuple of values for several sensitive features),
        in place of `margin`: ``{"female": 0.75}`` in the paper.
    scale : float, default=64.0
        The factor s of the cosines; 64 is usual for faces. The smaller, the softer the
        probabilities.
    focal_gamma : float, default=0.0
        At 2 the focal loss: each row's loss l times :math:`(1 - e^{-l})^\gamma`, then the mean, so
        that rows that are learned count less. The paper trains with it.
    label_flip : float or dict, default=None
        Share of the labels that are flipped to a random other class in training, for every group or
        by group; drawn afresh in every epoch, as the paper does in every iteration. For the same
        flips in all epochs use `fairsk.LabelFlippingClassifier`.
    label_flip_to : {"any", "group"}, default="any"
        Whether flips are to any other class, or to another one of the row's group.
    max_epochs : int, default=100
    batch_size : int, default=128
    optimizer : {"adam", "sgd"}, default="adam"
    lr : float, default=1e-3
    weight_decay : float, default=0.0
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows, stop after `patience` epochs without a lower
        loss on them (margins included), and keep the best epoch's weights.
    validation_fraction, patience : default=0.1, 10
    max_restarts : int, default=2
        Fresh starts, each with a learning rate of 30 %, after a divergence.
    device : {"cpu", "auto", "cuda"}, default="cpu"
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`; columns are dropped by default.
    verbose : int, default=0
    random_state : int, RandomState instance or None, default=None
        Decides weights, batches and flips. torch's and NumPy's global generators are not touched.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    module_ : torch.nn.Module
        From X to scaled cosines; ``module_.embedding`` is the embedding.
    margins_ : dict
        The margin of each group by name, in training; empty without sensitive features.
    group_encoder_ : GroupEncoder or None
    history_, loss_curve_, n_iter_, n_restarts_, best_epoch_, device_, n_features_in_
        As in `FairICPClassifier`; losses include the margins.

    Warns
    -----
    SensitiveFeaturesWarning
        If fitted without sensitive features: every row has the one `margin`.

    Notes
    -----
    Several sensitive features make intersections. A row whose group is unknown has `margin`.

    A larger margin inflates the loss of its group, whatever the fit: by about s m at the start, so
    that .75 beside .35 adds 25 to a loss of some 30. A penalty on the difference of losses would
    undo exactly that; do not put the two together, and do not compare losses of groups.

    In the paper the larger margin nearly closes the gap on validation rows of the identities that
    were trained on (6.3 to 1.4 points) and doubles it on new identities (4.2 to 8.1): judge it on
    classes that were not there in fit.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks, sections 2.1, 4.4
    and A.2; the printed sum over classes is over those other than the row's.
    Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import CosineMarginClassifier
    >>> rng = np.random.default_rng(0)
    >>> person, X = rng.integers(0, 6, size=300), rng.normal(size=(300, 4))
    >>> X[:, :2] += 3 * np.column_stack([np.cos(person), np.sin(person)])
    >>> sex = np.where(person < 3, "f", "m")
    >>> model = CosineMarginClassifier(
    ...     group_margins={"f": 0.75}, embedding_size=8, max_epochs=20, random_state=0)
    >>> model = model.fit(X, person, sensitive_features=sex)
    >>> model.margins_
    {'f': 0.75, 'm': 0.35}
    >>> model.transform(X).shape, bool(model.score(X, person) > 0.6)
    ((300, 8), True)
    """

    def __init__(
        self,
        module: Any = None,
        hidden_layer_sizes: Sequence[int] = (64,),
        *,
        embedding_size: int = 32,
        margin: float = 0.35,
        group_margins: Any = None,
        scale: float = 64.0,
        focal_gamma: float = 0.0,
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
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.embedding_size = embedding_size
        self.margin = margin
        self.group_margins = group_margins
        self.scale = scale
        self.focal_gamma = focal_gamma
        self.label_flip = label_flip
        self.label_flip_to = label_flip_to
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
        check_positive_integers(self, "embedding_size")
        check_positive_numbers(self, "scale")
        gamma: Any = self.focal_gamma
        if not isinstance(gamma, Real) or not 0 <= float(gamma) < np.inf:
            raise ValueError(f"focal_gamma must be a number >= 0, got {gamma!r}.")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"optimizer must be one of {list(OPTIMIZERS)}, got {self.optimizer!r}."
            )
        self._check_margins(MAX_MARGIN)

    def _check_margins(self, highest: float) -> None:
        what = "what is subtracted from the cosine of a row's class"
        if not isinstance(self.margin, Real):
            raise ValueError(
                f"margin is {what}, one number, got {self.margin!r}; margins by group go to "
                f"group_margins."
            )
        check_group_values(self.margin, 0, highest, name="margin", what=what)
        if self.group_margins is None:
            return
        if not hasattr(self.group_margins, "items"):
            raise ValueError(
                f"group_margins is a dict of margins by group, got {self.group_margins!r}."
            )
        check_group_values(self.group_margins, 0, highest, name="group_margins", what=what)

    # ------------------------------------------------------------------ fit

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        n_classes = len(self.classes_)
        self._check_margins(n_classes / (n_classes - 1))
        self.group_encoder_, self.margins_ = None, {}
        # The first one is of rows of unknown group.
        self._margin_table = np.array([self.margin], dtype=float)
        if rows.features is not None:
            self.group_encoder_ = GroupEncoder().fit(rows.features)
            if self.group_margins is not None:
                self.group_encoder_.check_not_constant()
            family = self.group_encoder_.families_[0]
            margins = values_by_group(
                self.group_margins or {}, family, float(self.margin), name="group_margins"
            )
            self.margins_ = dict(zip(family.labels, margins.tolist(), strict=True))
            self._margin_table = np.append(self._margin_table, margins)
        super()._train(torch, rows)

    def _targets(self, torch: Any, rows: TrainingRows) -> Any:
        """The class of each row, and which margin it has."""
        classes = super()._targets(torch, rows)
        margin = np.zeros(len(rows.y), dtype=np.int64)
        if self.group_encoder_ is not None and rows.features is not None:
            margin = self.group_encoder_.transform(rows.features).codes[:, 0].astype(np.int64) + 1
        return torch.stack([classes, torch.as_tensor(margin).to(self.device_)], dim=1)

    def _loss(self, torch: Any) -> Any:
        from fairsk.neural import _cosine_head

        margins = torch.as_tensor(self._margin_table, dtype=torch.float32).to(self.device_)
        return _cosine_head.margin_loss(margins, float(self.scale), float(self.focal_gamma))

    def _module_builder(self, n_inputs: int) -> Any:
        from fairsk.neural import _cosine_head

        build = super()._module_builder(n_inputs)
        size, n_classes = int(self.embedding_size), len(self.classes_)
        return lambda start: _cosine_head.CosineNetwork(
            build(start), size, n_classes, float(self.scale)
        )

    def _output_widths(self) -> tuple[int, ...]:
        return (int(self.embedding_size),)

    def _output_meaning(self) -> str:
        return f"an embedding as wide as embedding_size={self.embedding_size}"

    def _make_term(
        self, torch: Any, train: TrainingRows, validation: TrainingRows | None, seed: int
    ) -> Any:
        return None

    # ------------------------------------------------------------ transform

    def transform(self, X: Any) -> np.ndarray:
        """Embeddings of length one; compare them by their angles.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, embedding_size)
            float32 for X in float32, else float64.
        """
        self._check_fitted(X)
        return self._outputs(X, self.module_.embedding)

    @property
    def _n_features_out(self) -> int:
        directions: Any = self.module_.directions
        return int(directions.shape[1])
