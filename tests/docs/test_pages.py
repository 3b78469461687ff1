"""The documentation: every public name has its place, and what pages point at is there."""

import importlib.util
import re
from pathlib import Path

import pytest

import fairsk

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for page in DOCS.rglob("*.rst")
    if not {"api", "auto_examples", "_build"} & set(page.relative_to(DOCS).parts)
)


@pytest.fixture(scope="module")
def api():
    """The module that writes the API pages; it needs no Sphinx to be imported."""
    spec = importlib.util.spec_from_file_location("api_pages", DOCS / "_ext" / "api_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("room", list(fairsk._ROOMS))
def test_every_public_name_is_on_the_page_of_its_room(api, room):
    pages = api.api_pages()
    listed = re.findall(r"^   (fairsk\.\S+)$", pages[room], re.MULTILINE)
    assert len(set(listed)) == len(listed)
    missing = {f"fairsk.{name}" for name in fairsk._ROOMS[room]} - set(listed)
    assert not missing
    assert set(listed) == {name for names in api.room_names(room) for name in names}
    assert f"   {room}\n" in pages["index"]
    for name in fairsk._ROOMS[room]:
        assert f"   fairsk.{name}\n" in pages["index"]


def test_names_of_a_room_that_fairsk_does_not_export(api):
    _, further = api.room_names("datasets")
    assert "fairsk.datasets.load_compas" in further
    assert "fairsk.thresholding.TradeOffPath" in api.room_names("thresholding")[1]


def test_one_path_a_name(api):
    paths = api.documented_names()
    assert paths["BayesOptimalFairPostProcessor"] == "fairsk.BayesOptimalFairPostProcessor"
    assert paths["fairsk.thresholding.BayesOptimalFairPostProcessor"] == (
        "fairsk.BayesOptimalFairPostProcessor"
    )
    assert paths["fairsk.metrics.deo"] == "fairsk.metrics.deo"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_names_in_the_pages_exist(api, page):
    """What looks like a class or a function of ours in single backticks is one."""
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"(?<![`:\w>])`([A-Za-z_][\w.]*)`(?![`_])", text))
    known = api.documented_names()
    assert names <= set(known), names - set(known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_examples_referred_to_exist(page):
    for example in re.findall(r"sphx_glr_auto_examples_(\w+?\.py)", page.read_text("utf-8")):
        folder, _, name = example.partition("_")
        assert (ROOT / "examples" / folder / name).exists()


def test_every_display_has_an_example():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "examples").rglob("plot_*.py"))
    for name in fairsk._ROOMS["plotting"]:
        assert name in code or name == "TradeOffCurve"


def test_the_folders_that_the_readme_names_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:docs|examples|benchmarks)/[\w./]*)`", text):
        assert (ROOT / path).exists() or path.startswith("docs/_build"), path
    assert (ROOT / "docs" / "images" / "overview.png").exists()
