"""The Python code of README.md runs."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_code_of_the_readme_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 2
    namespace = {}
    for block in blocks:
        exec(block, namespace)
    printed = capsys.readouterr().out
    assert str(namespace["model"][-1].best_params_) in printed
    assert namespace["search"].best_score_ > 0.9
    assert str(namespace["search"].best_score_) in printed
