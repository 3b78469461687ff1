"""Is it independent given Y: conditional densities, permutation samplers, dependence, the test."""

from fairsk.independence._density import (
    Conditional,
    ConditionalDensity,
    ExponentialFamilyConditional,
    TableConditional,
)
from fairsk.independence._flow import MaskedAutoregressiveFlow
from fairsk.independence._mixture_density import MixtureDensityNetwork

__all__ = [
    "Conditional",
    "ConditionalDensity",
    "ExponentialFamilyConditional",
    "MaskedAutoregressiveFlow",
    "MixtureDensityNetwork",
    "TableConditional",
]
