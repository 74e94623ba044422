"""The report: loads nothing, escapes everything, and is made only of documents that hold."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from certify.certificate import Point
from certify.document import dumps
from certify.verify import verify
from models.identity import Mismatch
from models.registry import UnknownModel
from service import cli, keys
from service.drawing import chart, report
from service.drawing.markup import Markup, element, void
from service.drawing.report import Refused
from service.settings import Settings

HOSTILE = """"><script src="http://evil.example/x.js">alert(1)</script><img src=//evil.example>"""
LOADS = {"src", "href", "xlink:href", "action", "srcset", "poster", "data", "formaction"}


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def made(client: Any, picture: bytes) -> Any:
    answer = client.certify(picture, samples=400, radius=0.02)
    return answer.json()["certificate"]


def page_of(document: Any, photo: bytes, **options: Any) -> str:
    given = {"key": None, "max_pixels": 10**6, "name": "certificate.json"} | options
    return report.html(dumps(document), photo, **given)


def test_the_page_shows_claim_pictures_curve_and_how_to_verify(made: Any, picture: bytes) -> None:
    page = Page(page_of(made, picture))
    words = verify(dumps(made)).words
    assert all(line in page.text for line in words)
    for wanted in ("The document holds.", "python -m certify.verify certificate.json", "--replay"):
        assert wanted in page.text
    for value in (made["plan"]["key"], made["plan"]["weights"], made["evidence"]["sha256"]):
        assert value in page.text
    assert "Nobody vouches for the evidence." in page.text
    routes = {name for point in made["certificate"]["curve"] for name in point["routes"]}
    assert all(f"{name}: " in page.text for name in routes)
    assert page.tags.count("img") == 3


def test_the_pictures_are_in_the_page_itself(made: Any, picture: bytes) -> None:
    sources = [v for tag, name, v in Page(page_of(made, picture)).attributes if name == "src"]
    for source in sources:
        with Image.open(
            BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,")))
        ) as image:
            image.load()
            assert image.format == "PNG"


def test_nothing_is_loaded_and_nothing_runs(made: Any, picture: bytes) -> None:
    page = page_of(made, picture)
    parsed = Page(page)
    for tag, name, value in parsed.attributes:
        assert name not in LOADS or value.startswith("data:image/png;base64,"), (tag, name, value)
        assert not name.startswith("on")
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(parsed.tags)
    words = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", words)
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


def test_hostile_texts_stay_text(made: Any, picture: bytes) -> None:
    hostile = json.loads(dumps(made))
    hostile["subject"] |= {"label": HOSTILE, "decoder": HOSTILE, "file": HOSTILE}
    hostile["identifier"] = hostile["issued"] = HOSTILE
    hostile["software"] = {HOSTILE: HOSTILE}
    honest, parsed = Page(page_of(made, picture)), Page(page_of(hostile, picture, name=HOSTILE))
    assert parsed.tags == honest.tags
    assert HOSTILE in parsed.text
    for tag, name, value in parsed.attributes:
        assert name not in LOADS or value.startswith("data:image/png;base64,"), (tag, name, value)


def test_a_document_that_does_not_hold_gets_no_page(made: Any, picture: bytes) -> None:
    forged = json.loads(dumps(made))
    forged["certificate"]["curve"][0]["radius"] += 1
    with pytest.raises(Refused, match=r"FAILED  claims(?s:.*)No page is made"):
        page_of(forged, picture)


def test_another_photograph_or_an_unknown_model_gets_no_page(made: Any, picture: bytes) -> None:
    other = (Path(__file__).parents[2] / "examples" / "photos" / "coffee.jpg").read_bytes()
    with pytest.raises(Mismatch, match="the document is about"):
        page_of(made, other)
    elsewhere = json.loads(dumps(made))
    elsewhere["plan"]["model"] = "vgg"
    with pytest.raises(UnknownModel):
        page_of(elsewhere, picture)


