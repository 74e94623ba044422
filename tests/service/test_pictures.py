"""Pictures: values keep their order and cells their kind without colour; nothing is cut off."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models import images
from models.registry import card
from service.drawing import lettering, pictures
from service.drawing.colours import colours, luminance
from service.drawing.marks import DARK, DIM, LIGHT, SOLID_BANDS, Cells, paint
from service.drawing.pictures import MARGIN, PAPER, Legend

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))
CARD = card("efficientnet-lite0")
LEGEND = Legend("A title", (("noise σ", "0.25"), ("radius", "ℓ2 ≥ 0.05")), ("One sentence.",))
# Linear RGB as dichromats see it: Viénot, Brettel & Mollon (1999).
DEUTERANOPE = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
PROTANOPE = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])


@pytest.fixture(scope="module", params=PHOTOS, ids=lambda path: path.stem)
def photo(request):
    """A bundled photo as the network sees it, enlarged."""
    data = request.param.read_bytes()
    return pictures.enlarge(images.fit(images.decode(data, max_pixels=10**8), CARD))


def thirds():
    """A 12×12 grid: important to the left, undecided in the middle, unimportant to the right."""
    labels = np.repeat(np.array([1, 0, -1], dtype=np.int8), 4)[np.newaxis].repeat(12, axis=0)
    return Cells(labels, labels == 1)


def linear(rgb):
    value = rgb / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def test_the_scale_rises_in_lightness_and_spans_it():
    light = luminance(colours(np.linspace(0, 1, 1024)))
    assert (np.diff(light) > 0).all()
    assert light[0] < 0.02 and light[-1] > 0.85


@pytest.mark.parametrize("eye", [DEUTERANOPE, PROTANOPE], ids=["deuteranope", "protanope"])
def test_the_scale_keeps_its_order_for_colour_blind_eyes(eye):
    seen = linear(colours(np.linspace(0, 1, 256))) @ eye.T
    assert (np.diff(seen @ [0.2126, 0.7152, 0.0722]) > 0).all()


def test_equal_steps_of_value_are_similar_steps_of_lightness():
    lightness = np.cbrt(luminance(colours(np.linspace(0, 1, 11))))
    steps = np.diff(lightness)
    assert steps.max() < 2 * steps.min()


def test_overlay_is_brightest_where_the_map_is_largest():
    grey = np.full((64, 64, 3), 90, dtype=np.uint8)
    scores = np.zeros((8, 8))
    scores[2, 5] = 1.0
    page = np.asarray(pictures.overlay(grey, scores, Legend("")))
    column = page[:, MARGIN + 5]
    top = np.flatnonzero((column != PAPER).any(axis=1))[0]
    side = pictures.enlarge(grey).shape[0]
    light = luminance(page[top : top + side, MARGIN : MARGIN + side])
    place = np.array(np.unravel_index(light.argmax(), light.shape)) / side * 8
    np.testing.assert_allclose(place, [2.5, 5.5], atol=0.3)


def test_the_bar_shows_the_colours_of_the_map():
    """A map that rises from left to right over flat grey looks like its own bar, laid down."""
    flat = np.full((96, 96, 3), 110, dtype=np.uint8)
    ramp = np.linspace(0, 1, 672)[np.newaxis].repeat(672, axis=0)
    panel = np.asarray(pictures._glow(pictures.enlarge(flat), ramp))[300].astype(int)
    bar = np.asarray(pictures._bar(672, 1.0, False))[::-1, 5].astype(int)
    assert np.abs(panel - bar).max() <= 2


@pytest.mark.parametrize("top", [1.0, 0.958, 0.25, 3e-4, 7.3, 1e6])
def test_ticks_are_round_numbers_and_the_top(top):
    ticks = pictures._ticks(top)
    assert ticks[0] == 0 and ticks[-1] == top
    assert 3 <= len(ticks) <= 6
    steps = np.diff(ticks[:-1])
    np.testing.assert_allclose(steps, steps[0])
    mantissa = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 2.5, 5, 10)) < 1e-9


def test_a_map_of_zeros_is_drawn():
    page = pictures.overlay(np.zeros((16, 16, 3), np.uint8), np.zeros((4, 4)), LEGEND)
    assert luminance(np.asarray(page)[300, 300]) < 0.1


@pytest.mark.parametrize("bad", [np.full((4, 4), np.nan), np.full((4, 4), -1.0), np.ones(4)])
def test_other_maps_are_refused(bad):
    with pytest.raises(ValueError, match="must be a finite map, none negative"):
        pictures.overlay(np.zeros((16, 16, 3), np.uint8), bad, LEGEND)


def grain(grey):
    """Change across the hatching's direction over change along it: 1 without hatching."""
    across = np.abs(grey[1:, 1:] - grey[:-1, :-1]).mean()
    along = np.abs(grey[1:, :-1] - grey[:-1, 1:]).mean()
    return across / (along + 1e-9)


def test_kinds_of_cells_are_told_apart_without_colour(photo):
    page = np.asarray(Image.fromarray(paint(photo, thirds())).convert("L")).astype(float)
    side = photo.shape[1] // 3
    edge = 20
    important, undecided, unimportant = (
        page[edge:-edge, i * side + edge : (i + 1) * side - edge] for i in range(3)
    )
    before = np.asarray(Image.fromarray(photo).convert("L")).astype(float)
    np.testing.assert_array_equal(important, before[edge:-edge, edge : side - edge])
    assert grain(undecided) > 2.5
    assert grain(important) < 1.6 and grain(unimportant) < 1.6
    assert unimportant.max() <= DIM * 255 + 1
    assert np.percentile(undecided, 50) > 100


