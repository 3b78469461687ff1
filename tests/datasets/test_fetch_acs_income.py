"""No test here touches the network: OpenML's answers are the files in openml_43141."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets._openml as sklearn_openml

from fairsk.datasets import fetch_acs_income

ANSWERS = Path(__file__).parent / "openml_43141"
INCOME = [1_600, 10_000, 24_000, 64_000, 250_000, 50_000, 50_001, 120_500.5]
HEADER = "AGEP,COW,SCHL,MAR,OCCP,POBP,RELP,WKHP,SEX,RAC1P"
ROWS = ["53,5,17,5,3605,18,16,40,1,1,0", "41,1,22,1,2310,6,0,45,2,6,1", "30,1,20,1,10,6,0,9,2,2,0"]


class Answer(io.BytesIO):
    """As much of an HTTP response as scikit-learn looks at."""

    def info(self):
        return {"Content-Encoding": "gzip"}


class OpenML:
    """Stands for urlopen and remembers what was asked for."""

    def __init__(self):
        self.arff = (ANSWERS / "ACSIncome.arff").read_text()
        self.description, self.features, self.qualities = (
            json.loads((ANSWERS / f"{name}.json").read_text())
            for name in ("description", "features", "qualities")
        )
        self.asked = []

    def make_nominal(self, name, labels):
        """Declare a column as nominal, as OpenML does with some code columns."""
        self.arff = self.arff.replace(f"{name} REAL", f"{name} {{{','.join(labels)}}}")
        lines = [line.split(",") for line in self.arff.splitlines()]
        column = [f["name"] for f in self.features["data_features"]["feature"]].index(name)
        for cells in lines[-8:]:
            cells[column] = str(int(float(cells[column])))
        self.arff = "\n".join(",".join(cells) for cells in lines) + "\n"
        self.features["data_features"]["feature"][column].update(
            data_type="nominal", nominal_value=labels
        )
        md5 = hashlib.md5(self.arff.encode()).hexdigest()
        self.description["data_set_description"]["md5_checksum"] = md5

    def __call__(self, request, *args, **kwargs):
        url = request.get_full_url()
        self.asked.append(url)
        if "/features/43141" in url:
            text = json.dumps(self.features)
        elif "/qualities/43141" in url:
            text = json.dumps(self.qualities)
        elif url.endswith("/data/43141"):
            text = json.dumps(self.description)
        elif "/download/" in url:
            text = self.arff
        else:
            raise AssertionError(f"unexpected address {url}")
        return Answer(gzip.compress(text.encode()))


@pytest.fixture(autouse=True)
def no_local_file(monkeypatch):
    monkeypatch.delenv("FAIRSK_DATA", raising=False)


@pytest.fixture
def openml(monkeypatch):
    server = OpenML()
    monkeypatch.setattr(sklearn_openml, "urlopen", server)
    return server


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network in this test")

    monkeypatch.setattr(sklearn_openml, "urlopen", refuse)


@pytest.fixture(params=["pandas", "liac-arff"])
def parser(request, monkeypatch):
    """The parser chosen with pandas installed, and without."""
    if request.param == "pandas":
        pytest.importorskip("pandas")
    else:
        monkeypatch.setitem(__import__("sys").modules, "pandas", None)


def write_local(file, target="income_gt_50k", rows=ROWS):
    text = "\n".join([f"{HEADER},{target}", *rows]) + "\n"
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


def check_openml_rows(acs):
    assert acs.feature_names == ["AGEP", "COW", "SCHL", "MAR", "OCCP", "POBP", "RELP", "WKHP"]
    assert acs.categorical_features == ["COW", "MAR", "OCCP", "POBP", "RELP"]
    assert acs.data.shape == (8, 8)
    assert acs.data[4].tolist() == [33, 2, 24, 1, 3060, 48, 1, 60]
    assert acs.target.tolist() == [0, 0, 0, 1, 1, 0, 1, 1]  # 50,000 itself is not above
    assert acs.income.tolist() == INCOME
    assert acs.state.tolist() == [1, 1, 1, 6, 48, 72, 36, 36]
    assert acs.sensitive_features[:4].tolist() == [
        ["Female", "Black"],
        ["Male", "White"],
        ["Male", "White"],
        ["Female", "Asian"],
    ]


def test_openml(openml, parser, tmp_path):
    check_openml_rows(fetch_acs_income(data_home=tmp_path))
    assert sum("/download/" in url for url in openml.asked) == 1


def test_openml_with_nominal_codes(openml, parser, tmp_path):
    """Labels out of order, so that positions taken for codes would be noticed."""
    openml.make_nominal("SEX", ["2", "1"])
    openml.make_nominal("RAC1P", ["9", "8", "7", "6", "5", "4", "3", "2", "1"])
    openml.make_nominal("COW", ["7", "6", "5", "3", "2", "1", "4"])
    check_openml_rows(fetch_acs_income(data_home=tmp_path))


def test_second_call_reads_the_cache(openml, tmp_path):
    first = fetch_acs_income(data_home=tmp_path)
    asked = len(openml.asked)
    again = fetch_acs_income(data_home=tmp_path, download_if_missing=False)
    assert len(openml.asked) == asked
    np.testing.assert_array_equal(first.data, again.data)
    np.testing.assert_array_equal(first.target, again.target)


def test_no_cache_leaves_no_file(openml, tmp_path):
    check_openml_rows(fetch_acs_income(data_home=tmp_path, cache=False))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("cache", [True, False])
def test_download_refused(offline, tmp_path, cache):
    with pytest.raises(OSError, match="download_if_missing is False.*FAIRSK_DATA"):
        fetch_acs_income(data_home=tmp_path, cache=cache, download_if_missing=False)


def test_network_errors_are_retried_then_raised(offline, tmp_path, monkeypatch):
    monkeypatch.setattr(sklearn_openml.time, "sleep", lambda seconds: None)
    with (
        pytest.warns(UserWarning, match="Retrying"),
        pytest.raises(URLError, match="no network"),
    ):
        fetch_acs_income(data_home=tmp_path, n_retries=1, delay=0.001)


def test_openml_without_a_column(openml, tmp_path):
    openml.features["data_features"]["feature"][9]["is_ignore"] = "true"
    with pytest.raises(ValueError, match=r"lacks the columns \['RAC1P'\]"):
        fetch_acs_income(data_home=tmp_path)


def test_threshold(openml, tmp_path):
    acs = fetch_acs_income(data_home=tmp_path, threshold=20_000)
    assert acs.target.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert acs.target_names == ["<=20000", ">20000"]


def test_races_and_age(openml, tmp_path):
    acs = fetch_acs_income(data_home=tmp_path, races=("White", "Black"), sensitive_features="AGEP")
    assert acs.sensitive_features.tolist() == [[18.0], [53.0], [41.0]]
    assert acs.feature_names[-2:] == ["SEX", "RAC1P"]
    assert acs.data[:, -1].tolist() == [2, 1, 1]
    assert acs.income.tolist() == INCOME[:3]


def test_frame(openml, tmp_path):
    pd = pytest.importorskip("pandas")
    acs = fetch_acs_income(data_home=tmp_path, as_frame=True, include_sensitive=True)
    kinds = {name: str(dtype) for name, dtype in acs.data.dtypes.items()}
    assert kinds == {
        name: "category" if name in acs.categorical_features else "int64"
        for name in HEADER.split(",")
    }
    assert acs.sensitive_features["RAC1P"].cat.categories.tolist() == sorted(
        set(acs.sensitive_features["RAC1P"])
    )
    assert isinstance(acs.income, pd.Series)
    # Inside the data race is the survey's code, as the other codes are.
    assert acs.data["RAC1P"].tolist() == [2, 1, 1, 6, 9, 8, 7, 3]
    assert acs.frame.shape == (8, 11)


@pytest.mark.parametrize("name", ["acs_income.csv.gz", "anything.csv"])
def test_local_file(offline, tmp_path, name):
    file = write_local(tmp_path / name)
    X, y, sensitive = fetch_acs_income(path=file, return_X_y=True)
    assert X[0].tolist() == [53, 5, 17, 5, 3605, 18, 16, 40]
    assert y.tolist() == [0, 1, 0]
    assert sensitive.tolist() == [["Male", "White"], ["Female", "Asian"], ["Female", "Black"]]


def test_folder_as_path_and_as_environment(offline, tmp_path, monkeypatch):
    file = write_local(tmp_path / "acs_income.csv.gz")
    assert fetch_acs_income(path=tmp_path).filename == str(file)
    monkeypatch.setenv("FAIRSK_DATA", str(tmp_path))
    acs = fetch_acs_income()
    assert acs.filename == str(file)
    assert acs.income is None
    assert acs.state is None


def test_folder_without_the_file_is_passed_over(openml, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRSK_DATA", str(tmp_path / "empty"))
    check_openml_rows(fetch_acs_income(data_home=tmp_path))


def test_other_threshold_needs_incomes(openml, tmp_path, monkeypatch):
    file = write_local(tmp_path / "acs_income.csv.gz")
    with pytest.raises(ValueError, match="no incomes .* threshold must be 50000"):
        fetch_acs_income(path=file, threshold=30_000)
    monkeypatch.setenv("FAIRSK_DATA", str(tmp_path))
    assert fetch_acs_income(data_home=tmp_path, threshold=30_000).filename.startswith("https://")
    dollars = write_local(tmp_path / "dollars.csv", "PINCP", ["53,5,17,5,3605,18,16,40,1,1,31000"])
    assert fetch_acs_income(path=dollars, threshold=30_000).target.tolist() == [1]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("AGEP,COW", "1,2", r"no ACSIncome file: .*lacks \['SCHL'"),
        (HEADER, "53,5,17,5,3605,18,16,40,1,1", "lacks the target"),
        (f"{HEADER},PINCP", "53,5,17,5,3605,18,16,40,3,1,9", r"SEX has the unknown codes \[3\]"),
    ],
)
def test_bad_files(offline, tmp_path, header, row, message):
    file = tmp_path / "bad.csv"
    file.write_text(f"{header}\n{row}\n")
    with pytest.raises(ValueError, match=message):
        fetch_acs_income(path=file)


def test_bad_arguments(offline, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fetch_acs_income(path=tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"unknown names \['sex'\].*'SEX', 'RAC1P', 'AGEP'"):
        fetch_acs_income(sensitive_features="sex")
    with pytest.raises(ValueError, match=r"races has unknown names \['Martian'\].*'Pacific"):
        fetch_acs_income(races=("White", "Martian"))
    with pytest.raises(TypeError, match="threshold"):
        fetch_acs_income(threshold="50k")
