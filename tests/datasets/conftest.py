from __future__ import annotations

import functools

import pytest

from fairsk.datasets import _adult, _base, _communities, _compas

_read_once = functools.cache(_base.read_bundled)


@pytest.fixture(autouse=True)
def read_each_file_once(monkeypatch):
    """Unpacking and parsing Adult is most of the time of loading it; loaders never write to it."""
    for module in (_adult, _communities, _compas):
        monkeypatch.setattr(module, "read_bundled", _read_once)
