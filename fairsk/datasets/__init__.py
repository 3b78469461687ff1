"""Data sets with sensitive features, and generators whose probabilities are known."""

from __future__ import annotations

from ._acs_income import fetch_acs_income
from ._adult import load_adult
from ._ci_mnist import make_ci_mnist
from ._communities import load_communities
from ._compas import load_compas
from ._fairface import load_fairface
from ._fairicp import make_fairicp_permutation, make_fairicp_simulation
from ._hashed_posts import load_hatexplain, load_mlma
from ._simulated import make_biased_classification

__all__ = [
    "fetch_acs_income",
    "load_adult",
    "load_communities",
    "load_compas",
    "load_fairface",
    "load_hatexplain",
    "load_mlma",
    "make_biased_classification",
    "make_ci_mnist",
    "make_fairicp_permutation",
    "make_fairicp_simulation",
]
