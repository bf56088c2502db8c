"""The page about faults names every test here, and no other."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "explanation" / "faults.md"


def test_the_page_names_every_test_of_a_fault_and_no_other():
    there = {
        name
        for path in HERE.glob("test_*.py")
        if path.name != "test_documented.py"
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(there) > 50
    assert sorted(named) == sorted(there)
