"""Small helpers: sensitive features in, optional imports."""

from fairsk.utils._columns import column_positions, n_columns_of, take_columns
from fairsk.utils._encoding import SensitiveEncoder
from fairsk.utils._groups import GroupEncoder, GroupFamily, Groups
from fairsk.utils._memberships import MembershipEncoder
from fairsk.utils._multiplicity import adjust_benjamini_hochberg, adjust_holm
from fairsk.utils._optional import import_optional
from fairsk.utils._sensitive import (
    SensitiveFeatures,
    check_same_rows,
    check_sensitive_features,
)
from fairsk.utils._skops import skops_trusted_types
from fairsk.utils._tables import html_table, text_table
from fairsk.utils._torch import (
    OPTIMIZERS,
    EarlyStopping,
    FlatAdam,
    FlatSGD,
    check_device,
    import_torch,
    minimise_in_batches,
    private_rng,
    progress_bar,
)

__all__ = [
    "OPTIMIZERS",
    "EarlyStopping",
    "FlatAdam",
    "FlatSGD",
    "GroupEncoder",
    "GroupFamily",
    "Groups",
    "MembershipEncoder",
    "SensitiveEncoder",
    "SensitiveFeatures",
    "adjust_benjamini_hochberg",
    "adjust_holm",
    "check_device",
    "check_same_rows",
    "check_sensitive_features",
    "column_positions",
    "html_table",
    "import_optional",
    "import_torch",
    "minimise_in_batches",
    "n_columns_of",
    "private_rng",
    "progress_bar",
    "skops_trusted_types",
    "take_columns",
    "text_table",
]
