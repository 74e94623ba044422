"""What the command line may say about decoys, for method dance: the fields of a request."""

from typing import Annotated

import typer

from models.decoys.search import BASES, Search
from service.decoys.fields import MOST_SHOWN

PANEL = "Decoys, for --method dance"
TEACHING = (
    "Method dance asks how far the map moves when the photograph is swapped for decoys: pictures "
    "that the network's first layers cannot tell from it. Every decoy keeps all values of a layer "
    "within a tolerance; what was found is said, and explanation.json says it of each. Base maps "
    f"(--attribution): {', '.join(BASES)}."
)

Scheme = Annotated[
    str | None,
    typer.Option(
        help="lattice (default): all patches move that are too far apart to meet in a value of the "
        "layer; patches: one in each decoy, as published, and far more decoys.",
        rich_help_panel=PANEL,
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        help="Layer whose values stay; else the model's. One that it lacks is answered with a list "
        "of those that it has.",
        rich_help_panel=PANEL,
    ),
]
Patch = Annotated[
    int | None,
    typer.Option(help=f"Side of a patch in pixels; {Search.patch}.", rich_help_panel=PANEL),
]
Stride = Annotated[
    int | None,
    typer.Option(help="Pixels from patch to patch; else a patch's side.", rich_help_panel=PANEL),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="How far a value of the layer may move, in their standard deviations; "
        f"{Search.tolerance:g}.",
        rich_help_panel=PANEL,
    ),
]
Cap = Annotated[
    int | None,
    typer.Option(
        help=f"How far a decoy may be from the photograph, in grey levels; {Search.cap}.",
        rich_help_panel=PANEL,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(help=f"Steps of the search; {Search.steps}.", rich_help_panel=PANEL),
]
Shown = Annotated[
    int | None,
    typer.Option(
        help=f"Save so many decoys as pictures, {MOST_SHOWN} at most; none.", rich_help_panel=PANEL
    ),
]
