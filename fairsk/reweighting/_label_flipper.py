"""Label flipping: noise in the labels of a group that is served too well."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from fairsk.base import (
    LabelFlips,
    SensitiveFeaturesMixin,
    check_label_flips,
    check_rows,
    make_label_flips,
)
from fairsk.utils import SensitiveFeatures


class BaseLabelFlipper(SensitiveFeaturesMixin, BaseEstimator):
    """What the sampler and the classifier share: checked labels, and the flips of their groups.

    A subclass has the constructor parameters ``p``, ``group``, ``to``, ``sensitive_columns``,
    ``drop_sensitive_columns`` and ``random_state``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    flipped_ : ndarray of int
        Positions of the rows whose labels were flipped.
    """

    p: Any
    group: Any
    to: str
    random_state: Any

    def _check_parameters(self) -> None:
        check_label_flips(self.p, self.group, self.to)

    def _encode_labels(self, y: Any) -> np.ndarray:
        """Labels as codes; sets ``classes_``."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y", estimator_name=type(self).__name__)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            found = f"one class only: {self.classes_[0]}" if len(self.classes_) else "no rows"
            raise ValueError(
                f"{type(self).__name__} needs samples of two classes, but y has {found}."
            )
        return codes

    def _flip(
        self,
        codes: np.ndarray,
        features: SensitiveFeatures | None,
        rows: np.ndarray | None = None,
        stacklevel: int = 4,
    ) -> np.ndarray:
        """Codes with the flips; sets ``flipped_``."""
        if features is None:
            self._warn_without_sensitive_features(stacklevel=stacklevel)
            self.flipped_ = np.zeros(0, dtype=np.intp)
            return codes
        flips: LabelFlips = make_label_flips(
            codes,
            len(self.classes_),
            features,
            p=self.p,
            group=self.group,
            to=self.to,
            rows=rows,
        )
        flipped, self.flipped_ = flips.draw(check_random_state(self.random_state))
        return flipped


class LabelFlipper(BaseLabelFlipper):
    r"""Flip a share of the labels of a group to random other classes.

    Noise in the training labels of the group that a model serves better lowers its accuracy there,
    and so the gap: the paper's "simple baseline" for fairness. It needs no change of the model and
    no penalty, and the trade is plain: :math:`p` of a group's labels are wrong.

    It is a sampler: the rows stay, the labels change, and only while fitting. imbalanced-learn's
    pipelines call it so; `LabelFlippingClassifier` does the same around any classifier, and the
    networks draw fresh flips in every epoch with ``label_flip=``.

    Parameters
    ----------
    p : float in [0, 1] or dict, default=0.1
        Share of each group's labels that are flipped, rounded to whole rows; a dict has a share by
        group (its value, or the tuple of values of several sensitive features), 0 for others.
    group : group, default=None
        The only group that a number `p` is for, so that a search can tune `p`; None is every group.
    to : {"any", "group"}, default="any"
        Whether a label becomes any other class, or another one that its group has. The paper swaps
        male identities only with other male ones, so that women's accuracy is preserved.
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`, but X is returned whole by default.
    random_state : int, RandomState instance or None, default=None
        Decides which rows are flipped, and to what.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    flipped_ : ndarray of int
        Positions of the rows whose labels were flipped.
    n_features_in_ : int

    Warns
    -----
    SensitiveFeaturesWarning
        Without sensitive features nothing is flipped.

    Notes
    -----
    A row with a missing sensitive feature is never flipped. The other classes are drawn uniformly.
    Exactly round(p n) of a group's n rows are drawn, not each with probability p.

    With p = 1/2 and two classes a group's labels are pure noise. In the paper's medical data flips
    of 1 to 10 % gave no clear trend, and lower accuracy throughout; in face recognition flips of
    30 % closed a third of the gap on test data.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks, section 6.
    Chang et al., On Adversarial Bias and the Robustness of Fair Machine Learning, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk import LabelFlipper
    >>> X, y = np.zeros((200, 1)), np.tile(["a", "b"], 100)
    >>> sex = np.repeat(["f", "m"], 100)
    >>> flipper = LabelFlipper(p=0.3, group="m", random_state=0)
    >>> _, flipped = flipper.fit_resample(X, y, sensitive_features=sex)
    >>> np.bincount(flipper.flipped_ >= 100).tolist(), int((flipped != y).sum())
    ([0, 30], 30)
    """

    def __init__(
        self,
        p: Any = 0.1,
        *,
        group: Any = None,
        to: str = "any",
        sensitive_columns: Any = None,
        drop_sensitive_columns: Any = False,
        random_state: Any = None,
    ) -> None:
        self.p = p
        self.group = group
        self.to = to
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.random_state = random_state

    # Of scores there are none.
    __metadata_request__score: ClassVar = {"sensitive_features": False}

    def fit(self, X: Any, y: Any, *, sensitive_features: Any = None) -> LabelFlipper:
        """Check the rows, and draw the flips that `fit_resample` would make.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional

        Returns
        -------
        self
        """
        self._resample(X, y, sensitive_features)
        return self

    def fit_resample(
        self, X: Any, y: Any, *, sensitive_features: Any = None
    ) -> tuple[Any, np.ndarray]:
        """Flip labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Anything; returned as it is, without the sensitive columns if they are to be dropped.
        y : array-like of shape (n_samples,)
            Two or more classes, of any type.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Groups of any discrete type. A row with a missing value keeps its label.

        Returns
        -------
        X : as given
        y : ndarray of shape (n_samples,), or Series with the index of y

        Raises
        ------
        ValueError
            Before any work: for `p` outside [0, 1], a group that is not there, y of one class, or
            rows that do not match.
        """
        return self._resample(X, y, sensitive_features)

    def _resample(self, X: Any, y: Any, sensitive_features: Any) -> tuple[Any, Any]:
        self._check_parameters()
        check_rows(X, y, sensitive_features)
        validate_data(self, X, skip_check_array=True)
        # For its errors only: X goes back as it came.
        check_array(X, accept_sparse=True, dtype=None, ensure_all_finite=False, estimator=self)
        codes = self._encode_labels(y)
        inner_X, features = self._split_sensitive(X, sensitive_features)
        flipped = self.classes_[self._flip(codes, features, stacklevel=5)]
        if type(y).__module__.startswith("pandas"):
            flipped = type(y)(flipped, index=y.index, name=getattr(y, "name", None))
        return inner_X, flipped

    def get_metadata_routing(self) -> Any:
        """What the sampler requests: sensitive features, also where imbalanced-learn routes them.

        Returns
        -------
        MetadataRequest
        """
        requests = super().get_metadata_routing()
        # A method of metadata routing only once imbalanced-learn is imported.
        method = getattr(requests, "fit_resample", None)
        if method is not None and method.requests.get("sensitive_features") is None:
            method.add_request(param="sensitive_features", alias=True)
        return requests

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
