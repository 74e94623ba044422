"""Settings: what the environment may say, and that docs/operating.md says the same."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings, bundled_photo

MANUAL = Path(__file__).parents[2] / "docs" / "operating.md"
ROW = re.compile(r"^\| `(AFFIDAVIT_\w+)` \| `([^`]+)` \| (.+) \|$", re.MULTILINE)


def test_the_manual_lists_every_setting_with_its_default_and_help() -> None:
    listed = {name: (default, says) for name, default, says in ROW.findall(MANUAL.read_text())}
    fields = Settings.model_fields
    expected = {
        f"AFFIDAVIT_{name.upper()}": (_shown(field.default), field.description)
        for name, field in fields.items()
    }
    assert listed == expected


def _shown(default: object) -> str:
    return "unset" if default is None else str(default)


def test_environment_overrides_and_arguments_override_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFFIDAVIT_PORT", "9001")
    monkeypatch.setenv("AFFIDAVIT_MAX_SAMPLES", "77")
    assert Settings().port == 9001
    assert Settings(port=9002).port == 9002
    assert Settings(port=9002).max_samples == 77


@pytest.mark.parametrize(
    ("name", "value"), [("port", "65536"), ("workers", "-1"), ("max_samples", "-1")]
)
def test_values_outside_their_rule_are_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AFFIDAVIT_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


def test_settings_cannot_change_while_the_service_runs() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_the_bundled_photo_is_there_with_its_licence() -> None:
    photo = bundled_photo()
    assert photo.read_bytes()[:3] == b"\xff\xd8\xff"
    assert photo.name in (photo.parent / "README.md").read_text()
