"""Is it independent given Y: conditional densities, permutation samplers, dependence, the test."""

from fairsk.independence._classifier import ClassifierDensity
from fairsk.independence._cross_fit import cross_fit_conditional
from fairsk.independence._defaults import default_density
from fairsk.independence._density import (
    Conditional,
    ConditionalDensity,
    ExponentialFamilyConditional,
    TableConditional,
)
from fairsk.independence._density_check import DensityCheck, density_check
from fairsk.independence._equalized_odds_kpc import equalized_odds_kpc
from fairsk.independence._equalized_odds_test import DensityMisfitWarning, equalized_odds_test
from fairsk.independence._flow import MaskedAutoregressiveFlow
from fairsk.independence._gaussian import GaussianConditional, LinearGaussianDensity
from fairsk.independence._heteroscedastic import HeteroscedasticGaussianDensity
from fairsk.independence._hgr import hgr_correlation
from fairsk.independence._kernel_partial_correlation import kernel_partial_correlation
from fairsk.independence._known import KnownGaussianDensity
from fairsk.independence._kpc_report import (
    KernelPartialCorrelation,
    kernel_partial_correlation_report,
)
from fairsk.independence._mixing import MixingReport, mixing_diagnostic
from fairsk.independence._mixture_density import MixtureDensityNetwork
from fairsk.independence._permutation import ConditionalPermutation, InverseConditionalPermutation
from fairsk.independence._selected import CrossValidatedDensity
from fairsk.independence._test_results import EqualizedOddsTest, EqualizedOddsTests

__all__ = [
    "ClassifierDensity",
    "Conditional",
    "ConditionalDensity",
    "ConditionalPermutation",
    "CrossValidatedDensity",
    "DensityCheck",
    "DensityMisfitWarning",
    "EqualizedOddsTest",
    "EqualizedOddsTests",
    "ExponentialFamilyConditional",
    "GaussianConditional",
    "HeteroscedasticGaussianDensity",
    "InverseConditionalPermutation",
    "KernelPartialCorrelation",
    "KnownGaussianDensity",
    "LinearGaussianDensity",
    "MaskedAutoregressiveFlow",
    "MixingReport",
    "MixtureDensityNetwork",
    "TableConditional",
    "cross_fit_conditional",
    "default_density",
    "density_check",
    "equalized_odds_kpc",
    "equalized_odds_test",
    "hgr_correlation",
    "kernel_partial_correlation",
    "kernel_partial_correlation_report",
    "mixing_diagnostic",
]
