"""What stands on the report's page, from top to bottom, and how it looks."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from certify import wording
from certify.document import KEY_SOURCES
from certify.exact import decimal
from certify.verify import CHOSEN_KEY
from service.drawing import chart
from service.drawing.markup import Markup, element, void

if TYPE_CHECKING:
    from service.drawing.report import Subject

# The page could not load anything even if something hostile had got into it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
ROWS = 10
STYLE = """
:root { --ink: #1a1a22; --faint: #6a6a76; --rule: #dcd8cc; --good: #2f6b3a; --warn: #8a4b00; }
* { box-sizing: border-box; }
body { margin: 0; background: #fcfbf8; color: var(--ink); overflow-wrap: anywhere;
  font: 16px/1.5 "Inter", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 32px 64px; }
header p, figcaption, .small { color: var(--faint); font-size: 14px; }
.kind { margin: 0; letter-spacing: .08em; text-transform: uppercase; font-size: 13px; }
h1 { font-size: 32px; line-height: 1.2; margin: 4px 0 6px; font-weight: 600; }
h2 { font-size: 20px; margin: 44px 0 10px; font-weight: 600; }
.claim { font-size: 23px; line-height: 1.4; margin: 26px 0 12px; padding-left: 18px;
  border-left: 5px solid var(--ink); }
.state { margin: 10px 0; padding: 10px 16px; border: 1px solid; border-left-width: 6px; }
.good { color: var(--good); } .warn { color: var(--warn); background: #fff8e8; }
.state strong { display: block; }
.pair { display: grid; grid-template-columns: 770fr 672fr; gap: 28px; margin-top: 28px; }
.pair > * { min-width: 0; }
figure { margin: 0; } figure img { width: 100%; height: auto; display: block; }
figcaption { margin-bottom: 8px; min-height: 3em; }
.chart { width: 100%; height: auto; font-size: 13px; } .chart text { fill: var(--ink); }
.key { list-style: none; margin: 0; padding: 0; font-size: 14px; columns: 2; }
.key li { display: flex; gap: 10px; align-items: center; break-inside: avoid; }
.key svg { flex: none; }
table { border-collapse: collapse; width: 100%; font-size: 14px; margin-top: 22px; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 600; } th[scope=row] { font-weight: 400; color: var(--faint); width: 34%; }
.numbers td, .numbers th { font-variant-numeric: tabular-nums; }
code, pre { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { background: #f1eee6; padding: 12px 16px; white-space: pre-wrap; margin: 8px 0; }
footer { margin-top: 48px; border-top: 1px solid var(--rule); padding-top: 14px; }
@media (max-width: 760px) { .pair { grid-template-columns: 1fr; } .key { columns: 1; } }
@media print { body { background: #fff; font-size: 12px; } main { padding: 0; max-width: none; }
  figure, table, .state, .chart, pre { break-inside: avoid; } h2 { break-after: avoid; }
  h1 { font-size: 24px; } .claim { font-size: 17px; } @page { margin: 16mm; } }
"""


def page(subject: "Subject", images: Mapping[str, str], name: str) -> str:
    """The whole page. images: data URLs of map, regions and photo. name: the document's file."""
    label = subject.document.subject.label
    title = f"What stays important for {label}"
    head = element(
        "head",
        void("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} – certificate report"),
        element("style", Markup(STYLE)),
    )
    parts = (
        _header(subject, title, name),
        *_states(subject),
        *_words(subject),
        _figures(subject, images),
        *_curve(subject),
        *_verifying(subject, name),
        *_settings(subject, images),
        *_limits(),
    )
    body = element("body", element("main", *parts))
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _header(subject: "Subject", title: str, name: str) -> Markup:
    document = subject.document
    return element(
        "header",
        element("p", "Affidavit · report of a certificate", class_="kind"),
        element("h1", title),
        element("p", f"{subject.title} · issued {document.issued} · {document.identifier}"),
        element("p", f"document {name}, SHA-256 {subject.digest}"),
    )


def _states(subject: "Subject") -> Iterator[Markup]:
    """Whether it holds, who vouches for it, and who chose the noise."""
    checks = "; ".join(f"{each.name}: {each.found}" for each in subject.report.checks)
    yield _state("good", "The document holds.", f"Recomputed for this page. {checks}.")
    signature = subject.report.signature
    if subject.checked:
        yield _state("good", "Signed.", signature)
    else:
        yield _state("warn", "Nobody vouches for the evidence.", signature)
    if subject.document.subject.key_source == KEY_SOURCES[1]:
        yield _state("warn", "The noise was chosen.", CHOSEN_KEY)


def _state(kind: str, heading: str, text: str) -> Markup:
    return element("div", element("strong", heading), text, class_=f"state {kind}")


def _words(subject: "Subject") -> Iterator[Markup]:
    first, *others = subject.report.words
    yield element("p", first, class_="claim")
    yield element("ul", *(element("li", line) for line in others if line != CHOSEN_KEY))


def _figures(subject: "Subject", images: Mapping[str, str]) -> Markup:
    plan, radius = subject.document.plan, subject.answer[1]
    size = wording.size(radius, subject.document.question.norm)
    within = f"within {size}" if radius else "within any radius at all"
    captions = {
        "map": f"{wording.map_means(plan)}, over the picture in grey.",
        "regions": f"Which regions keep their label {within}: each is proven by itself, and all "
        "hold at once with the stated confidence.",
    }
    return element(
        "div",
        *(
            element("figure", element("figcaption", text), void("img", src=images[each], alt=text))
            for each, text in captions.items()
        ),
        class_="pair",
    )


def _curve(subject: "Subject") -> Iterator[Markup]:
    certificate, norm = subject.certificate, wording.size(0.0, subject.document.question.norm)
    unit = f"{norm.removesuffix(' 0')} in [0, 1] intensity"
    yield element("h2", "How many stay, against the size of the change")
    yield element(
        "p",
        f"Of the {certificate.k} regions of most votes, at least this share stays in every top "
        f"{certificate.k} of the map under noise, whatever the change, up to its size. Each line "
        "is a proof of its own from the same samples; the certificate claims the best.",
    )
    yield chart.curve(certificate.curve, certificate.k, subject.answer, unit)
    yield chart.key(certificate.curve)
    yield _table(subject)


def _table(subject: "Subject") -> Markup:
    """Up to ROWS points of the curve, the proven ones first choice."""
    certificate, wanted = subject.certificate, []
    proven = [point for point in certificate.curve if point.radius]
    for number in range(min(ROWS, len(proven))):
        wanted.append(proven[number * (len(proven) - 1) // max(1, min(ROWS, len(proven)) - 1)])
    if not wanted:
        return element("p", "Nothing is proven about how many stay.")
    heads = ("at least this many stay", "share", "under any change up to", "proven by")
    rows = (
        (
            f"{point.at_least} of {certificate.k}",
            f"{100 * point.at_least // certificate.k} %",
            repr(point.radius),
            point.route,
        )
        for point in wanted
    )
    head = element("tr", *(element("th", each, scope="col") for each in heads))
    body = (element("tr", *(element("td", each) for each in row)) for row in rows)
    return element("table", head, *body, class_="numbers")


def _verifying(subject: "Subject", name: str) -> Iterator[Markup]:
    key = " --key MAKER.pub" if subject.checked or "key" in subject.report.signature else ""
    yield element("h2", "How to verify")
    yield element(
        "p",
        "This page proves nothing by itself: anyone can write a page. The document does, and its "
        "verifier needs no network, no model and none of our servers. It recomputes every number "
        "above from the votes in the document:",
    )
    yield element("pre", f"sha256sum {name}\npython -m certify.verify {name}{key}")
    yield element(
        "p",
        "The first line must print the SHA-256 at the top of this page. Take the maker's public "
        "key from the maker, not from whoever sent the document. Whoever has the photograph and "
        "the model can also draw the evidence again and count the votes that differ, 0 on the same "
        "kind of machine:",
    )
    yield element("pre", f"affidavit verify {name}{key} --replay PHOTO")


def _settings(subject: "Subject", images: Mapping[str, str]) -> Iterator[Markup]:
    yield element("h2", "What was done")
    rows = (
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in _facts(subject)
    )
    yield element("table", *rows)
    text = "The picture as the network saw it, pixel for pixel."
    photo = void("img", src=images["photo"], alt=text, style="width: 224px; margin-top: 16px")
    yield element("figure", photo, element("p", text, class_="small"))


def _facts(subject: "Subject") -> Iterator[tuple[str, str]]:
    """Everything the document says about how it came about, but for the evidence itself."""
    document = subject.document
    plan, question, recipe = document.plan, document.question, document.plan.recipe
    yield "model", f"{subject.title} ({plan.model})"
    yield "weights, SHA-256", plan.weights
    yield "picture, SHA-256 of its pixels", plan.image
    yield "picture, size", f"{plan.height}×{plan.width}, {plan.channels} channels"
    yield "photograph, SHA-256 of the file", document.subject.file
    yield "decoded by", document.subject.decoder
    yield "class explained", f"{plan.target}: {document.subject.label}"
    yield (
        "regions",
        f"{plan.features}, each {recipe.cell}×{recipe.cell} pixels; {question.k} reported",
    )
    yield "samples", f"{document.evidence.samples}, of {question.samples} asked for"
    for name, value in asdict(recipe).items():
        yield f"recipe: {name}", str(value)
    yield "noise key", f"{plan.key}, chosen by the {_chooser(subject)}"
    yield "failure probability", f"{question.failure_probability!r}, bounds {question.confidence}"
    shares = asdict(document.split).items()
    parts = (f"{name} {float(decimal(share) * 100):g} %" for name, share in shares)
    yield "of which", ", ".join(parts)
    yield "evidence, SHA-256", document.evidence_digest
    yield "software", ", ".join(f"{name} {version}" for name, version in document.software.items())


def _chooser(subject: "Subject") -> str:
    fresh = subject.document.subject.key_source == KEY_SOURCES[0]
    return "service, at random" if fresh else "caller"


def _limits() -> Iterator[Markup]:
    yield element("h2", "What this does not mean")
    sentences = (
        "Not that the map is right: it says what the network looks at, not whether that makes "
        "sense.",
        "Nothing about the plain gradient, which is not stable: the claim is about the map under "
        "noise.",
        "Nothing about larger changes: there it is only that nothing is proven.",
        "Nothing about changes made before the photograph was decoded and resized.",
        "The verifier sees that the claims follow from the evidence. That the evidence came from "
        "this network and picture, the signature vouches for and a replay shows.",
    )
    yield element("ul", *(element("li", sentence) for sentence in sentences))
    yield element("footer", "Made by affidavit report from the document alone.", class_="small")
