"""The page on GPUs says that nothing was run on one for as long as there is no record of a run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gpu.md").read_text()
RECORD = ROOT / "docs" / "bench" / "throughput_cuda.json"


def test_the_page_admits_what_was_not_run() -> None:
    assert ("**Nothing on this page has been run on a GPU.**" in PAGE) == (not RECORD.exists())
    if RECORD.exists():
        record = json.loads(RECORD.read_text())
        assert "NVIDIA" in record["device"] and not record["failed"]
        for each in record["evidence"]:
            assert all(same for name, same in each.items() if name != "setting")


def test_what_the_page_points_at_is_there() -> None:
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"\btest_\w+\.py", PAGE)) <= files
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
