"""A penalty tried out before training."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fairsk.neural._min_diff_pools import FewRowsWarning
from fairsk.neural._penalties import FairnessPenalty, GroupMeanPenalty

# Rows on which a penalty is tried out.
TRIAL_ROWS = 4_096


def check_penalty(
    torch: Any,
    penalty: FairnessPenalty,
    labelled: Any,
    rows: np.ndarray,
    n_outputs: int,
    names: Sequence[str],
    seed: int,
) -> None:
    """Try the penalty on random outputs: it gives a scalar, and there is something to compare.

    Raises
    ------
    ValueError

    Warns
    -----
    FewRowsWarning
    """
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(len(rows), n_outputs, generator=generator).to(labelled.groups.device)
    places = torch.as_tensor(rows).to(labelled.groups.device)
    if isinstance(penalty, GroupMeanPenalty):
        batch = labelled.batch(outputs, places)
        means = batch.group_means(*penalty.rows(batch))
        if not bool(means.comparable.any()):
            raise ValueError(
                f"The penalty {penalty.name!r} has nothing to compare: no two groups of "
                f"{list(names)} have rows that it is defined for."
            )
        lacking = (~means.present).sum(1).tolist()
        gone = [f"{name!r}" for name, n in zip(names, lacking, strict=True) if n]
        if gone:
            warnings.warn(
                f"The penalty {penalty.name!r} compares {means.present.shape[1]} means of each "
                f"group, and there are no rows for some of them of the groups "
                f"{', '.join(gone[:10])}{' and more' if len(gone) > 10 else ''}: left out.",
                FewRowsWarning,
                stacklevel=7,
            )
    some = torch.randperm(len(rows), generator=generator)[:TRIAL_ROWS].to(places.device)
    outputs, places = outputs[some].requires_grad_(), places[some]
    try:
        value = penalty(labelled.batch(outputs, places))
    except Exception as error:
        raise ValueError(
            f"The penalty {penalty.name!r} fails on a batch of {len(places)} rows: {error}"
        ) from error
    shape = getattr(value, "shape", None)
    if not isinstance(value, torch.Tensor) or value.ndim != 0:
        raise ValueError(
            f"The penalty {penalty.name!r} must return a scalar tensor, of shape (), got "
            f"{type(value).__name__}{'' if shape is None else f' of shape {tuple(shape)}'}. "
            f"Reduce it by .mean() or .sum()."
        )
    if not bool(torch.isfinite(value)):
        raise ValueError(
            f"The penalty {penalty.name!r} is {float(value.detach())} on a batch of "
            f"{len(places)} rows. Guard its divisions and logarithms."
        )
    if not value.requires_grad:
        raise ValueError(
            f"The penalty {penalty.name!r} does not depend on batch.outputs: it was detached or "
            f"rounded, or no two groups have rows that it is defined for."
        )
