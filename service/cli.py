"""The command line: `affidavit --help` teaches it.

Exit status: 0 done; 1 it failed, or a document does not hold; 2 what was asked is not possible.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from certify.verify import main as verify_main
from service import keys as signing
from service.commands import api_keys, keys, output, replaying, serve, training, tune
from service.commands.complaints import Impossible, complaints
from service.commands.following import SAMPLING, SEEKING, follow
from service.commands.serve import settings
from service.commands.sources import Offline, Remote, Source
from service.decoys import options as decoy_options
from service.decoys.output import in_words
from service.drawing import report as reports

HELP = (
    "Saliency maps under oath.\n\n"
    "Which parts of this picture did the model look at, and how far can anyone tamper with the "
    "picture before that answer changes? Answered with a map, a proof and a document that anyone "
    "can verify.\n\n"
    "Exit status: 0 done; 1 it failed, or a document does not hold; 2 what was asked is not "
    "possible."
)
app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False)
app.add_typer(keys.app, name="keys")
app.add_typer(api_keys.app, name="api-keys")
said = Console()
LOOKING = {"smoothgrad": SAMPLING, "renyi": SAMPLING, "dance": SEEKING}

Image = Annotated[Path, typer.Argument(help="The photograph: JPEG, PNG or WebP.")]
Server = Annotated[
    str | None, typer.Option(help="Ask this server, e.g. http://127.0.0.1:8000; else compute here.")
]
Out = Annotated[Path, typer.Option(help="Folder for the files that are written.")]
Model = Annotated[str | None, typer.Option(help="One of the names that `affidavit models` lists.")]
Target = Annotated[int | None, typer.Option(help="Class index; else the predicted class.")]
Cell = Annotated[int | None, typer.Option(help="Side of a region in pixels.")]
Scale = Annotated[
    float | None, typer.Option(help="Standard deviation of the noise, [0, 1] intensity.")
]
Votes = Annotated[int | None, typer.Option(help="Regions that each noisy map votes for.")]
Score = Annotated[
    str | None, typer.Option(help="Points by rank in a noisy map: vote, linear or sigmoid.")
]
Attribution = Annotated[
    str | None,
    typer.Option(help="Base map: gradient, lrp, …; a model's card lists them, and its default."),
]
Precision = Annotated[
    str | None,
    typer.Option(help="Arithmetic of the network: float32, bfloat16, float16, on GPUs tf32."),
]
Lanes = Annotated[
    int | None,
    typer.Option(help="Pictures in one pass of the network; `affidavit tune` measures some."),
]
Samples = Annotated[int | None, typer.Option(help="Noisy pictures to draw.")]
Key = Annotated[str | None, typer.Option(help="The noise, as 32 hexadecimal digits; else fresh.")]
K = Annotated[int | None, typer.Option(help="Regions to report; or --fraction.")]
Fraction = Annotated[float | None, typer.Option(help="k as a share of all regions.")]
Overlap = Annotated[
    float | None, typer.Option(help="Ask: within which radius does this share stay?")
]
Radius = Annotated[
    float | None, typer.Option(help="Ask: how many stay under any change of this size?")
]
Failure = Annotated[
    float | None, typer.Option(help="How often the whole certificate may be wrong; 0.001.")
]
Confidence = Annotated[
    str | None, typer.Option(help="anytime (the default), or fixed: tighter, no early stop.")
]
Stop = Annotated[
    str | None, typer.Option(help="proven: end once overlap and radius are proven; or never.")
]
Norm = Annotated[str | None, typer.Option(help="How a change is measured: 1, 2 (default) or inf.")]
Law = Annotated[
    str | None,
    typer.Option(help="Noise: gaussian (default), laplace, generalized_normal, auto or liu2021."),
]
Shape = Annotated[int | None, typer.Option(help="Exponent of a generalized_normal law.")]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Say what is feasible and what it costs; draw nothing.")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="One noisy picture at a time: slower, no batch effects.")
]
PublicKey = Annotated[
    Path | None, typer.Option(help="Public key of who must have signed it, a PEM file.")
]


@app.command(
    help="Show which parts of a photograph the model looked at.\n\n"
    "Examples: affidavit explain photo.jpg --method smoothgrad --samples 200\n\n"
    "affidavit explain photo.jpg --method dance --tolerance 0.1 --decoys 4\n\n"
    "Writes overlay.png, map.npy and explanation.json; the pictures of decoys, if asked for.\n\n"
    + decoy_options.TEACHING
)
def explain(
    image: Image,
    method: Annotated[
        str,
        typer.Option(
            help="gradient or plain (quick), smoothgrad or renyi (under noise), dance (decoys)."
        ),
    ] = "smoothgrad",
    model: Model = None,
    target: Target = None,
    attribution: Attribution = None,
    cell: Cell = None,
    scale: Scale = None,
    votes: Votes = None,
    score: Score = None,
    precision: Precision = None,
    lanes: Lanes = None,
    samples: Samples = None,
    key: Key = None,
    scheme: decoy_options.Scheme = None,
    layer: decoy_options.Layer = None,
    patch: decoy_options.Patch = None,
    stride: decoy_options.Stride = None,
    tolerance: decoy_options.Tolerance = None,
    cap: decoy_options.Cap = None,
    steps: decoy_options.Steps = None,
    decoys: decoy_options.Shown = None,
    server: Server = None,
    out: Out = Path("out"),
) -> None:
    """Its help is above: part of it stands with the options."""
    options = locals()
    with complaints():
        fields, source, photo = _request(options), _source(server), _read(image)
        doing = LOOKING.get(method, "looking")
        answer = asyncio.run(follow(source.explain(photo, fields), said, doing))
        output.print_prediction(said, answer.prediction, answer.label)
        if answer.decoys is not None:
            output.print_words(said, in_words(answer.decoys))
        output.print_files(said, output.write_explanation(answer, out))


@app.command()
def certify(
    image: Image,
    k: K = None,
    fraction: Fraction = None,
    overlap: Overlap = None,
    radius: Radius = None,
    model: Model = None,
    target: Target = None,
    attribution: Attribution = None,
    cell: Cell = None,
    scale: Scale = None,
    votes: Votes = None,
    score: Score = None,
    precision: Precision = None,
    lanes: Lanes = None,
    samples: Samples = None,
    failure_probability: Failure = None,
    confidence: Confidence = None,
    norm: Norm = None,
    law: Law = None,
    shape: Shape = None,
    stop: Stop = None,
    strict: Strict = False,
    estimate: Estimate = False,
    key: Key = None,
    server: Server = None,
    out: Out = Path("out"),
) -> None:
    """Prove how far a photograph can be tampered with before its explanation changes.

    Example: affidavit certify photo.jpg --radius 0.05 --samples 1000

    Writes overlay.png, regions.png, certificate.json, map.npy, radii.npy and report.html.
    """
    options = locals()
    with complaints():
        _prove(options, _read(image), out)


def _prove(options: dict[str, Any], photo: bytes, out: Path) -> None:
    fields, server = _request(options), options["server"]
    source = _source(server)
    if options["estimate"]:
        return output.print_estimate(said, asyncio.run(source.estimate(photo, fields)))
    answer = asyncio.run(follow(source.certify(photo, fields), said, SAMPLING))
    output.show_certificate(said, answer, out)
    output.print_files(said, reports.beside(out, photo, settings(), ours=server is None))


@app.command()
def report(
    document: Annotated[Path, typer.Argument(help="A certificate document.")],
    photo: Annotated[Path, typer.Option(help="The photograph that it is about.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    key: PublicKey = None,
) -> None:
    """Write one page about a document that opens offline: map, proof, words, how to verify.

    Example: affidavit report out/certificate.json --photo photo.jpg --out report.html

    Checks the document first and writes nothing, with exit status 1, if it does not hold.
    """
    with complaints():
        public = signing.public(key) if key else None
        limit, data = settings().max_pixels, _read(document)
        page = reports.html(data, _read(photo), key=public, max_pixels=limit, name=document.name)
        output.print_files(said, reports.write(out, page))


@app.command()
def verify(
    document: Annotated[Path, typer.Argument(help="A certificate document.")],
    key: PublicKey = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="The photograph: run the model on it again and count differing votes."),
    ] = None,
) -> None:
    """Check a certificate document: recompute every claim from the evidence in it.

    Examples: affidavit verify out/certificate.json
    affidavit verify out/certificate.json --key maker.pem.pub --replay photo.jpg

    Needs no model and no server, unless --replay draws the evidence itself again. A replay fails if
    picture or weights are not the document's, or if more than one vote in a hundred differs; on the
    same kind of machine none does. Exit status 1 if something does not hold.
    """
    options = [str(document), *(["--key", str(key)] if key else [])]
    status = verify_main(options)
    if replay is not None and not status:
        with complaints():
            status = replaying.run(_read(document), _read(replay), settings(), said)
    raise typer.Exit(status)


@app.command()
def models(server: Server = None) -> None:
    """List the models that can be explained.

    Example: affidavit models
    """
    with complaints():
        output.print_models(said, asyncio.run(_source(server).models()))


for command in (serve.serve, serve.workers, serve.worker):
    app.command()(command)
app.command()(tune.tune)
app.command()(training.train)
app.command()(training.evaluate)


def main() -> None:
    """Entry point of the `affidavit` command."""
    app()


def _request(options: dict[str, Any]) -> dict[str, Any]:
    """The request that these options make, without where to read and write."""
    local = {"image", "server", "out", "estimate"}
    return {name: v for name, v in options.items() if v is not None and name not in local}


def _source(server: str | None) -> Source:
    return Remote(server) if server else Offline(settings())


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise Impossible(f"cannot read {image}: {error.strerror}") from None
