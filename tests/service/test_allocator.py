"""The server's memory, in a process of its own, for what is told to the C library stays told."""

import subprocess
import sys

import pytest

STORY = """
import sys, threading
from pathlib import Path
from service.pool.allocator import return_memory

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

if sys.argv[1] == "returned":
    return_memory()
before, kept, pins = resident(), [], []

def work():
    mine = []
    for size in range(1, 13):
        mine.append(bytearray(size << 20))
        # Small and lasting, it lies behind the large one where both come from one heap.
        pins.append(bytearray(300_000))
        if len(mine) > 2:
            del mine[0]

for _ in range(2):
    threads = [threading.Thread(target=work) for _ in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
print(round(resident() - before - sum(map(len, pins)) / 2**20))
"""


def held(how: str) -> int:
    """MiB that a process holds beyond what it uses, after threads have come and gone."""
    run = subprocess.run(
        (sys.executable, "-c", STORY, how), capture_output=True, text=True, check=True
    )
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library is told anything")
def test_what_threads_free_goes_back_to_the_system():
    assert held("returned") < 32
    # Else this tests nothing.
    assert held("as ever") > 2 * 32
