"""Skip the notebooks whose data, named in their metadata, is not bundled and not at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = os.environ.get("FAIRSK_DATA")
    for item in items:
        metadata = json.loads(item.path.read_text(encoding="utf-8"))["metadata"]
        for file in metadata.get("fairsk", {}).get("data", []):
            if not (folder and (Path(folder) / file).is_file()):
                item.add_marker(pytest.mark.skip(reason=f"{file} is not in FAIRSK_DATA"))
