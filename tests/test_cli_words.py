"""`followup triage` explains free words, one text or many lines."""

import json

from typer.testing import CliRunner

from bot.cli import cli


def test_one_text_is_explained() -> None:
    shown = CliRunner().invoke(cli, ["triage", "没发烧但是拉黑便"])
    assert shown.exit_code == 0
    lines = {line.split(maxsplit=1)[0]: line for line in reversed(shown.output.splitlines()) if line.strip()}
    assert "red_come" in lines["urgency"]
    assert "T10-gut-bleed" in lines["because"]
    assert "GI_BLEED: 拉黑便 -> positive" in shown.output
    assert "FEVER: 发烧 -> negated (没)" in shown.output
    assert "120" in shown.output


def test_doubt_says_that_the_bot_would_ask_and_in_which_language() -> None:
    shown = CliRunner().invoke(cli, ["triage", "如果发烧怎么办", "--lang", "en"])
    assert "yes, it may be red_come" in shown.output
    assert "Is what you wrote happening to you now?" in shown.output


def test_words_that_nothing_explains_go_to_staff() -> None:
    assert "staff queue" in CliRunner().invoke(cli, ["triage", "你好"]).output


def test_each_line_gets_a_line_and_a_broken_one_stops_nothing() -> None:
    given = '{"id": "a", "text": "我发烧了"}\n\nnot json\n{"id": 2, "text": "last year I had chest pain"}\n[]\n'
    shown = CliRunner().invoke(cli, ["triage", "--jsonl"], input=given)
    first, second = (json.loads(line) for line in shown.output.splitlines() if line.startswith("{"))
    assert (first["id"], first["urgency"], first["danger_check"]) == ("a", "red_come", False)
    assert first["concepts"][0]["words"] == ["发烧了"]
    assert first["because"] == ["T03-not-measured-few-neutrophils"]
    assert (second["id"], second["urgency"], second["danger_check"]) == (2, "green", True)
    assert "2 line(s)" in str(shown.exception)
    assert "3, 5" in str(shown.exception)


def test_nothing_to_judge_is_said() -> None:
    assert CliRunner().invoke(cli, ["triage"]).exception is not None
    assert "no language" in str(CliRunner().invoke(cli, ["triage", "x", "--lang", "fr"]).exception)
