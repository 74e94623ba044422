"""docs/certificate.md describes the format as it is: every field, every limit that it states."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certify.confidence import split
from certify.document import TYPE, VERSION, dumps
from certify.evidence import VOTES_FEATURES
from certify.fields import LONGEST_LINE
from certify.noise import LAWS
from certify.plan import ATTRIBUTIONS, LARGEST_SIDE, PRECISIONS
from certify.reading import LARGEST_BYTES, LARGEST_FEATURES
from certify.scores import SCORES
from certify.signature import PAYLOAD_TYPE, seal

PAGE = (Path(__file__).parents[2] / "docs" / "certificate.md").read_text()
PLAIN = re.sub(r"\s+", " ", PAGE)


def names(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        for name, value in data.items():
            yield name
            yield from names(value)
    elif isinstance(data, list) and data:
        yield from names(data[0])


def test_every_field_of_a_document_is_described(document: dict[str, Any]) -> None:
    fields = set(names(json.loads(dumps(document)))) - set(document["software"])
    routes = set(document["certificate"]["curve"][0]["routes"])
    missing = [n for n in fields - routes if not re.search(rf"`(recipe)?\.?{n}`", PAGE)]
    assert not missing


def test_every_field_of_an_envelope_is_described(document: dict[str, Any]) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for name in names(seal(dumps(document), key)):
        assert f'"{name}"' in PAGE
    assert PAYLOAD_TYPE in PAGE


def test_numbers_and_names_are_those_of_the_code() -> None:
    assert f"`{TYPE}`" in PAGE and f"| `version` | {VERSION} |" in PAGE
    assert LARGEST_BYTES == 1 << 28 and "at most 2^28 bytes" in PLAIN
    assert LARGEST_FEATURES == 1 << 24 and "1 to 2^24" in PLAIN
    assert f"null above {VOTES_FEATURES} features" in PLAIN
    assert f"at most {LONGEST_LINE} characters" in PLAIN
    assert f"sides at most {LARGEST_SIDE}" in PLAIN
    assert all(f"`{name}`" in PAGE for name in (*LAWS, *ATTRIBUTIONS, *PRECISIONS, *SCORES))
    for kept, words in ((True, "with single votes"), (False, "without")):
        shares = ", ".join(f"{share:g}" for share in asdict(split(kept)).values())
        assert f"{shares} {words}" in PLAIN
