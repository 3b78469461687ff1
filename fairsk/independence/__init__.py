"""Is it independent given Y: conditional densities, permutation samplers, dependence, the test."""

from fairsk.independence._density import (
    Conditional,
    ConditionalDensity,
    ExponentialFamilyConditional,
    TableConditional,
)

__all__ = [
    "Conditional",
    "ConditionalDensity",
    "ExponentialFamilyConditional",
    "TableConditional",
]
