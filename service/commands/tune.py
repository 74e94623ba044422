"""`affidavit tune`: which precision and how many lanes are quick on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from models import images
from models.devices import choose
from models.registry import Card, card, cards, weights_file
from models.trials import Trial
from service.commands.complaints import Impossible, complaints
from service.commands.serve import settings
from service.pool import tuning
from service.pool.allocator import keep_memory
from service.settings import Settings, bundled_photo

if TYPE_CHECKING:
    from models.tuning import Picture

said = Console()
LEAST_LANES = 8

Model = Annotated[
    str | None, typer.Argument(help="A name that `affidavit models` lists; else all that are here.")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Seconds = Annotated[float, typer.Option(min=0.0, help="For each precision and number of lanes.")]


def tune(model: Model = None, device: Device = None, seconds: Seconds = 0.5) -> None:
    """Measure which precision and how many lanes are quick on this machine; takes some seconds.

    Example: affidavit tune efficientnet-lite0

    Changes nothing that is computed: both are options of a request (--precision, --lanes) and
    stand on the document. What is found is kept in AFFIDAVIT_DATA_DIR, and the server says it when
    it starts. One thread computes, as in a worker.
    """
    with complaints():
        here = settings(device=device)
        for known in _cards(model):
            trials = measure(here, known, seconds)
            said.print(_table(known, trials))
            for line in tuning.advice(known, trials):
                said.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
            kept = tuning.keep(here, known, trials)
            said.print(f"  kept in {kept}\n", highlight=False, markup=False, soft_wrap=True)


def measure(here: Settings, known: Card, seconds: float) -> list[Trial]:
    """The trials of one model. Loads torch. Raises DeviceError, WeightsError."""
    keep_memory()
    try:
        from models.gpu.sampler import opened
        from models.loading import Network
        from models.replay import one_thread
        from models.tuning import tune as trials_of
        from models.weights import WeightsError
    except ImportError as error:
        raise Impossible(f"tuning runs the network, which needs torch: {error}") from None
    most = max(here.max_lanes, known.lanes)
    lanes = [number for number in known.batches if LEAST_LANES <= number <= most]
    try:
        with one_thread(), said.status(f"measuring {known.name}"):
            sampler = opened(Network(known, choose(here.device)))
            return trials_of(sampler, _picture(known), lanes, seconds)
    except WeightsError as error:
        raise Impossible(str(error)) from None


def _cards(model: str | None) -> list[Card]:
    if model is not None:
        return [card(model)]
    found = [each for each in cards().values() if weights_file(each).exists()]
    if not found:
        raise Impossible("no model has its weights here; run `make setup`")
    return found


def _picture(known: Card) -> "Picture":
    """The bundled photograph as the model sees it; without it a plain one, which is as fast."""
    photo = bundled_photo()
    if photo.exists():
        return images.read(photo.read_bytes(), known, max_pixels=1 << 26)
    import numpy as np

    rows = np.arange(known.size, dtype=np.uint8)
    return np.broadcast_to(rows[:, None, None], (known.size, known.size, 3)).copy()


def _table(known: Card, trials: list[Trial]) -> Table:
    heads = ("precision", "lanes", "samples/s", "cosine", "equal votes", "equal classes")
    base = known.defaults.attribution
    table = Table(*heads, title=f"{known.name}, {base}", box=None, padding=(0, 2))
    for each in trials:
        table.add_row(
            each.precision,
            str(each.lanes),
            f"{each.samples_per_second:g}",
            f"{each.cosine:.5f}",
            f"{each.equal_votes:.1%}",
            f"{each.equal_predictions:.1%}",
        )
    return table
