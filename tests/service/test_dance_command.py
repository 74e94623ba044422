"""`affidavit explain --method dance`: the options of HTTP, diagnostics said, pictures saved."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner, Result

from models import images
from models.decoys.dance import dance
from models.decoys.finding import Finder
from models.decoys.part import Part
from models.decoys.records import Records
from models.decoys.search import Search
from models.loading import Network
from models.registry import card
from models.sampling import Sampler
from service import cli
from service.commands.following import SEEKING, follow
from service.commands.sources import Offline, Remote, Source
from service.decoys import fields as decoy_fields
from service.decoys.answers import decoy_report
from service.decoys.dancing import Range
from service.decoys.orders import Dancing
from service.decoys.output import in_words
from service.decoys.results import DecoyProgress
from service.pool.desk import Desk
from service.pool.messages import Array, Sought
from service.pool.pools import LocalPool
from service.results import ExplainAnswer
from service.settings import Settings
from tests.service.conftest import Client

DIGIT = Path(__file__).parents[1] / "data" / "digits" / "3.png"
OPTIONS = {
    "scheme": "patches",
    "layer": "features.3",
    "patch": 4,
    "stride": 8,
    "tolerance": 0.3,
    "cap": 9,
    "steps": 4,
    "attribution": "smoothgrad",
    "target": 5,
}
SEARCH = Search("patches", "features.3", 4, 8, 0.3, 9, 4)
Run = Callable[..., Result]


def _pool() -> LocalPool:
    """A pool that computes in this process."""

    def load(name: str) -> Sampler:
        return Sampler(Network(card(name)))

    return LocalPool(lambda: Desk(load, device="cpu", threads=1))


@pytest.fixture(params=["offline", "server"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run `affidavit explain` on a digit, with the tiny network here or behind HTTP."""
    settings = Settings(default_model="digits-tiny", max_decoys=80)
    pool = _pool()
    client = Client(pool, settings)  # type: ignore[arg-type]

    def source(server: str | None) -> Source:
        if request.param == "offline":
            return Offline(settings, pool)
        return Remote("http://test", httpx.ASGITransport(client.app))

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli, "_source", source)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    store = client.app.state.service.store
    store.start()
    if request.param == "server":
        asyncio.run(pool.start())
    yield lambda *options: CliRunner().invoke(
        cli.app, ["explain", str(DIGIT), "--method", "dance", *map(str, options)]
    )
    store.stop()
    asyncio.run(pool.stop())
    torch.set_num_threads(before)


def test_every_option_reaches_the_search_and_the_decoys_are_saved(run: Run, tmp_path: Path) -> None:
    words = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    done = run(*words, "--decoys", 2, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    network, picture = (
        Network(card("digits-tiny")),
        images.decode(DIGIT.read_bytes(), max_pixels=1000),
    )
    expected = dance(network, picture, 5, SEARCH, "smoothgrad")
    answer = json.loads((tmp_path / "explanation.json").read_text())
    np.testing.assert_allclose(answer["map"], expected.range.max(axis=2), rtol=1e-6)
    decoys, records = answer["decoys"], expected.records
    assert {name: decoys[name] for name in OPTIONS.keys() - {"attribution", "target"}} == {
        name: OPTIONS[name] for name in OPTIONS.keys() - {"attribution", "target"}
    }
    assert (len(decoys["each"]), "pictures" in decoys) == (8, False)
    found = np.concatenate([d.pictures for d in Finder(network, picture, SEARCH).find(0, 2)])
    for place in (1, 2):
        saved = np.asarray(Image.open(tmp_path / f"decoy-{place}.png"))
        np.testing.assert_array_equal(saved, found[place - 1])
        assert f"decoy-{place}.png  a decoy, {place} of 8" in done.output
    assert f"8 decoys, scheme patches; {records.null} of them" in done.output
    for size in (records.linf, records.l1, records.gains):
        half = f"{np.median(size):g}"
        assert f"grey levels: {size.min()} to {size.max()}, half below {half}." in done.output
    reached = re.search(
        r"more than (\S+) of the 0.3 standard deviations of features.3", done.output
    )
    assert reached is not None and 0 < float(reached[1]) <= 0.3
    assert "8/8 decoys" in done.output and "Not as published" not in done.output


def test_the_defaults_name_the_deviation_and_save_no_pictures(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("--steps", 2, "--out", out)
    assert done.exit_code == 0, done.output
    assert "18 decoys, scheme lattice" in done.output and "Not as published:" in done.output
    assert {path.name for path in out.iterdir()} == {
        "overlay.png",
        "map.npy",
        "explanation.json",
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--layer", "classifier"), "layers of digits-tiny are features.0"),
        (("--attribution", "lrp"), "choose one of gradient, smoothgrad, integrated_gradients"),
        (("--scheme", "patches", "--stride", 1), "it takes 512 decoys and 80 are allowed"),
        (("--method", "gradient", "--cap", 3), "method gradient does not use it"),
    ],
)
def test_what_is_refused_is_explained(
    run: Run, tmp_path: Path, options: tuple[Any, ...], says: str
) -> None:
    out = tmp_path / "out"
    done = run(*options, "--out", out)
    assert done.exit_code == 2 and says in done.stderr
    assert not out.exists()


def test_help_names_every_field_of_http_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = CliRunner().invoke(cli.app, ["explain", "--help"]).output
    assert all(f"--{name}" in text for name in decoy_fields.FIELDS)
    assert "Decoys, for --method dance" in text and "first layers cannot tell from" in text
    for default in (Search.tolerance, Search.cap, Search.steps, Search.patch):
        assert f"; {default:g}." in text


def test_a_terminal_gets_a_bar() -> None:
    async def steps() -> AsyncGenerator[DecoyProgress | ExplainAnswer, None]:
        yield DecoyProgress(decoys=32, total=72, seconds=1.0)

    console = Console(force_terminal=True, width=120, record=True)
    with pytest.raises(EOFError, match="before its result came"):
        asyncio.run(follow(steps(), console, SEEKING))
    assert "looking for decoys" in (shown := console.export_text()) and "32/72" in shown


def test_a_map_that_is_zero_everywhere_is_said_to_be_that_of_a_linear_network() -> None:
    """One null decoy of a picture whose layer is constant: nothing can be divided by nothing."""
    nothing = np.zeros((16, 16, 3), np.float32)
    count, none = np.zeros(1, np.int64), np.zeros(1)
    part = Part(nothing, nothing, Records(count, count, count, count, count, count, none))
    sought = Sought(1, 0.0, 0.0, Array.of(np.zeros((0, 16, 16, 3), np.uint8)))
    report = decoy_report(Dancing(SEARCH, 0, 80), Range(sought, part))
    told = in_words(report)
    assert report.linear and "as for a linear network" in told[-1]
    assert "1 of them are the photograph itself" in told[0] and "more than 0 of" in told[1]
