"""The verifier: accepts what follows from the evidence, and nothing else."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.document import dumps
from certify.verify import main, render, verify

JSON = dict[str, Any]


def changed(document: JSON) -> JSON:
    copy: JSON = json.loads(dumps(document))
    return copy


def failed(data: bytes) -> list[str]:
    report = verify(data)
    assert not report.holds
    assert report.words == () or "claims" in [c.name for c in report.checks]
    return [check.name for check in report.checks if not check.holds]


def test_an_honest_document_holds_and_says_so(document: JSON) -> None:
    report = verify(dumps(document))
    assert report.holds
    assert report.words[1] == (
        "At least 3 of the 3 most important regions stay the most important under any change of "
        "ℓ2 size 0.1; confidence 99.9 %."
    )


def test_white_space_and_field_order_do_not_matter(document: JSON) -> None:
    assert verify(json.dumps(dict(reversed(document.items())), indent=3).encode()).holds


@pytest.mark.parametrize("index", range(3))
def test_a_raised_radius_is_noticed(document: JSON, index: int) -> None:
    forged = changed(document)
    forged["certificate"]["curve"][index]["radius"] += 1e-7
    assert failed(dumps(forged)) == ["claims"]


def test_a_lowered_radius_is_noticed_too(document: JSON) -> None:
    """Weaker is sound, but it is not what the evidence says: documents are facts."""
    forged = changed(document)
    forged["certificate"]["feature_radii"][0] = 0
    assert failed(dumps(forged)) == ["claims"]


def test_other_reported_features_are_noticed(document: JSON) -> None:
    forged = changed(document)
    forged["certificate"]["reported"][0] = 1
    assert failed(dumps(forged)) == ["claims"]


def test_a_raised_scale_is_noticed(document: JSON) -> None:
    forged = changed(document)
    forged["plan"]["recipe"]["scale"] = 0.5
    assert failed(dumps(forged)) == ["claims"]


def test_votes_that_do_not_give_the_counts_are_noticed(document: JSON) -> None:
    forged = changed(document)
    votes = np.frombuffer(base64.b64decode(forged["evidence"]["votes"]), np.uint8).copy()
    votes[7] ^= 0b10000000
    forged["evidence"]["votes"] = base64.b64encode(votes.tobytes()).decode()
    assert failed(dumps(forged)) == ["evidence digest", "counts"]


def test_counts_that_do_not_follow_from_votes_are_noticed(document: JSON) -> None:
    forged = changed(document)
    forged["evidence"]["counts"][0] += 1
    assert failed(dumps(forged)) == ["evidence digest", "counts"]


def test_what_follows_from_bad_evidence_is_not_computed(document: JSON) -> None:
    forged = changed(document)
    forged["evidence"]["sha256"] = "0" * 64
    assert [check.name for check in verify(dumps(forged)).checks][-1] == "counts"


def test_true_is_not_one(document: JSON) -> None:
    forged = changed(document)
    forged["certificate"]["reported"] = [
        True if index == 1 else index for index in forged["certificate"]["reported"]
    ]
    forged["certificate"]["curve"][-1]["at_least"] = True
    assert failed(dumps(forged)) == ["claims"]


@pytest.mark.parametrize("label", ["a\nb", "\x1b[31mred", "x" * 201, "\ud800"])
def test_words_of_the_issuer_stay_on_their_line(document: JSON, label: str) -> None:
    forged = json.loads(dumps(document))
    forged["subject"]["label"] = label
    assert failed(json.dumps(forged).encode()) == ["format"]


def test_the_class_is_named_by_its_number(document: JSON) -> None:
    forged = changed(document)
    forged["subject"]["label"] = "elephant"
    assert "keeps saying class 0 (elephant)" in verify(dumps(forged)).words[0]


def test_a_fixed_number_of_samples_is_a_condition_said_aloud(
    document: JSON, make_fixed: Any
) -> None:
    words = verify(dumps(make_fixed)).words
    assert any("Holds only if the number of samples, 500, was chosen before" in w for w in words)
    assert not any("Holds only if" in w for w in verify(dumps(document)).words)


@pytest.fixture
def make_fixed(document: JSON) -> JSON:
    """The same evidence as if 500 samples had been fixed beforehand."""
    from dataclasses import asdict

    from certify.certificate import certify
    from certify.document import statement
    from certify.reading import loads

    fixed = changed(document)
    fixed["question"]["confidence"] = "fixed"
    read = loads(dumps(fixed))
    fixed["certificate"] = statement(certify(read.plan, read.evidence, read.question))
    assert asdict(read.question)["samples"] == 500
    return fixed


@pytest.mark.parametrize("place", [("plan", "recipe", "scale"), ("asked", "radius")])
def test_numbers_beyond_all_floats_are_refused_not_crashed_on(
    document: JSON, place: tuple[str, ...]
) -> None:
    forged = changed(document)
    part = forged
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = 10**400
    assert failed(json.dumps(forged).encode()) == ["format"]


def test_many_fields_are_read_in_no_time(document: JSON) -> None:
    """Forty thousand names once took a quarter of a minute: each was counted among all."""
    pairs = ",".join(f'"n{i}":0' for i in range(40_000))
    assert failed(f'{{{pairs},"n0":1}}'.encode()) == ["format"]


def test_more_samples_than_asked_are_refused(document: JSON) -> None:
    forged = changed(document)
    forged["question"]["samples"] = 499
    assert failed(dumps(forged)) == ["claims"]


def test_another_split_of_the_failure_probability_is_noticed(document: JSON) -> None:
    other = changed(document)
    other["split"] = {"features": 0.5, "pairs": 0.3, "prediction": 0.2}
    assert failed(dumps(other)) == ["failure probability"]


@settings(max_examples=150)
@given(place=st.integers(0, 10**9), flip=st.integers(1, 255))
def test_a_changed_byte_never_strengthens_a_claim(document: JSON, place: int, flip: int) -> None:
    """Any one byte changed: the document fails, or everything it claims still follows."""
    honest = dumps(document)
    data = bytearray(honest)
    data[place % len(data)] ^= flip
    report = verify(bytes(data))
    if report.holds:
        claims = json.loads(bytes(data))["certificate"]
        assert claims == json.loads(honest)["certificate"]


def test_a_chosen_key_is_said_aloud(document: JSON) -> None:
    chosen = changed(document)
    chosen["subject"]["key_source"] = "request"
    report = verify(dumps(chosen))
    assert report.holds
    assert any("chosen by whoever asked" in line for line in report.words)


def test_the_command_reports_and_exits_by_the_result(
    document: JSON, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, none = (tmp_path / name for name in ("good.json", "bad.json", "none.json"))
    good.write_bytes(dumps(document))
    forged = changed(document)
    forged["certificate"]["curve"][0]["radius"] = 9.0
    bad.write_bytes(dumps(forged))
    assert main([str(good)]) == 0
    assert "holds. It says:" in capsys.readouterr().out
    assert main([str(bad)]) == 1
    assert "does NOT hold: rely on nothing in it" in capsys.readouterr().out
    assert main([str(none)]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_render_marks_what_failed(document: JSON) -> None:
    forged = changed(document)
    forged["certificate"]["reported"][0] = 5
    lines = render(verify(dumps(forged)), "x.json").splitlines()
    assert [line[:6] for line in lines[:5]] == ["ok    "] * 4 + ["FAILED"]


def test_verifying_loads_neither_torch_nor_the_web(document: JSON, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(dumps(document))
    code = (
        "import sys, certify.verify as v; status = v.main([sys.argv[1]]);"
        "bad = {'torch', 'fastapi', 'PIL', 'models', 'service', 'asyncio'} & set(sys.modules);"
        "print(sorted(bad)); sys.exit(status)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
