"""Which notebooks need data that is not bundled: they are skipped by name where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NEEDS = {
    "03_fairif.ipynb": "mnist.npz",
    "04_mindiff_io.ipynb": "hatexplain_hashed.npz",
    "05_training_fair_networks.ipynb": "mnist.npz",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = os.environ.get("FAIRSK_DATA")
    for item in items:
        file = NEEDS.get(item.path.name)
        if file and not (folder and (Path(folder) / file).is_file()):
            item.add_marker(pytest.mark.skip(reason=f"{file} is not in FAIRSK_DATA"))