def test_the_outline_runs_around_the_region_and_not_around_cells(photo):
    page = paint(photo, thirds())
    side = photo.shape[1] // 3
    first, second, third = SOLID_BANDS
    outline = page[100, side - third : side]
    assert (outline[third - second : third - first] == LIGHT).all()
    assert (outline[-1] == DARK).all() and (outline[0] == DARK).all()
    cell = photo.shape[1] // 12
    inner = page[cell * 3 - 4 : cell * 3 + 4, cell * 2 - 4 : cell * 2 + 4]
    before = photo[cell * 3 - 4 : cell * 3 + 4, cell * 2 - 4 : cell * 2 + 4]
    np.testing.assert_array_equal(inner, before)


def test_reported_but_undecided_cells_get_dashes():
    photo = np.full((120, 120, 3), 128, dtype=np.uint8)
    labels = np.zeros((3, 3), dtype=np.int8)
    reported = np.zeros((3, 3), dtype=bool)
    reported[1, 1] = True
    page = paint(photo, Cells(labels, reported))
    edge = (page[42, 44:76] == LIGHT).all(1)
    assert 0.3 < edge.mean() < 0.7
    changes = np.abs(np.diff(edge.astype(int))).sum()
    assert 3 <= changes <= 6
    plain = paint(photo, Cells(labels, np.zeros((3, 3), dtype=bool)))
    assert not (plain == LIGHT).all(2).any()


def test_swatches_are_the_painters_and_all_differ():
    photo = np.random.Generator(np.random.Philox(3)).integers(60, 200, (64, 64, 3), dtype=np.uint8)
    kinds = [(1, False), (0, True), (0, False), (-1, False)]
    greys = [
        np.asarray(pictures._swatch(photo, *kind).convert("L")).astype(float) for kind in kinds
    ]
    for i, one in enumerate(greys):
        for other in greys[i + 1 :]:
            assert np.abs(one - other).mean() > 8


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="5×5 cells does not divide 12×12 pixels"):
        paint(
            np.zeros((12, 12, 3), np.uint8),
            Cells(np.zeros((5, 5), np.int8), np.zeros((5, 5), bool)),
        )
    with pytest.raises(ValueError, match="both must be the grid's"):
        Cells(np.zeros((5, 5), np.int8), np.zeros((5, 4), bool))


@pytest.mark.parametrize("side", [16, 28, 224, 260, 700])
def test_photos_are_enlarged_by_whole_factors(side):
    photo = np.random.Generator(np.random.Philox(side)).integers(0, 255, (side, side, 3), np.uint8)
    large = pictures.enlarge(photo)
    assert large.shape[0] % side == 0 and 450 < large.shape[0] <= 900
    factor = large.shape[0] // side
    if side < 64:
        np.testing.assert_array_equal(large[::factor, ::factor], photo)


WORDS = st.text("abcdefghij σℓ≥", min_size=1, max_size=200)


@given(WORDS, st.integers(120, 700))
def test_wrapped_lines_fit_and_keep_every_word(text, room):
    lines = lettering.wrap(text, 17, room)
    assert " ".join(lines).split() == text.split()
    assert all(lettering.width(line, 17) <= room or " " not in line for line in lines)


@pytest.mark.parametrize("sign", sorted(lettering.SIGNS))
@pytest.mark.parametrize("size", [14, 25])
def test_our_signs_have_ink_within_their_advance(sign, size):
    page = Image.new("L", (3 * size, 2 * size), 0).convert("RGB")
    lettering.write(page, (size, 1.5 * size), sign, size, (255, 255, 255))
    rows, columns = np.nonzero(np.asarray(page)[..., 0] > 60)
    assert len(rows) > size / 2
    assert columns.min() >= size - 1
    assert columns.max() <= size + lettering.width(sign, size) + 1
    assert rows.max() <= 1.5 * size + 1 and rows.min() >= 0.7 * size


def test_what_the_font_lacks_is_written_otherwise():
    assert lettering.legible("crème brûlée, σ ≥ 2 ± 1, 猫") == "creme brulee, σ ≥ 2 ± 1, ?"


@pytest.mark.parametrize("side", [16, 224])
def test_nothing_touches_the_margins(side):
    photo = np.full((side, side, 3), 200, dtype=np.uint8)
    long = Legend(
        "A title that is far too long for one line, and so has to be wrapped onto a second one",
        tuple((f"fact number {i}", "some value") for i in range(12)),
        ("At least 31 of the 49 most important regions stay the most important. " * 4,),
    )
    cells = Cells(np.ones((4, 4), np.int8), np.ones((4, 4), bool))
    for made in (pictures.regions(photo, cells, long), pictures.overlay(photo, np.eye(4), long)):
        page = np.asarray(made)
        inner = page[MARGIN:-MARGIN, MARGIN:-MARGIN]
        assert (inner != PAPER).any()
        page = page.copy()
        page[MARGIN:-MARGIN, MARGIN:-MARGIN] = PAPER
        assert (page == PAPER).all()
        # Text ends before the column does: nothing was cut off at its edge.
        assert (inner[-60:, -1] == PAPER).all()


def test_png_is_the_picture_and_always_the_same_bytes():
    photo = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    pages = [pictures.overlay(photo, np.eye(4), LEGEND) for _ in range(2)]
    first, second = (pictures.png(page) for page in pages)
    assert first == second
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(first))), np.asarray(pages[0]))
