"""The README's code runs as it stands."""

import re
from pathlib import Path

import pytest
from sklearn import config_context

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore::UserWarning")  # a fold may leave no candidate within .1
def test_code_blocks_run_in_order(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    names: dict = {}
    with config_context():
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    assert "Fairness certificate" in capsys.readouterr().out
    assert 0.4 < names["search"].best_score_ < 0.8
