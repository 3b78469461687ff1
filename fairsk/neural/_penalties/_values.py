"""A value of each group, and how far the groups are apart. Tensors, but torch is not imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Families = tuple[slice, ...]


@dataclass(frozen=True)
class GroupValues:
    """Values of each group, such as mean losses, and of each family's rows together.

    A group without rows has no value: it is not `present`, and comparisons go without it. A family
    of which fewer than two groups are present has nothing to compare: its largest and smallest
    value are then both the overall one, so that every contrast is that of parity with no gradient.

    Attributes
    ----------
    values : tensor of shape (n_groups, n_values)
        Anything finite where not present.
    present : tensor of bool of shape (n_groups, n_values)
    overall : tensor of shape (n_families, n_values)
    families : tuple of slice
        The groups of each family, a partition of the rows known in it.
    known_share : tensor of shape (n_families,) or None
        The share of all rows, by weight, whose group is known in the family.

    Examples
    --------
    >>> import torch
    >>> values = torch.tensor([[0.2, 1.0], [0.5, 9.0], [0.3, 0.0]])
    >>> present = torch.tensor([[True, True], [True, False], [True, False]])
    >>> found = GroupValues(values, present, values.mean(0, keepdim=True), (slice(0, 3),))
    >>> found.gaps()  # the second value has one group only
    tensor([[0.3000, 0.0000]])
    """

    values: Any
    present: Any
    overall: Any
    families: Families
    known_share: Any = None

    @property
    def comparable(self) -> Any:
        """Families with two groups or more present, bool of shape (n_families, n_values)."""
        return _stacked([self.present[f].sum(0) >= 2 for f in self.families])

    def largest(self) -> Any:
        """Largest value of a group, of shape (n_families, n_values)."""
        return self._extreme(float("-inf"))

    def smallest(self) -> Any:
        """Smallest value of a group, of shape (n_families, n_values)."""
        return self._extreme(float("inf"))

    def _extreme(self, absent: float) -> Any:
        found = []
        for family in self.families:
            shown = self.values[family].masked_fill(~self.present[family], absent)
            found.append(shown.amax(0) if absent < 0 else shown.amin(0))
        return _stacked(found).where(self.comparable, self.overall)

    def gaps(self) -> Any:
        """Largest minus smallest value, of shape (n_families, n_values)."""
        return self.largest() - self.smallest()

    def deviations(self) -> Any:
        """Mean absolute deviation of the groups from the overall value, of that shape."""
        found = []
        for family, overall in zip(self.families, self.overall, strict=True):
            present = self.present[family].to(overall.dtype)
            apart = (self.values[family] - overall).abs() * present
            found.append(apart.sum(0) / present.sum(0).clamp(min=1))
        return _stacked(found) * self.comparable.to(self.overall.dtype)

    def contrast(self, kind: str) -> Any:
        """Gaps for "groups", deviations for "population"."""
        return self.gaps() if kind == "groups" else self.deviations()


def group_means(sums: Any, masses: Any, families: Families, known_share: Any = None) -> GroupValues:
    """Means from weighted sums and masses, both of shape (n_groups, n_values)."""
    all_sums = _stacked([sums[family].sum(0) for family in families])
    all_masses = _stacked([masses[family].sum(0) for family in families])
    return GroupValues(
        _quotient(sums, masses),
        masses > 0,
        _quotient(all_sums, all_masses),
        families,
        known_share,
    )


class RunningMeans:
    """Group means over past batches, with the gradient of the current batch alone.

    A batch's few rows per group make its gap large where the groups are equal. So sums and masses
    are averaged over batches, each counting ``decay`` times what the next one does. The value is
    that of the average and so says which group is worse; the gradient is the batch's own, whole
    and not scaled by its small share of the average.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.sums: Any = None
        self.masses: Any = None

    def update(
        self, sums: Any, masses: Any, families: Families, known_share: Any = None
    ) -> GroupValues:
        """Means after one more batch."""
        if self.sums is None:
            self.sums, self.masses = sums.detach(), masses.detach()
        else:
            self.sums = self.decay * self.sums + sums.detach()
            self.masses = self.decay * self.masses + masses.detach()
        batch = group_means(sums, masses, families)
        past = group_means(self.sums, self.masses, families, known_share)
        return GroupValues(
            past.values + (batch.values - batch.values.detach()),
            past.present,
            past.overall + (batch.overall - batch.overall.detach()),
            families,
            known_share,
        )


def _quotient(sums: Any, masses: Any) -> Any:
    # No division by zero: its gradient would be NaN even where the value is not used.
    return sums / masses.where(masses > 0, masses.new_ones(()))


def _stacked(parts: list[Any]) -> Any:
    """Of each family, one below the other."""
    if len(parts) == 1:
        return parts[0][None]
    import torch  # which made the tensors, so it is loaded already

    return torch.stack(parts)
