"""SciPy's special functions, loaded when one is first asked for.

Loading them takes as long as all of `certify` does besides. Reading and refusing documents, and
starting a service, need none.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """The function of `scipy.special` with this name. Raises AttributeError if there is none."""
    found = getattr(import_module("scipy.special"), name)
    # From now on it is found without asking here.
    globals()[name] = found
    return found
