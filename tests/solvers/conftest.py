"""Make this folder's problems and the naive references importable by name."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).parent
for folder in (_HERE, _HERE.parent / "_reference"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