def test_the_page_says_whether_the_signature_was_checked(
    made: Any, picture: bytes, tmp_path: Path
) -> None:
    keys.new(tmp_path / "maker.pem")
    signer = keys.signer(tmp_path / "maker.pem")
    assert signer is not None
    sealed, public = signer.seal(made), keys.public(tmp_path / "maker.pem.pub")
    checked = Page(page_of(sealed, picture, key=public)).text
    assert "Signed." in checked and signer.keyid in checked and "--key MAKER.pub" in checked
    assert "Nobody vouches" not in checked
    unchecked = Page(page_of(sealed, picture)).text
    assert "Nobody vouches" in unchecked and "NOT checked" in unchecked
    with pytest.raises(Refused, match="there is none, but a key was given"):
        page_of(made, picture, key=public)


def test_a_chosen_key_is_a_warning(client: Any, picture: bytes, key: str) -> None:
    chosen = client.certify(picture, samples=100, key=key).json()["certificate"]
    assert "The noise was chosen." in Page(page_of(chosen, picture)).text


def test_a_curve_that_proves_nothing_can_be_drawn_and_says_so() -> None:
    points = [Point(1, 0.0, "renyi", {"renyi": 0.0})]
    assert "NaN" not in chart.curve(points, 1, (1, 0.0), "ℓ2 size")
    assert "Rényi divergence (proves nothing here)" in chart.key(points)


def test_the_command_writes_the_page_or_says_what_failed(
    made: Any, picture: bytes, tmp_path: Path
) -> None:
    document, photo, out = tmp_path / "c.json", tmp_path / "p.png", tmp_path / "new" / "r.html"
    document.write_bytes(dumps(made))
    photo.write_bytes(picture)
    arguments = ["report", str(document), "--photo", str(photo), "--out", str(out)]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    assert out.read_text() == page_of(made, picture, name="c.json")
    out.unlink()
    made["plan"]["recipe"]["votes"] += 1
    document.write_bytes(dumps(made))
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 1 and "does NOT hold" in done.stderr
    assert not out.exists()


def test_next_to_a_certificate_of_a_model_that_is_not_here_there_is_no_page(
    made: Any, picture: bytes, tmp_path: Path
) -> None:
    made["plan"]["model"] = "vgg"
    (tmp_path / "certificate.json").write_bytes(dumps(made))
    assert report.beside(tmp_path, picture, Settings(), ours=False) == {}


def test_elements_escape_text_and_attributes_but_not_each_other() -> None:
    inner = element("b", "<&>", title='"')
    assert inner == '<b title="&quot;">&lt;&amp;&gt;</b>'
    assert element("p", inner, "<") == f"<p>{inner}&lt;</p>"
    assert void("img", class_="a", data_x=1) == '<img class="a" data-x="1">'
    assert isinstance(inner, Markup)


def test_the_staircase_shows_the_certified_share_at_every_radius() -> None:
    """Two kept up to 0.25, one up to 0.5, and nothing beyond: corners where they must be."""
    points = [
        Point(2, 0.25, "one", {"one": 0.25, "two": 0.0}),
        Point(1, 0.5, "one", {"one": 0.5, "two": 0.5}),
    ]
    frame = chart.Frame(1.06 * 0.5)
    drawn = chart.curve(points, 2, (1, 0.5), "ℓ2 size")
    full, half, none = (frame.y(share) for share in (1.0, 0.5, 0.0))
    x = [frame.x(radius) for radius in (0.0, 0.25, 0.5, 0.53)]
    one = f"M{x[0]} {full} V{full} H{x[1]} V{half} H{x[2]} V{none} H{x[3]}"
    two = f"M{x[0]} {full} V{full} H{x[0]} V{half} H{x[2]} V{none} H{x[3]}"
    assert re.findall(r'<path d="([^"]+)"', drawn) == [one, one, two]
    assert "1 of 2 within 0.5" in drawn
