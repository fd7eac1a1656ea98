"""The site's official words for the scores of the check-in: what they replace, and what is wrong with a file."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.protocol import bundled
from bot.protocol.load import ProtocolFaulty
from bot.protocol.site_items import with_site_items
from bot.texts import bundled_texts

TRIAL = bundled()
SCORED = [item for each in TRIAL.questionnaires.values() for item in each.items if item.attribute]


def whole() -> dict[str, Any]:
    """Return a file with made-up words for everything."""
    five = {language: [f"{language} {score}" for score in range(5)] for language in ("zh", "en")}
    return {
        "version": "form 1",
        "source": "the form builder",
        "answers": dict.fromkeys(("frequency", "severity", "interference"), five),
        "items": {item.id: {"zh": f"问 {item.id} {{x}}", "en": f"Ask {item.id}"} for item in SCORED},
    }


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "items.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_without_a_file_our_own_words_count() -> None:
    assert with_site_items(TRIAL, None) == (TRIAL, {})


def test_the_sites_words_take_the_place_of_ours_and_the_version_says_so(tmp_path: Path) -> None:
    protocol, words = with_site_items(TRIAL, written(tmp_path, whole()))
    texts = bundled_texts().said_as(words)
    assert texts.text("checkin.fatigue.severity", "zh") == "问 fatigue_severity {x}"
    assert texts.text("checkin.severity.3", "en") == "en 3"
    assert texts.text("checkin.dangers.ask", "en") == bundled_texts().text("checkin.dangers.ask", "en")
    assert protocol.questionnaires["weekly"].version == "1.0+form 1"
    assert protocol.questionnaires["unwell"].version == TRIAL.questionnaires["unwell"].version


BROKEN = [
    pytest.param({"version": " "}, ["version: is empty"], id="no version"),
    pytest.param(
        {"items": {"headache": {"zh": "x", "en": "x"}}}, ["no scored question", "missing"], id="unknown item"
    ),
    pytest.param({"items": {}}, ["fatigue_severity"], id="no items"),
    pytest.param({"answers": {}}, ["severity: the answers of this attribute are missing"], id="no answers"),
    pytest.param(
        {"answers": {"severity": {"zh": ["a"], "fr": ["a"]}}},
        ["words in en are missing", "unknown language fr", "five different answers"],
        id="every problem at once",
    ),
    pytest.param({"wording": {}}, ["wording"], id="unknown field"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_what_is_wrong_with_the_file_is_told(tmp_path: Path, change: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ProtocolFaulty) as faulty:
        with_site_items(TRIAL, written(tmp_path, {**whole(), **change}))
    assert all(each in str(faulty.value) for each in said)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProtocolFaulty, match="missing"):
        with_site_items(TRIAL, tmp_path / "nowhere.yaml")
