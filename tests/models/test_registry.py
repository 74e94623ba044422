"""Cards are complete, closed and honest about what they name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models import registry
from models.attribution.methods import METHODS
from models.registry import UnknownModel, card, cards, weights_file

EXAMPLE = registry.CARDS / "digits-tiny.toml"


def _write(folder: Path, text: str, name: str = "digits-tiny") -> Path:
    shutil.copy(registry.CARDS / "digit-classes.txt", folder)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_three_models_are_there_in_alphabetical_order() -> None:
    assert list(cards()) == ["digits-tiny", "efficientnet-lite0", "mobilenet-v2"]


def test_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"'resnet' is unknown; known are digits-tiny, eff"):
        card("resnet")


@pytest.mark.parametrize(
    ("index", "name"),
    # Indices as the file names of labelled pictures in foolbox 3.3.4 give them, and the pairs of
    # classes that share their first name.
    [
        (0, "tench"),
        (134, "crane (bird)"),
        (243, "bull mastiff"),
        (282, "tiger cat"),
        (517, "crane (machine)"),
        (559, "folding chair"),
        (638, "maillot"),
        (639, "maillot (tank suit)"),
        (967, "espresso"),
        (990, "buckeye"),
        (999, "toilet tissue"),
    ],
)
def test_class_names_stand_at_their_ilsvrc_index(index: int, name: str) -> None:
    assert card("efficientnet-lite0").classes[index] == name


@pytest.mark.parametrize("name", list(cards()))
def test_card_is_consistent(name: str) -> None:
    made = card(name)
    assert len(set(made.classes)) == len(made.classes)
    assert len(made.mean) == len(made.std) == 3
    assert all(std > 1 for std in made.std), "mean and std are on the 0..255 scale"
    assert made.size % made.defaults.cell == 0
    assert made.size <= made.resize
    digests = [made.weights] + ([made.source.wheel, made.source.checkpoint] if made.source else [])
    for digest in digests:
        assert len(bytes.fromhex(digest)) == 32
    features = (made.size // made.defaults.cell) ** 2
    assert 1 <= round(made.defaults.k_fraction * features) < features
    assert 1 <= round(made.defaults.vote_fraction * features) < features


def test_weights_directory_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    lite = card("efficientnet-lite0")
    monkeypatch.setenv("AFFIDAVIT_WEIGHTS", "/elsewhere")
    assert weights_file(lite) == Path("/elsewhere") / f"{lite.weights}.safetensors"
    monkeypatch.delenv("AFFIDAVIT_WEIGHTS")
    assert weights_file(lite).parent == registry.CARDS.parent.parent / "weights"
    assert weights_file(card("digits-tiny")).parent == registry.CARDS


def test_a_misspelt_field_is_an_error(tmp_path: Path) -> None:
    path = _write(tmp_path, EXAMPLE.read_text().replace("k_fraction", "k_fracton"))
    with pytest.raises(ValueError, match=r"digits-tiny\.toml: Defaults has no field .'k_fracton'"):
        registry.read(path)


def test_a_missing_field_is_an_error(tmp_path: Path) -> None:
    text = "\n".join(x for x in EXAMPLE.read_text().splitlines() if not x.startswith("lanes"))
    with pytest.raises(ValueError, match=r"Card needs \['lanes'\]"):
        registry.read(_write(tmp_path, text))


def test_a_card_under_another_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must equal the file's name"):
        registry.read(_write(tmp_path, EXAMPLE.read_text(), "other"))


def test_torch_free_modules_do_not_import_torch() -> None:
    code = (
        "import sys, models.registry, models.images, models.headers; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_default_layer_that_is_not_listed_is_an_error(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace('layer = "features.6"', 'layer = "features.9"')
    with pytest.raises(ValueError, match=r"layer is 'features\.9'; it must be one of features\.0,"):
        registry.read(_write(tmp_path, text))


def test_an_unsupported_attribution_must_be_one(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace("grad_cam =", "grad_cm =")
    with pytest.raises(ValueError, match=r"unsupported names no attribution: .'grad_cm'"):
        registry.read(_write(tmp_path, text))
    assert "grad_cam" not in card("digits-tiny").attributions
    assert card("mobilenet-v2").attributions == tuple(METHODS)
