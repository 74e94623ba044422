"""The command line: what each command writes and says, and how it ends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from certify.document import dumps
from certify.verify import verify
from models import registry
from service import cli, serving
from service.commands import serve
from service.commands.sources import Offline, Remote, Source
from service.settings import Settings

KEY = "00112233445566778899aabbccddeeff"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def photo(tmp_path: Path, picture: bytes) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(picture)
    return path


@pytest.fixture(params=["offline", "server"])
def run(request: pytest.FixtureRequest, client: Any, pool: Any, monkeypatch: Any) -> Iterator[Any]:
    """Run a command; explanations and certificates come from the same pool, here or over HTTP."""
    store = client.app.state.service.store

    def source(server: str | None) -> Source:
        if request.param == "offline":
            return Offline(Settings(max_samples=5000), pool)
        return Remote("http://test", httpx.ASGITransport(client.app))

    monkeypatch.setenv("AFFIDAVIT_DEFAULT_MODEL", "digits-tiny")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli, "_source", source)
    store.start()
    yield lambda *arguments: CliRunner().invoke(cli.app, [str(a) for a in arguments])
    store.stop()


def test_certify_writes_pictures_document_and_arrays(run: Any, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    options = ("--samples", 300, "--radius", 0.05, "--key", KEY, "--out", out)
    done = run("certify", photo, *options)
    assert done.exit_code == 0, done.output
    assert re.search(r"At least \d+ of the 16 most important regions stay", done.output)
    assert "3 (explained)" in done.output
    names = {"overlay.png", "regions.png", "certificate.json", "map.npy", "radii.npy"}
    names.add("report.html")
    assert {path.name for path in out.iterdir()} == names
    assert all(name in done.output for name in names)
    document = (out / "certificate.json").read_bytes()
    assert verify(document).holds
    assert dumps(json.loads(document)) == document
    assert json.loads(document)["plan"]["key"] == KEY
    assert np.load(out / "map.npy").sum() == pytest.approx(16)
    assert np.load(out / "radii.npy").shape == (8, 8)
    for name in ("overlay.png", "regions.png"):
        with Image.open(out / name) as image:
            image.load()


def test_progress_is_said_in_lines_where_there_is_no_terminal(
    run: Any, photo: Path, tmp_path: Path
) -> None:
    done = run("certify", photo, "--samples", 640, "--out", tmp_path / "out")
    lines = re.findall(r"(\d+)/640 samples", done.output)
    assert lines == [str(64 * n) for n in range(1, 11)]
    assert "already proven: at least 8 stay within" in done.output


def test_explain_writes_overlay_map_and_numbers(run: Any, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("explain", photo, "--method", "renyi", "--samples", 100, "--out", out)
    assert done.exit_code == 0, done.output
    answer = json.loads((out / "explanation.json").read_text())
    assert np.load(out / "map.npy").tolist() == answer["map"]
    assert "overlay" not in answer and answer["method"] == "renyi"
    assert (out / "overlay.png").read_bytes().startswith(b"\x89PNG")


def test_estimate_says_what_is_feasible_and_draws_nothing(
    run: Any, photo: Path, tmp_path: Path, pool: Any
) -> None:
    options = ("--estimate", "--out", tmp_path / "out", "--radius", 0.2)
    done = run("certify", photo, *options, "--samples", 40)
    assert done.exit_code == 0, done.output
    assert "No outcome of 40 samples could prove it." in done.output
    needed = re.search(r"Ask for (\d+) samples", done.output)
    assert needed is not None
    pool.pace = 10.0
    done = run("certify", photo, *options, "--samples", needed[1])
    assert f"Feasible: at best {needed[1]} samples prove it." in done.output
    assert f"samples take about {int(needed[1]) / 10:g} s." in done.output
    assert pool.calls == [] and not (tmp_path / "out").exists()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    assert run("certify", broken, "--estimate").exit_code == 2


def test_a_claim_is_proven_and_sampling_stops(run: Any, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    claim = ("--overlap", 0.5, "--radius", 0.05, "--samples", 1000, "--strict", "--key", KEY)
    done = run("certify", photo, *claim, "--out", out)
    assert done.exit_code == 0, done.output
    stopped = re.search(r"stopped after (\d+) of at most 1000 samples", done.output)
    assert stopped is not None and int(stopped[1]) < 1000
    document = json.loads((out / "certificate.json").read_bytes())
    assert document["asked"]["stop"] == "proven" and document["plan"]["recipe"]["lanes"] == 1


def test_models_lists_all_of_them(run: Any) -> None:
    done = run("models")
    assert done.exit_code == 0
    assert all(name in done.output for name in registry.cards())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--k", 0), "k is 0: it must be greater than or equal to 1"),
        (("--k", 64), "less than the number of features, 64"),
        (("--model", "vgg"), "known models are digits-tiny"),
        (("--samples", 3), "ask for"),
        (("--scale", 0.00395), "scale is 0.00395"),
        (("--radius", "nan"), "number"),
        (("--stop", "proven", "--radius", 0.1), "give overlap and radius"),
    ],
)
def test_what_is_refused_is_explained_and_ends_with_2(
    run: Any, photo: Path, tmp_path: Path, options: tuple[Any, ...], says: str
) -> None:
    done = run("certify", photo, "--out", tmp_path / "out", *options)
    assert done.exit_code == 2
    assert says in done.stderr and "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_picture_ends_with_2(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    done = run("certify", tmp_path / "notes.txt")
    assert done.exit_code == 2
    assert "must be a JPEG, PNG or WebP file" in done.stderr


def test_a_file_that_is_not_there_ends_with_2(run: Any, tmp_path: Path) -> None:
    done = run("explain", tmp_path / "missing.jpg")
    assert done.exit_code == 2
    assert "cannot read" in done.stderr and "missing.jpg" in done.stderr


def test_a_server_that_is_not_there_ends_with_1(photo: Path) -> None:
    arguments = ["certify", str(photo), "--server", "http://127.0.0.1:9"]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 1
    assert "failed: http://127.0.0.1:9" in done.stderr


def test_something_else_at_the_address_ends_with_1(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = httpx.MockTransport(lambda _: httpx.Response(404, text="<html>"))
    monkeypatch.setattr(cli, "_source", lambda _: Remote("http://other", other))
    done = CliRunner().invoke(cli.app, ["certify", str(photo)])
    assert done.exit_code == 1
    assert "is it Affidavit?" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("DEFAULT_MODEL", "nope", "model 'nope' is unknown; known are digits-tiny"),
        ("WEIGHTS", "/nonexistent", "weights of efficientnet-lite0 are missing"),
        ("DEVICE", "tpu", "setting device is 'tpu': it must be auto, cpu, cuda or cuda:N"),
        ("DEVICE", "cuda:99", "setting device: device is 'cuda:99'; this machine has"),
    ],
)
def test_a_server_that_could_answer_nothing_does_not_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    def begun(*_: Any) -> None:
        raise AssertionError("it listens")

    monkeypatch.setattr(serving, "_listen", begun)
    monkeypatch.setenv(f"AFFIDAVIT_{variable}", value)
    done = CliRunner().invoke(cli.app, ["serve"])
    assert done.exit_code == 2
    assert says in done.stderr and "Traceback" not in done.output


@pytest.mark.parametrize(
    ("environment", "status", "says"),
    [
        ({"AFFIDAVIT_WEIGHTS": "/nonexistent"}, 1, "run `make setup`"),
        ({"AFFIDAVIT_DEVICE": "cuda:99"}, 2, "device is 'cuda:99'; this machine has"),
    ],
)
def test_a_network_that_cannot_be_loaded_is_said_in_words(
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    status: int,
    says: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(cli.app, ["explain", str(photo), "--method", "gradient"])
    assert done.exit_code == status, done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr


def test_a_setting_outside_its_rule_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFIDAVIT_MAX_PIXELS", "many")
    done = CliRunner().invoke(cli.app, ["serve"])
    assert done.exit_code == 2
    assert "setting max_pixels is 'many'" in done.stderr


def test_verify_ends_with_1_on_a_forged_document_and_2_on_none(
    client: Any, picture: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    document = client.certify(picture, samples=100).json()["certificate"]

    def check() -> int:
        path.write_text(json.dumps(document))
        return CliRunner().invoke(cli.app, ["verify", str(path)]).exit_code

    assert check() == 0
    document["plan"]["recipe"]["scale"] = 0.5
    assert check() == 1
    assert CliRunner().invoke(cli.app, ["verify", str(tmp_path / "no")]).exit_code == 2


def test_every_command_teaches_by_an_example() -> None:
    commands = ["serve", "worker", "explain", "certify", "verify", "report", "models"]
    overview = CliRunner().invoke(cli.app, ["--help"])
    for command in commands:
        assert command in overview.output
        text = CliRunner().invoke(cli.app, [command, "--help"]).output
        assert re.search(rf"Examples?: affidavit {command}", text)


def test_the_help_of_worker_lists_its_options_and_who_starts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = CliRunner().invoke(cli.app, ["worker", "--help"]).output
    assert "started by `affidavit serve`" in text
    for option in ("--connect", "--name", "--parent", "--device", "--threads"):
        assert option in text
    given: list[list[str]] = []
    monkeypatch.setattr(serve.worker_process, "main", given.append)
    line = ["--connect", "ipc://x", "--name", "w", "--parent", "7"]
    assert CliRunner().invoke(cli.app, ["worker", *line]).exit_code == 0
    assert given == [[*line, "--device", "auto", "--threads", "1"]]
    assert CliRunner().invoke(cli.app, ["worker", "--name", "w"]).exit_code == 2
