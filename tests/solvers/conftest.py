"""Make the naive references importable by name."""

from __future__ import annotations

import sys
from pathlib import Path

_REFERENCE = str(Path(__file__).parents[1] / "_reference")
if _REFERENCE not in sys.path:
    sys.path.insert(0, _REFERENCE)
