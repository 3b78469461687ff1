"""Every public name can be imported from fairsk, lazily, and from its room."""

import importlib
import subprocess
import sys

import pytest

import fairsk


@pytest.mark.parametrize("name", fairsk.__all__)
def test_public_name(name):
    value = getattr(fairsk, name)
    if name in fairsk._PUBLIC:
        room = importlib.import_module(f"fairsk.{fairsk._PUBLIC[name]}")
        assert name in room.__all__
        assert getattr(room, name) is value
        assert value.__doc__


def test_every_public_class_and_function_of_the_main_rooms_is_exported():
    for room in ("thresholding", "reweighting", "model_selection"):
        names = importlib.import_module(f"fairsk.{room}").__all__
        missing = {
            name
            for name in names
            if name not in fairsk.__all__
            and name not in {"FairnessCertificate", "RowThresholds", "TradeOffPath", "RefitRule"}
        }
        assert not missing, f"fairsk.{room} has {missing}, which fairsk does not export"


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fairsk.nothing  # noqa: B018


def test_import_is_lazy():
    code = (
        "import sys, fairsk; print([m for m in sys.modules if m.startswith(('sklearn', 'numpy'))])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
