"""Broken copies of the shipped files: every fault is named with its file and id, all of them at once."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from bot.protocol import ProtocolFaulty, bundled, load
from bot.protocol.check import check, text_keys
from bot.protocol.load import BUNDLED, Folder, ProtocolProblem

SHIPPED = Path(__file__).parents[2] / "bot" / "protocol" / BUNDLED
TEXTS = {"en": text_keys(bundled()), "zh": text_keys(bundled())}


@pytest.fixture(scope="module", autouse=True)
def _unbroken_files_read_once() -> Iterator[None]:
    """Read each file of the same words once: in a copy that a test breaks, all but one are as they were."""
    reading = import_module("bot.protocol.load")
    real, known = reading.read, dict[tuple[str, bytes], Any]()

    def read(folder: Folder, name: str, shape: type[Any], problems: list[ProtocolProblem]) -> Any:
        file = folder / name
        key = (name, file.read_bytes()) if file.is_file() else None
        if key not in known:
            found = real(folder, name, shape, problems)
            if found is None or key is None:
                return found
            known[key] = found
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read", read)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped files that a test may break."""
    for file in SHIPPED.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def replace(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


BROKEN = [
    pytest.param("triage.yaml", "temperature_c, at_least: 38.0", "temp, at_least: 38.0",
                 "T01-fever-oral-ear-forehead", "unknown item: temp", id="unknown item in a rule"),
    pytest.param("triage.yaml", "one_of: [oral, ear, forehead]", "one_of: [oral, ear, nose]",
                 "T01-fever-oral-ear-forehead", "has no option nose", id="unknown option in a rule"),
    pytest.param("triage.yaml", "{fact: anc, below: 0.5}", "{fact: wbc, below: 0.5}",
                 "T03-low-grade-few-neutrophils", "unknown fact: wbc", id="unknown fact"),
    pytest.param("triage.yaml", "temperature_c, at_least: 38.0", "temperature_c, at_least: 48.0",
                 "T01-fever-oral-ear-forehead", "outside the limits", id="threshold out of limits"),
    pytest.param("triage.yaml", "{item: fever_signs, includes: [chills]}", "{item: fever_signs, equals: chills}",
                 "T01-chills", "cannot be compared", id="wrong comparison"),
    pytest.param("triage.yaml", "fires_for: [{temperature_c: 37.3}]", "fires_for: []",
                 "T03-low-grade", "fires_for has no example", id="rule without an example"),
    pytest.param("triage.yaml", "quiet_for: [{temperature_c: 37.2}]", "quiet_for: [{temperature_c: 37.4}]",
                 "T03-low-grade", "the rule fires", id="quiet example fires"),
    pytest.param("triage.yaml", "fires_for: [{temperature_c: 37.3}]", "fires_for: [{temperature_c: 37.2}]",
                 "T03-low-grade", "the rule stays quiet", id="firing example stays quiet"),
    pytest.param("triage.yaml", "fires_for: [{temperature_c: 37.3}]", "fires_for: [{temperature_c: warm}]",
                 "T03-low-grade", "is no answer", id="example that nobody can answer"),
    pytest.param("triage.yaml", "fires_for: [{temperature_c: 37.3}]", "fires_for: [{temp: 37.3}]",
                 "T03-low-grade", "unknown item temp", id="example with an unknown item"),
    pytest.param("triage.yaml", "id: T03-low-grade\n", "id: T01-chills\n",
                 "T01-chills", "given twice", id="two rules of one id"),
    pytest.param("triage.yaml", "tell_subject: triage.red_come.go", "tell_subject: triage.red_come.run",
                 "T01-fever-oral-ear-forehead", "no text 'triage.red_come.run' in zh", id="missing text"),
    pytest.param("items.yaml", "ask_if: {item: fever_place, one_of", "ask_if: {item: fever_site, one_of",
                 "temperature_c", "unknown item: fever_site", id="ask_if with an unknown item"),
    pytest.param("items.yaml", "ask_if: {item: bleeding_where, equals: urine}",
                 "ask_if: {all: [{item: bleeding_where, equals: urine}, {item: trouble, equals: fever}]}",
                 "urine_blood", "can never be asked", id="question that can never be asked"),
    pytest.param("items.yaml", "id: vaginal_amount", "id: urine_blood", "urine_blood", "given twice",
                 id="two items of one id"),
    pytest.param("items.yaml", "{id: oral, text: report.fever.place.oral}", '{id: oral, text: ""}',
                 "fever_place.oral", "text key is empty", id="option without text"),
    pytest.param("items.yaml", "{id: oral, text", "{id: axillary, text", "fever_place.axillary", "given twice",
                 id="two options of one id"),
    pytest.param("items.yaml", "accept_from: 34.0, accept_to: 42.5", "accept_from: 44.0, accept_to: 42.5",
                 "temperature_c", "window of accepted numbers is empty", id="empty limits"),
    pytest.param("items.yaml", "arms: [TG1, TG2]", "arms: [TG1, TG3]", "trouble.injection_site", "no such arm",
                 id="option of an unknown arm"),
    pytest.param("visits.yaml", "shortest_days: 21", "shortest_days: 36", "injection", "window is empty",
                 id="empty window"),
    pytest.param("visits.yaml", "initial_days: 7", "initial_days: 6", "cbc", "outside the window",
                 id="initial interval outside"),
    pytest.param("visits.yaml", "before_injection_days: 3", "before_injection_days: 7", "cbc", "overlap",
                 id="overlapping windows"),
    pytest.param("visits.yaml", "late_days: 3", "late_days: 8", "cbc", "below very_late_days",
                 id="late after very late"),
    pytest.param("visits.yaml", "arms: [TG1, TG2]", "arms: [CTRL, TG2]", "injection", "has no injections",
                 id="injection in the control arm"),
    pytest.param("visits.yaml", "on_demand_arms: [TG1]", "on_demand_arms: [CTRL]", "ferritin", "has no such visits",
                 id="on demand where there is none"),
    pytest.param("visits.yaml", "    longest_days: 21\n", "", "cbc", "window is empty", id="no longest interval"),
    pytest.param("visits.yaml", "near_cbc_days: 6", "near_cbc_days: 21", "ferritin", "below shortest_days",
                 id="moved by a whole interval"),
    pytest.param("visits.yaml", "kind: extra", "kind: extra\n    initial_days: 7", "extra", "do not recur",
                 id="interval of what does not recur"),
    pytest.param("visits.yaml", """  - kind: extra
    arms: [CTRL, TG1, TG2]
    late_days: 3
    very_late_days: 7
""", "", "extra", "there is no rule", id="kind without a rule"),
    pytest.param("visits.yaml", "after_injections: 3", "after_injections: 0", "evaluation", "above 0",
                 id="evaluation after nothing"),
    pytest.param("visits.yaml", "told_days_before: 10", "told_days_before: 0", "closures", "above 0",
                 id="closure told on its day"),
    pytest.param("reminders.yaml", "days_before: 1, at: \"18:00\"", "days_before: 3, at: \"10:00\"", "day_1",
                 "same time as day_3", id="two reminders at once"),
    pytest.param("reminders.yaml", 'ends: "08:00"', 'ends: "21:00"', "quiet_hours", "are empty",
                 id="no quiet hours"),
    pytest.param("reminders.yaml", "messages: 2", "messages: 0", "daily_limit", "at least one message",
                 id="no message a day"),
    pytest.param("reminders.yaml", 'visit_day_ends: "18:00"', 'visit_day_ends: "22:00"', "visit_day_ends",
                 "quiet hours", id="a visit's day that ends at night"),
    pytest.param("reminders.yaml", "after_hours: [3]", "after_hours: [0]", "remind_later", "above 0",
                 id="later that is now"),
    pytest.param("reminders.yaml", 'morning_at: "09:00"', 'morning_at: "07:00"', "remind_later", "quiet hours",
                 id="a morning at night"),
    pytest.param("reminders.yaml", "offered: 6", "offered: 0", "another_day", "at least one day",
                 id="no other day"),
    pytest.param("reminders.yaml", "from_days: 1", "from_days: 0", "another_day", "from tomorrow on",
                 id="another day that is today"),
    pytest.param("reminders.yaml", "code: tell, days_after: 2", "code: ask, days_after: 2", "ask", "given twice",
                 id="two steps of one code"),
    pytest.param("reminders.yaml", "code: ask, days_after: 1", "code: ask, days_after: 0", "ask", "has passed",
                 id="missed before its day is over"),
    pytest.param("reminders.yaml", "code: tell, days_after: 2", "code: tell, days_after: 1", "tell",
                 "does not come after ask", id="chase out of order"),
    pytest.param("reminders.yaml", "act: tell_staff", "act: ask_subject", "missed_visit", "no step tells staff",
                 id="chase that nobody hears of"),
    pytest.param("reminders.yaml", 'look_at: "09:00"', 'look_at: "07:00"', "reach", "in the quiet hours",
                 id="a look for the silent at night"),
    pytest.param("reminders.yaml", "unanswered_days: 2", "unanswered_days: 0", "reach", "above 0",
                 id="everybody is silent at once"),
    pytest.param("reminders.yaml", "again_days: 7", "again_days: 0", "reach", "above 0",
                 id="a closed task comes back at once"),
    pytest.param("reminders.yaml", "silent_days: 28", "silent_days: 21", "reach", "silent_days must be above 21",
                 id="silent between two visits"),
    pytest.param("reminders.yaml", "measures: [hb, plt, anc]", "measures: [hb, plt, anx]", "brief", "no such measure",
                 id="a brief of values that there are not"),
    pytest.param("reminders.yaml", 'brief: {at: "07:30"', 'brief: {at: "18:00"', "brief", "before visit_day_ends",
                 id="a brief after the visit"),
    pytest.param("reminders.yaml", 'weekly_digest: {at: "08:30"', 'weekly_digest: {at: "07:30"', "weekly_digest",
                 "quiet hours", id="a weekly digest at night"),
    pytest.param("protocol.yaml", "plt_below: 50", "plt_below: 60", "dose_band 50", "overlap",
                 id="overlapping dose bands"),
    pytest.param("protocol.yaml", "plt_below: 50", "plt_below: 40", "dose_band 50", "gap",
                 id="gap between dose bands"),
    pytest.param("protocol.yaml", "code: TASTE", "code: FORGOT", "FORGOT", "given twice", id="two reasons"),
    pytest.param("protocol.yaml", "age_to: 80", "age_to: 17", "entry", "leave nobody", id="no possible age"),
    pytest.param("adverse_events.yaml", 'llt: "10016558"', 'llt: "fever"', "fever", "not a code", id="a wordy code"),
    pytest.param("adverse_events.yaml", "id: chills", "id: fever", "fever", "given twice", id="two terms of one id"),
    pytest.param("adverse_events.yaml", "terms: [fever, chills", "terms: [feever, chills", "T01", "no such term",
                 id="a term that is not there"),
    pytest.param("adverse_events.yaml", "rules: [T42]", "rules: [T99]", "T99", "no rule begins",
                 id="a serious rule that is not there"),
    pytest.param("adverse_events.yaml", "told_hours_before: 4", "told_hours_before: 24", "serious", "must lie below",
                 id="told before the clock runs"),
    pytest.param("escalation.yaml", "roles: [on_duty, second_on_call]", "roles: [on_duty, surgeon]", "red",
                 "unknown role: surgeon", id="unknown role"),
    pytest.param("escalation.yaml", "- urgency: amber", "- urgency: ambre", "amber", "no chain of this name",
                 id="missing chain"),
    pytest.param("escalation.yaml", "- urgency: amber", "- urgency: ambre", "T03-low-grade",
                 "urgency amber has no chain", id="urgency without a chain"),
    pytest.param("escalation.yaml", "sent_minutes: 3", "sent_minutes: 5", "auditor", "must be below 5",
                 id="what never leaves would never be missed"),
    pytest.param("escalation.yaml", "limit_minutes: 2", "limit_minutes: 0", "auditor", "at least 1",
                 id="an auditor without grace"),
    pytest.param("escalation.yaml", "stops_after_minutes: 60", "stops_after_minutes: 0", "drill", "at least 1",
                 id="a drill of no length"),
    pytest.param("escalation.yaml", "roles: [everyone], repeat_minutes: 5", "roles: [everyone]", "red",
                 "must repeat", id="red that ends"),
    pytest.param("escalation.yaml", "after_minutes: 20", "after_minutes: 10", "red", "do not rise in time",
                 id="steps out of order"),
    pytest.param("lexicon.yaml", "measure: spo2, concept: OXYGEN", "measure: spo2, concept: OXYGENS", "spo2",
                 "unknown concept", id="number of an unknown concept"),
    pytest.param("lexicon.yaml", "when_resolved: amber", "when_resolved: red_120", "FEVER",
                 "more urgent", id="resolved is worse"),
    pytest.param("lexicon.yaml", "rule: T37-confused-seizure", "rule: T37-confusion", "CONFUSED",
                 "unknown rule: T37-confusion", id="concept of an unknown rule"),
    pytest.param("lexicon.yaml", "- {id: T46-plea,", "- {id: T47-new, source: none}\n  - {id: T46-plea,", "T47-new",
                 "can never fire", id="rule that nothing names"),
    pytest.param("lexicon.yaml", "parts: [forehead, hot]", "parts: [forehead, cold]", "FEVER", "unknown part: cold",
                 id="composition of an unknown part"),
    pytest.param("lexicon.yaml", "replaces: [BREATH_SHORT]", "replaces: [BREATH_SHORTS]", "BREATH_EFFORT",
                 "replaces an unknown concept", id="replaces what does not exist"),
    pytest.param("lexicon.yaml", "first: [LIVER]", "first: [LIVERS]", "LIVER_DANGER", "unknown concept: LIVERS",
                 id="combination of an unknown concept"),
    pytest.param("lexicon.yaml", "fires_for: [我发寒热了", "fires_for: [天气好", "FEVER", "stays quiet",
                 id="words that do not fire"),
    pytest.param("lexicon.yaml", "quiet_for: [没有发烧", "quiet_for: [发烧", "FEVER", "fires", id="words that fire"),
    pytest.param("lexicon.yaml", "      累死了, 吓死我了", "      胸口痛, 累死了, 吓死我了", "CHEST",
                 "can never fire: an idiom", id="word that an idiom swallows"),
    pytest.param("triage.yaml", "when: {item: site_look, equals: pus_sore_black}",
                 "when: {all: [{item: site_look, equals: pus_sore_black}, {fact: arm, equals: CTRL}]}",
                 "T29-site-open", "can never fire", id="rule for an option that its arm is not offered"),
    pytest.param("triage.yaml", "when: {item: stomach_what, includes: [severe_pain]}",
                 "when: {all: [{item: stomach_what, includes: [severe_pain]}, {item: trouble, equals: fever}]}",
                 "T32-severe-pain", "can never fire", id="rule for two branches"),
    pytest.param("triage.yaml", "score_at_least: 3", "score_at_least: 5", "P01-score-high", "can never fire",
                 id="impossible score"),
    pytest.param("triage.yaml", "quiet_for: [{score: 2}]", "quiet_for: [{score: 3}]", "P01-score-high",
                 "says otherwise", id="score whose example is wrong"),
    pytest.param("items_weekly.yaml", "follows: nausea_frequency", "follows: since_last", "nausea_severity",
                 "follows", id="score that follows none"),
    pytest.param("items_weekly.yaml", "{id: bleeding, text", "{id: bleeds, text", "week_dangers.bleeds",
                 "no such trouble", id="danger that nobody follows up"),
    pytest.param("course.yaml", "rules: [T34]", "rules: []", "T34-no-urine", "belongs to no row",
                 id="a danger that would be missing from the picture"),
    pytest.param("course.yaml", "rules: [LAB]", "rules: []", "LAB-platelets", "belongs to no row",
                 id="a rule of words without a row"),
    pytest.param("course.yaml", "T46, tablets]", "T46]", "tablets.SIDE_EFFECT", "belongs to no row",
                 id="a reason for tablets without a row"),
    pytest.param("course.yaml", "by_score: [P01-score-high, ", "by_score: [", "P01-score-high",
                 "any score can fire it", id="a rule of scores without a row"),
    pytest.param("course.yaml", "by_score: [P01", "by_score: [T40-mood, P01", "T40-mood", "reads scores alone",
                 id="a rule by score that reads more"),
    pytest.param("course.yaml", "scores: [skin_severity]", "scores: []", "skin_severity", "score belongs to no row",
                 id="a score without a row"),
    pytest.param("course.yaml", "scores: [skin_severity]", "scores: [skin_severity, pain_severity]", "pain_severity",
                 "given twice", id="a score in two rows"),
    pytest.param("course.yaml", "troubles: [stomach]", "troubles: [stomack]", "stomach", "trouble belongs to no row",
                 id="a trouble without a row"),
    pytest.param("course.yaml", "troubles: [stomach]", "troubles: [stomach, stomack]", "stomack", "no such trouble",
                 id="a trouble that nobody can name"),
    pytest.param("course.yaml", "measures: [spo2, pulse]", "measures: [spo2]", "pulse", "measure belongs to no row",
                 id="a measure without a row"),
    pytest.param("course.yaml", "rules: [T35]", "rules: [T35, T99]", "T99", "no rule begins", id="a row of no rule"),
    pytest.param("course.yaml", "rules: [T35]", "rules: [T35, T34]", "T34", "given twice", id="a rule in two rows"),
    pytest.param("course.yaml", "bot.]", "bot., T34]", "T34", "both in a row and apart", id="a danger put aside"),
    pytest.param("course.yaml", "bot.]", "bot., ' ']", "apart", "an empty beginning", id="everything put aside"),
    pytest.param("course.yaml", "    rest: true\n", "", "rest", "exactly one row", id="no row for the rest"),
    pytest.param("course.yaml", "id: eyes_ears", "id: pain", "pain", "given twice", id="two rows of one id"),
    pytest.param("course.yaml", "name: course.row.pain", "name: course.row.pains", "pain", "no text",
                 id="a row without a name"),
    pytest.param("reminders.yaml", "useful_days: 3", "useful_days: 7", "checkin", "before the next one",
                 id="check-in that overlaps the next"),
    pytest.param("reminders.yaml", "answerable_days: 3", "answerable_days: 7", "dose_prompt", "before the next",
                 id="a week of tablets that overlaps the next"),
    pytest.param("reminders.yaml", "reasons_minutes: 10", "reasons_minutes: 0", "dose_prompt", "above 0",
                 id="reasons that count at once"),
    pytest.param("reminders.yaml", "[SIDE_EFFECT]", "[SIDE_EFFECTS]", "SIDE_EFFECTS", "no such reason",
                 id="a reason that nobody can give"),
    pytest.param("reminders.yaml", "amber_run_days: 7", "amber_run_days: 3", "dose_prompt", "make no sense",
                 id="a long run that is no longer than a short one"),
    pytest.param("reminders.yaml", "unanswered: 5", "unanswered: 8", "", "8 of 7", id="more silence than questions"),
    pytest.param("protocol.yaml", "formulations: [dispersible, film_coated", "formulations: [dispersible",
                 "intake_texts film_coated", "cannot be ordered", id="how to take what nobody orders"),
    pytest.param("protocol.yaml", "text: dose.intake.dispersible", "text: dose.intake.powder",
                 "intake_texts dispersible", "no text", id="how to take it without words"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "entry", "message"), BROKEN)
def test_a_broken_copy_is_named_with_file_and_id(
    folder: Path, file: str, old: str, new: str, entry: str, message: str
) -> None:
    replace(folder, file, old, new)
    # Trying all words takes most of the time, and only the lexicon can be wrong about them.
    problems = check(folder, TEXTS, try_words=file == "lexicon.yaml")
    assert any(one.id == entry and message in one.message for one in problems), problems
    assert all(one.file.endswith(".yaml") for one in problems)


def test_a_text_that_one_language_lacks_is_named_for_that_language_only(folder: Path) -> None:
    (problem,) = check(folder, {"en": TEXTS["en"], "zh": TEXTS["zh"] - {"report.trouble.headache"}})
    assert str(problem) == "items.yaml: trouble.headache: no text 'report.trouble.headache' in zh"


UNREADABLE = [
    pytest.param("visits.yaml", "late_days: 3", "late_dayz: 3", "cbc", "late_dayz", id="unknown field"),
    pytest.param("visits.yaml", "shortest_days: 7\n", "shortest_days: 7.5\n", "cbc", "shortest_days",
                 id="half a day"),
    pytest.param("visits.yaml", "shortest_days: 7\n", 'shortest_days: "7"\n', "cbc", "shortest_days",
                 id="number in quotes"),
    pytest.param("visits.yaml", "    very_late_days: 7\n", "", "cbc", "very_late_days", id="missing field"),
    pytest.param("visits.yaml", "longest_days: 21", "shortest_days: 21", "", "given twice", id="field twice"),
    pytest.param("visits.yaml", "kind: injection", "kind: cbc", "cbc", "given twice", id="visit twice"),
    pytest.param("triage.yaml", "urgency: red_come", "urgency: red", "T01-fever-oral-ear-forehead", "urgency",
                 id="unknown urgency"),
    pytest.param("triage.yaml", "at_least: 37.3}", "at_least: 37.3, below: 40}", "T03-low-grade",
                 "exactly one of", id="two comparisons in one"),
    pytest.param("reminders.yaml", '"10:00"', '"25:00"', "day_3", "at", id="no such hour"),
    pytest.param("protocol.yaml", "timezone: Asia/Shanghai", "timezone: Asia/Hangzhou", "NCT06964971",
                 "no such time zone", id="unknown time zone"),
    pytest.param("escalation.yaml", "chains:", "chains: [", "", "line", id="not YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "entry", "message"), UNREADABLE)
def test_an_unreadable_file_is_refused_with_its_place(
    folder: Path, file: str, old: str, new: str, entry: str, message: str
) -> None:
    replace(folder, file, old, new)
    with pytest.raises(ProtocolFaulty) as refused:
        load(folder)
    problems = refused.value.problems
    assert any(one.file == file and one.id == entry and message in one.message for one in problems), problems
    assert check(folder, TEXTS) == list(problems)


def test_every_problem_is_listed_at_once(folder: Path) -> None:
    (folder / "triage.yaml").unlink()
    replace(folder, "visits.yaml", "late_days: 3", "late_dayz: 3")
    replace(folder, "reminders.yaml", '"10:00"', '"25:00"')
    with pytest.raises(ProtocolFaulty) as refused:
        load(folder)
    assert {one.file for one in refused.value.problems} == {"triage.yaml", "visits.yaml", "reminders.yaml"}
    assert "the file is missing" in str(refused.value)


def test_an_empty_file_is_a_problem_and_no_crash(folder: Path) -> None:
    (folder / "items.yaml").write_text("", encoding="utf-8")
    (folder / "triage.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProtocolFaulty) as refused:
        load(folder)
    assert {one.file for one in refused.value.problems} == {"items.yaml", "triage.yaml"}


def test_a_file_that_refers_to_itself_is_a_problem_and_no_crash(folder: Path) -> None:
    (folder / "visits.yaml").write_text("visits: &all [*all]\n", encoding="utf-8")
    with pytest.raises(ProtocolFaulty) as refused:
        load(folder)
    assert [one.file for one in refused.value.problems] == ["visits.yaml"]


def test_a_value_of_a_kind_of_its_own_is_a_problem(folder: Path) -> None:
    replace(folder, "reminders.yaml", '"10:00"', '!!timestamp "2026-11-26"')
    with pytest.raises(ProtocolFaulty) as refused:
        load(folder)
    (problem,) = refused.value.problems
    assert problem.file == "reminders.yaml"
    assert "not a plain value: tag:yaml.org,2002:timestamp" in problem.message


def test_words_such_as_no_and_ten_o_clock_stay_words(folder: Path) -> None:
    replace(folder, "reminders.yaml", '"10:00"', "10:00")
    assert load(folder) == bundled()


def test_the_bundled_protocol_is_the_folder_in_the_package() -> None:
    assert load(SHIPPED) == bundled()
