"""Search between a setting that is too loose and one that is too tight."""

from __future__ import annotations

import numpy as np

# Regula falsi stays this far from either end, so that every step narrows the bracket.
_LEAST_STEP = 0.05


class BracketSearch:
    """Find a point on a segment at which constraints are met, but not by more than they have to be.

    Points are arrays of any one shape, from too loose to too tight. A point is judged by its
    excesses, by how far each constraint is above its upper and below its lower limit. One that
    violates a limit is too loose, unless it violates nothing but the opposite of what the loose
    end violates: then it has gone too far. New points come from regula falsi with the Illinois
    weights: an end that is kept twice counts for half, so that both ends move.

    Parameters
    ----------
    lowest, highest : float
        A worst excess between the two is good enough; ``lowest < highest``.

    Examples
    --------
    >>> search = BracketSearch(-0.01, 0.0)
    >>> search.add(np.array([0.0]), np.array([[0.3], [-0.5]]))
    >>> search.between() is None
    True
    >>> search.add(np.array([1.0]), np.array([[-0.3], [0.1]]))
    >>> search.between().round(2)
    array([0.51])
    """

    def __init__(self, lowest: float, highest: float) -> None:
        self.lowest = lowest
        self.highest = highest
        self._aim = (lowest + highest) / 2
        self._loose: tuple[np.ndarray, float] | None = None
        self._tight: tuple[np.ndarray, float] | None = None
        self._violated: np.ndarray | None = None
        self._last_was_loose: bool | None = None

    def accepts(self, excesses: np.ndarray) -> bool:
        """Whether a point of these excesses, as in `add`, is good enough.

        One that has gone so far that the opposite limit is what it is near to is not.
        """
        near = excesses >= self.lowest
        return bool(excesses.max() <= self.highest and (near & ~self._overshot(excesses)).any())

    def add(self, point: np.ndarray, excesses: np.ndarray) -> None:
        """Note a point that is not good enough; it replaces the end that it is like.

        Parameters
        ----------
        point : ndarray
        excesses : ndarray of shape (2, n_constraints)
            Above the upper limits and below the lower ones.
        """
        violated = excesses > self.highest
        if (violated & ~self._overshot(excesses)).any():
            self._violated = violated
            self._keep(point, float(excesses.max()) - self._aim, True)
        else:
            watched = excesses if self._violated is None else excesses[self._violated]
            self._keep(point, float(watched.max()) - self._aim, False)

    def _overshot(self, excesses: np.ndarray) -> np.ndarray:
        """Limits that are opposite to those the loose end violates."""
        if self._violated is None:
            return np.zeros(excesses.shape, dtype=bool)
        return self._violated[::-1] & ~self._violated

    def add_too_tight(self, point: np.ndarray) -> None:
        """Note a point so tight that it could not be tried."""
        self._keep(point, -np.inf, False)

    def _keep(self, point: np.ndarray, distance: float, is_loose: bool) -> None:
        again = is_loose == self._last_was_loose
        if is_loose:
            self._loose = (point, distance)
            if again and self._tight is not None:
                self._tight = (self._tight[0], self._tight[1] / 2)
        else:
            self._tight = (point, distance)
            if again and self._loose is not None:
                self._loose = (self._loose[0], self._loose[1] / 2)
        self._last_was_loose = is_loose

    def between(self) -> np.ndarray | None:
        """The next point to try; None as long as one of the ends is missing."""
        if self._loose is None or self._tight is None:
            return None
        (loose, above), (tight, below) = self._loose, self._tight
        share = 0.5 if np.isinf(below) else above / (above - below)
        share = float(np.clip(share, _LEAST_STEP, 1 - _LEAST_STEP))
        return (1 - share) * loose + share * tight
