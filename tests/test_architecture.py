"""The house rules that a machine can hold: import arrows, sizes, no forbidden names."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("certify", "models", "service")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
BENCHES = sorted((ROOT / "bench").rglob("*.py"))
TESTS = sorted(path for folder in ("tests", "tools") for path in (ROOT / folder).rglob("*.py"))
# Imports run service → models → certify, never back.
MAY_IMPORT = {
    "certify": {"certify"},
    "models": {"certify", "models"},
    "service": {"certify", "models", "service"},
}
THIRD_PARTY = {
    "certify": {"numpy", "scipy", "flint", "rfc8785", "cryptography"},
    "models": {
        "numpy",
        "scipy",
        "torch",
        "PIL",
        "safetensors",
        "captum",
        "llvmlite",
        "pyautoattack",
        "triton",
    },
}
FORBIDDEN = {"pickle", "shelve", "dill", "marshal"}
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_follow_the_arrows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    tops = {module.split(".")[0] for module in imported(path)}
    assert (tops & set(PACKAGES)) <= MAY_IMPORT[package]
    assert not tops & FORBIDDEN


@pytest.mark.parametrize("package", sorted(THIRD_PARTY))
def test_third_parties_are_the_declared_few(package: str) -> None:
    import sys

    found = {m.split(".")[0] for p in (ROOT / package).rglob("*.py") for m in imported(p)}
    found -= set(PACKAGES) | set(sys.stdlib_module_names)
    assert found <= THIRD_PARTY[package]


def test_only_kernels_need_triton() -> None:
    """And nothing imports a kernel but inside of a function that needs a GPU."""
    needing = {path for path in MODULES if "triton" in set(imported(path))}
    assert needing and all(path.parent.name == "kernels" for path in needing)
    kernels = {f"models.kernels.{path.stem}" for path in needing}
    for path in set(MODULES) - needing:
        at_import = {node.module for node in tree(path).body if isinstance(node, ast.ImportFrom)}
        assert not at_import & kernels, path


@pytest.mark.parametrize("path", [*MODULES, *BENCHES], ids=name)
def test_modules_and_functions_stay_small(path: Path) -> None:
    assert lines(path) <= LONGEST_MODULE
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "service").rglob("__init__.py")), ids=lambda path: path.parent.name
)
def test_packages_say_what_is_in_them_and_re_export_nothing(path: Path) -> None:
    assert [type(node) for node in tree(path).body] == [ast.Expr]
    assert len((ast.get_docstring(tree(path)) or "").splitlines()) in range(1, 5)


def test_tests_stay_small() -> None:
    assert TESTS and not {name(path) for path in TESTS if lines(path) > LONGEST_MODULE}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_input_is_never_checked_by_assert(path: Path) -> None:
    assert not [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_bare_alpha_and_no_utils(path: Path) -> None:
    names = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    names |= {node.arg for node in ast.walk(tree(path)) if isinstance(node, ast.arg)}
    assert not names & {"alpha", "beta"}
    assert path.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_torch_files_are_loaded_without_running_code(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            weights_only = [k for k in node.keywords if k.arg == "weights_only"]
            assert weights_only and ast.unparse(weights_only[0].value) == "True"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_global_random_state(path: Path) -> None:
    text = path.read_text()
    for forbidden in ("np.random.seed", "torch.manual_seed", "import random\n", "np.random.rand"):
        assert forbidden not in text
