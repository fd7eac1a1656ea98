"""Do the files of a trial make sense together, and does every text exist in every language?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from math import prod

from bot.domain import dose_reviews
from bot.domain.conditions import FACT_NAMES, Answer, Condition, comparisons, holds
from bot.domain.dose_flags import Flag
from bot.domain.dose_letters import RAN_OUT
from bot.domain.freetext import Status, scan
from bot.domain.judging import AGAIN, ENDINGS, SIGNS, TRANSFUSED, TRANSFUSIONS, MeasureRule
from bot.domain.judging import split_example as split_threshold
from bot.domain.lexicon import Combination, Composition, Concept, Lexicon, NumberBand, Request
from bot.domain.measures import PAIR, PULSE, TEMPERATURE, Measure
from bot.domain.questionnaires import SCORES, Item, ItemKind, NotAnAnswer, Questionnaire, accept, is_asked, offered
from bot.domain.reminders import ChaseAct
from bot.domain.rhythm import Rhythm
from bot.domain.roles import EVERYONE, ON_DUTY, SECOND_ON_CALL, STAFF
from bot.domain.scores import fires as score_fires
from bot.domain.triage import RECORDED, Example, TriageRule, split_example
from bot.domain.urgency import Urgency
from bot.domain.visits import VisitKind
from bot.domain.word_numbers import MEASURES
from bot.domain.wording import reader
from bot.protocol.load import Folder, ProtocolFaulty, ProtocolProblem, load
from bot.protocol.model import Protocol, chain_name

# Staff roles, and those that are worked out when a page goes out.
ROLES = frozenset({*STAFF, ON_DUTY, SECOND_ON_CALL, EVERYONE})
CHAINS = ("red", "sae", "amber", "yellow", "request")

# What does not recur, so that it has no interval.
ONCE = frozenset({VisitKind.EVALUATION, VisitKind.EXTRA})

# Beyond so many combinations of earlier answers a question is taken to be reachable.
MOST_COMBINATIONS = 50_000
_NUMERIC = (ItemKind.TEMPERATURE, ItemKind.NUMBER)
# Either file of questions; the ids of the items are unique over both.
ITEMS = "items.yaml"
# More rows of the course of symptoms than that do not fit into a picture.
MOST_ROWS = 16
# So many words of each part are tried to see whether a composition can be said at all.
MOST_SAID = 3

# Texts that the rules themselves name, whatever the files say.
RULE_TEXTS = frozenset(
    {
        RECORDED,
        "triage.paged",
        "input.choice.not_offered",
        "input.choice.nothing_chosen",
        "input.choice.none_and_some",
        "input.text.empty",
        "input.number.unreadable",
        "input.number.out_of_range",
        "input.temperature.unreadable",
        "input.temperature.out_of_range",
        "input.weight.unreadable",
        "input.weight.out_of_range",
        "input.whole_number.unreadable",
        "input.whole_number.fraction",
        "input.whole_number.out_of_range",
        "input.date.unreadable",
        "input.date.no_such_day",
        "input.date.lunar",
        "input.date.ambiguous",
        "input.measure.anc_above_wbc",
        "input.measure.approximate",
        "input.measure.one_number",
        "input.measure.out_of_range",
        "input.measure.percent",
        "input.measure.twice",
        "input.measure.unknown",
        "input.measure.unknown_unit",
        "input.measure.unreadable",
        "input.pressure.out_of_range",
        "input.pressure.two_numbers",
        "input.subject_code.unreadable",
        "input.year_of_birth.unreadable",
        "input.year_of_birth.age_given",
        "input.year_of_birth.out_of_range",
    }
)


@dataclass(frozen=True, slots=True)
class TextUse:
    """One text key and the entry of a file that uses it."""

    key: str
    file: str
    id: str


def check(
    folder: Folder, known_texts: Mapping[str, Collection[str]], *, try_words: bool = True
) -> list[ProtocolProblem]:
    """Return every problem of the files in ``folder``, each with file and id; an empty list means usable.

    ``known_texts`` maps each locale to its text keys. A file that cannot be read is reported alone, for what
    the others say about it cannot be judged then. ``try_words`` as in `problems_of`.
    """
    try:
        protocol = load(folder)
    except ProtocolFaulty as faulty:
        return list(faulty.problems)
    return problems_of(protocol, known_texts, try_words=try_words)


def problems_of(
    protocol: Protocol, known_texts: Mapping[str, Collection[str]], *, try_words: bool = True
) -> list[ProtocolProblem]:
    """Return what the files say about each other that cannot be so.

    ``try_words``: also try every word of the lexicon and all its examples, which takes half a second.
    """
    return [
        *_arm_problems(protocol),
        *_visit_problems(protocol),
        *_reminder_problems(protocol),
        *_reach_problems(protocol),
        *_tablet_problems(protocol),
        *_item_problems(protocol),
        *_rule_problems(protocol),
        *_score_rule_problems(protocol),
        *_lexicon_problems(protocol),
        *_measure_problems(protocol),
        *_review_problems(protocol),
        *_event_problems(protocol),
        *_course_problems(protocol),
        *(_spoken_problems(protocol) if try_words else ()),
        *_chain_problems(protocol),
        *_rota_problems(protocol),
        *_text_problems(protocol, known_texts),
    ]


def text_keys(protocol: Protocol) -> set[str]:
    """Return every text key that the files use or the rules name."""
    return {use.key for use in text_uses(protocol)} | RULE_TEXTS


def text_uses(protocol: Protocol) -> Iterator[TextUse]:
    """Yield every text key that the files use, with the entry that uses it."""
    yield TextUse(protocol.title, "protocol.yaml", protocol.id)
    for arm in protocol.arms.values():
        yield TextUse(arm.name, "protocol.yaml", arm.code)
    for reason in protocol.skip_reasons:
        yield TextUse(reason.text, "protocol.yaml", reason.code)
    for formulation, intake in protocol.tablets.intake_texts.items():
        yield TextUse(intake.text, "protocol.yaml", f"intake_texts {formulation}")
    for told in protocol.tablets.told.texts():
        yield TextUse(told, "protocol.yaml", "tablets.told")
    for key in (protocol.consent.text, *protocol.consent.agreements):
        yield TextUse(key, "protocol.yaml", "consent")
    for step in protocol.reminders:
        yield TextUse(step.text, "reminders.yaml", step.code)
    for questionnaire in protocol.questionnaires.values():
        for item in questionnaire.items:
            yield TextUse(item.text, ITEMS, item.id)
            if item.help:
                yield TextUse(item.help, ITEMS, item.id)
            for option in item.options:
                yield TextUse(option.text, ITEMS, f"{item.id}.{option.id}")
    for score in protocol.score_rules:
        yield TextUse(score.tell_subject, "triage.yaml", score.id)
    for rule in protocol.triage_rules:
        yield TextUse(rule.tell_subject, "triage.yaml", rule.id)
    for concept in protocol.lexicon.concepts:
        yield TextUse(concept.tell_subject, "lexicon.yaml", concept.id)
    for threshold in protocol.measures.rules:
        yield TextUse(threshold.tell_subject, "measures.yaml", threshold.id)
    for review in protocol.reviews.rules:
        yield TextUse(review.text, "reviews.yaml", review.id)
    for conclusion in protocol.reviews.conclusions:
        yield TextUse(conclusion.text, "reviews.yaml", conclusion.code)
    for other in protocol.measures.others:
        yield TextUse(other.reason, "measures.yaml", other.names[0] if other.names else "others")
    for term in protocol.adverse_events.terms:
        if term.hint is not None:
            yield TextUse(term.hint, "adverse_events.yaml", term.id)
    for row in protocol.course.rows:
        yield TextUse(row.name, "course.yaml", row.id)
    for combination in protocol.lexicon.combinations:
        yield TextUse(combination.tell_subject, "lexicon.yaml", combination.id)
    for request in protocol.lexicon.requests:
        yield TextUse(request.button, "lexicon.yaml", request.id)
    for outcome in protocol.outcomes:
        yield TextUse(outcome.text, "escalation.yaml", outcome.code)
        if outcome.told is not None:
            yield TextUse(outcome.told, "escalation.yaml", outcome.code)


def _text_problems(protocol: Protocol, known_texts: Mapping[str, Collection[str]]) -> Iterator[ProtocolProblem]:
    uses = [*text_uses(protocol), *(TextUse(key, "rules", "bot.domain") for key in sorted(RULE_TEXTS))]
    for locale, keys in known_texts.items():
        for use in uses:
            if not use.key.strip():
                yield ProtocolProblem(use.file, use.id, f"the text key is empty ({locale})")
            elif use.key not in keys:
                yield ProtocolProblem(use.file, use.id, f"no text {use.key!r} in {locale}")


def _twice(file: str, ids: Iterable[str]) -> Iterator[ProtocolProblem]:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            yield ProtocolProblem(file, one, "the id is given twice")
        seen.add(one)


def _arm_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    entry, file = protocol.entry, "protocol.yaml"
    if not protocol.arms:
        yield ProtocolProblem(file, protocol.id, "there is no arm")
    if not 0 < entry.age_from <= entry.age_to:
        yield ProtocolProblem(file, "entry", "the ages leave nobody")
    if not 0 < entry.weight_from_kg < entry.weight_to_kg:
        yield ProtocolProblem(file, "entry", "the weights leave nobody")
    if entry.weight_confirm_change_percent <= 0:
        yield ProtocolProblem(file, "entry", "weight_confirm_change_percent must be above 0")
    if not protocol.consent.version.strip() or not protocol.consent.agreements:
        yield ProtocolProblem(file, "consent", "a consent needs a version and at least one agreement")


def _visit_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = "visits.yaml"
    for rule in protocol.visits.values():
        for arm in rule.arms:
            if arm not in protocol.arms:
                yield ProtocolProblem(file, rule.kind, f"no such arm: {arm}")
            elif rule.kind == "injection" and not protocol.arms[arm].injections:
                yield ProtocolProblem(file, rule.kind, f"arm {arm} has no injections")
        if not rule.arms:
            yield ProtocolProblem(file, rule.kind, "no arm has these visits")
        for arm in rule.on_demand_arms:
            if arm not in rule.arms:
                yield ProtocolProblem(file, rule.kind, f"on_demand_arms: arm {arm} has no such visits")
        if not 0 < rule.late_days < rule.very_late_days:
            yield ProtocolProblem(file, rule.kind, "late_days must lie above 0 and below very_late_days")
        intervals = (rule.shortest_days, rule.longest_days, rule.initial_days)
        if rule.kind in ONCE:
            if any(intervals) or rule.on_demand_arms:
                yield ProtocolProblem(file, rule.kind, "visits of this kind do not recur: no intervals")
            continue
        if not 0 < rule.shortest_days <= rule.longest_days:
            yield ProtocolProblem(file, rule.kind, "the window is empty: shortest_days is above longest_days")
        elif not rule.shortest_days <= rule.initial_days <= rule.longest_days:
            yield ProtocolProblem(file, rule.kind, "initial_days lies outside the window")
        if not 0 <= rule.before_injection_days < rule.shortest_days:
            yield ProtocolProblem(file, rule.kind, "the windows before two injections overlap")
        if not 0 <= rule.near_cbc_days < rule.shortest_days:
            yield ProtocolProblem(file, rule.kind, "near_cbc_days must lie below shortest_days")
    for kind in VisitKind:
        if kind not in protocol.visits:
            yield ProtocolProblem(file, kind, "there is no rule for visits of this kind")
    evaluation, closures = protocol.evaluation, protocol.closures
    if min(evaluation.from_day, evaluation.after_injections, evaluation.after_last_days) <= 0:
        yield ProtocolProblem(file, "evaluation", "the days and the number of injections must be above 0")
    if closures.at_least_days < 1 or closures.told_days_before < 1:
        yield ProtocolProblem(file, "closures", "at_least_days and told_days_before must be above 0")


def _reminder_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = "reminders.yaml"
    yield from _twice(file, (step.code for step in protocol.reminders))
    times: dict[tuple[int, object], str] = {}
    for step in protocol.reminders:
        if step.days_before < 0:
            yield ProtocolProblem(file, step.code, "a reminder after the visit is none")
        same = times.setdefault((step.days_before, step.at), step.code)
        if same != step.code:
            yield ProtocolProblem(file, step.code, f"sent at the same time as {same}")
    if protocol.quiet_hours.starts == protocol.quiet_hours.ends:
        yield ProtocolProblem(file, "quiet_hours", "the quiet hours are empty")
    yield from _later_problems(protocol)
    yield from _chase_problems(protocol)
    yield from _staff_list_problems(protocol)
    checkin = protocol.checkin
    if min(checkin.every_days, checkin.again_after_hours, checkin.useful_days, checkin.missed_in_row) < 1:
        yield ProtocolProblem(file, "checkin", "every number must be above 0")
    if not checkin.again_after_hours / 24 < checkin.useful_days < checkin.every_days:
        yield ProtocolProblem(file, "checkin", "must be asked again while it is useful, and end before the next one")
    if protocol.quiet_hours.covers(checkin.default_at):
        yield ProtocolProblem(file, "checkin", "default_at lies in the quiet hours")
    prompt = protocol.dose_prompt
    if min(prompt.nudge_after_minutes, prompt.answerable_days, prompt.reasons_minutes) < 1:
        yield ProtocolProblem(file, "dose_prompt", "the minutes and the days to answer must be above 0")
    if prompt.answerable_days >= Rhythm.WEEKLY.days:
        yield ProtocolProblem(file, "dose_prompt", "a week must be over for answers before the next is asked about")
    codes = {reason.code for reason in protocol.skip_reasons}
    for code in prompt.rhythm.daily_after_reasons:
        if code not in codes:
            yield ProtocolProblem(file, code, "dose_prompt: there is no such reason")
    missed = prompt.missed
    if not 0 < missed.yellow_run_days < missed.amber_run_days or not 0 < missed.yellow_below_percent <= 100:
        yield ProtocolProblem(file, "dose_prompt", "missed: the runs or the per cent make no sense")


def _later_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, quiet = "reminders.yaml", protocol.quiet_hours
    limit, later, other = protocol.daily_limit, protocol.remind_later, protocol.another_day
    if limit.messages < 1 or limit.merge_within_minutes < 0:
        yield ProtocolProblem(file, "daily_limit", "at least one message a day, and no negative minutes")
    if quiet.covers(protocol.visit_day_ends):
        yield ProtocolProblem(file, "visit_day_ends", "lies in the quiet hours")
    if any(hours < 1 for hours in later.after_hours) or later.most_times < 0:
        yield ProtocolProblem(file, "remind_later", "the hours must be above 0, and most_times not below")
    if quiet.covers(later.morning_at):
        yield ProtocolProblem(file, "remind_later", "morning_at lies in the quiet hours")
    if other.offered < 1 or other.from_days < 1:
        yield ProtocolProblem(file, "another_day", "at least one day must be offered, from tomorrow on")


def _chase_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = "reminders.yaml"
    yield from _twice(file, (step.code for step in protocol.missed_visit))
    for step in protocol.missed_visit:
        if step.days_after < 1:
            yield ProtocolProblem(file, step.code, "a visit is missed when its day has passed, not before")
    for earlier, later in pairwise(protocol.missed_visit):
        if (later.days_after, later.at) <= (earlier.days_after, earlier.at):
            yield ProtocolProblem(file, later.code, f"does not come after {earlier.code}")
    if not any(step.act is ChaseAct.TELL_STAFF for step in protocol.missed_visit):
        yield ProtocolProblem(file, "missed_visit", "no step tells staff")


def _reach_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, rule = "reminders.yaml", protocol.reach
    numbers = (rule.unanswered_days, rule.answer_within_hours, rule.start_within_days, rule.again_days)
    if min(numbers) < 1:
        yield ProtocolProblem(file, "reach", "every number must be above 0")
    if protocol.quiet_hours.covers(rule.look_at):
        yield ProtocolProblem(file, "reach", "look_at lies in the quiet hours")
    # Extra visits and evaluations are planned by themselves and have no interval.
    often = min((visit.longest_days for visit in protocol.visits.values() if visit.longest_days), default=0)
    if rule.silent_days <= often:
        # Who is written to only before a visit, and answers, would be called silent between two visits.
        yield ProtocolProblem(file, "reach", f"silent_days must be above {often}, the days between two visits")


def _staff_list_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, brief, weekly = "reminders.yaml", protocol.brief, protocol.weekly_digest
    if min(brief.values, brief.adherence_days) < 1 or not brief.measures:
        yield ProtocolProblem(file, "brief", "values, adherence_days and measures: at least one")
    yield from _twice(file, brief.measures)
    for measure in brief.measures:
        if measure not in protocol.measures.by_id:
            yield ProtocolProblem(file, "brief", f"no such measure: {measure}")
    if brief.at >= protocol.visit_day_ends:
        yield ProtocolProblem(file, "brief", "at must lie before visit_day_ends")
    if protocol.quiet_hours.covers(weekly.at):
        yield ProtocolProblem(file, "weekly_digest", "at lies in the quiet hours")


# The months that the table of the site reads hold twice so many days, wherever today stands in its month.
MOST_WINDOW_DAYS = 28


def _tablet_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, tablets = "protocol.yaml", protocol.tablets
    yield from _twice(file, (reason.code for reason in tablets.skip_reasons))
    for formulation in tablets.intake_texts:
        if formulation not in tablets.formulations:
            yield ProtocolProblem(file, f"intake_texts {formulation}", "it cannot be ordered")
    if not tablets.formulations or not tablets.strengths_mg or min(tablets.strengths_mg) <= 0:
        yield ProtocolProblem(file, "tablets", "formulations and strengths above 0 are needed")
    if RAN_OUT not in {reason.code for reason in tablets.skip_reasons}:
        yield ProtocolProblem(file, "skip_reasons", f"{RAN_OUT} is needed: the table of the site looks for it")
    rule = protocol.adherence
    if min(rule.window_days, rule.ran_out_days, rule.changed_days, rule.drop_points) < 1:
        yield ProtocolProblem("escalation.yaml", "adherence", "days and points must be above 0")
    if rule.window_days > MOST_WINDOW_DAYS:
        yield ProtocolProblem("escalation.yaml", "adherence", f"window_days is at most {MOST_WINDOW_DAYS}")
    if not (0 < rule.below_percent <= 100 and 0 <= rule.unknown_above_percent < 100):
        yield ProtocolProblem("escalation.yaml", "adherence", "a share lies between 0 and 100 %")
    if (
        min(tablets.most_units_per_day, tablets.most_times_a_day, tablets.dated.days_ahead, tablets.told.useful_days)
        < 1
    ):
        yield ProtocolProblem(file, "tablets", "units, times, days ahead and useful_days must be above 0")
    if tablets.dated.days_back < 0:
        yield ProtocolProblem(file, "tablets", "dated.days_back must not be below 0")
    counts = tablets.counts
    numbers = (counts.ask_every_days, counts.again_after_days, counts.useful_days, counts.photo_hours)
    if min(*numbers, counts.at_least_days, counts.most_a_year) < 1 or min(counts.most_later, counts.gap_points) < 0:
        yield ProtocolProblem(file, "counts", "days, hours and numbers of tablets must be above 0")
    if counts.useful_days >= counts.ask_every_days:
        yield ProtocolProblem(file, "counts", "a question must end before the next one")
    for band in tablets.dose_bands:
        if band.plt_below is not None and band.plt_below <= band.plt_from:
            yield ProtocolProblem(file, f"dose_band {band.plt_from:g}", "the window of platelets is empty")
        if not 0 < band.low_mg_per_kg <= band.high_mg_per_kg:
            yield ProtocolProblem(file, f"dose_band {band.plt_from:g}", "the doses are empty or swapped")
    for lower, upper in pairwise(sorted(tablets.dose_bands, key=lambda band: band.plt_from)):
        if lower.plt_below is None or lower.plt_below > upper.plt_from:
            yield ProtocolProblem(file, f"dose_band {upper.plt_from:g}", "the windows of platelets overlap")
        elif lower.plt_below < upper.plt_from:
            yield ProtocolProblem(file, f"dose_band {upper.plt_from:g}", "the windows of platelets leave a gap")


def _item_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = ITEMS
    for needed in ("unwell", "weekly"):
        if needed not in protocol.questionnaires:
            yield ProtocolProblem(file, needed, "the questionnaire is missing")
    if protocol.correct_days < 1:
        yield ProtocolProblem(file, "correct_days", "must be above 0")
    yield from _hand_over_problems(protocol)
    # A rule names an item alone, so an id is unique over all questionnaires.
    yield from _twice(file, (item.id for q in protocol.questionnaires.values() for item in q.items))
    for questionnaire in protocol.questionnaires.values():
        if not questionnaire.items:
            yield ProtocolProblem(file, questionnaire.id, "the questionnaire has no item")
        earlier: dict[str, Item] = {}
        for item in questionnaire.items:
            found = [*_shape_problems(item, protocol), *_score_problems(item, earlier)]
            if item.ask_if is not None:
                conditions = [*_condition_problems(file, item.id, item.ask_if, earlier)]
                if any(one.fact is not None for one in comparisons(item.ask_if)):
                    conditions.append(ProtocolProblem(file, item.id, "ask_if may name items only"))
                found += conditions
                if not conditions and not _can_be_asked(questionnaire, item):
                    found.append(ProtocolProblem(file, item.id, "the question can never be asked"))
            yield from found
            earlier[item.id] = item


def _hand_over_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    troubles = {option.id for item in _first_items(protocol, "unwell") for option in item.options}
    for questionnaire in protocol.questionnaires.values():
        named = questionnaire.hands_over
        if named is None:
            continue
        item = next((each for each in questionnaire.items if each.id == named), None)
        if item is None or item.kind is not ItemKind.MULTI:
            yield ProtocolProblem(ITEMS, questionnaire.id, f"hands_over: no multi item {named}")
            continue
        for option in item.options:
            if not option.exclusive and option.id not in troubles:
                yield ProtocolProblem(ITEMS, f"{item.id}.{option.id}", "the report unwell has no such trouble")


def _first_items(protocol: Protocol, name: str) -> Sequence[Item]:
    questionnaire = protocol.questionnaires.get(name)
    return questionnaire.items[:1] if questionnaire is not None else ()


def _score_problems(item: Item, earlier: Mapping[str, Item]) -> Iterator[ProtocolProblem]:
    if (item.kind is ItemKind.SCORE) != (item.attribute is not None):
        yield ProtocolProblem(ITEMS, item.id, "a score has an attribute, and nothing else has one")
    if item.kind is ItemKind.SCORE and [option.id for option in item.options] != [str(score) for score in SCORES]:
        yield ProtocolProblem(ITEMS, item.id, "a score has the options 0, 1, 2, 3 and 4, in this order")
    if item.follows is not None:
        first = earlier.get(item.follows)
        if item.kind is not ItemKind.SCORE or first is None or first.kind is not ItemKind.SCORE or first.follows:
            yield ProtocolProblem(ITEMS, item.id, "follows: only a score can follow an earlier first score")


def _shape_problems(item: Item, protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = ITEMS
    if item.id in FACT_NAMES:
        yield ProtocolProblem(file, item.id, "the id is the name of a fact")
    with_options = item.kind in (ItemKind.CHOICE, ItemKind.MULTI, ItemKind.SCORE)
    if with_options and len(item.options) < 2:
        yield ProtocolProblem(file, item.id, "a choice needs at least two options")
    if item.options and not with_options and item.kind is not ItemKind.DATE:
        yield ProtocolProblem(file, item.id, f"a {item.kind} item has no options")
    for problem in _twice(file, (option.id for option in item.options)):
        yield ProtocolProblem(file, f"{item.id}.{problem.id}", problem.message)
    for option in item.options:
        for arm in option.arms:
            if arm not in protocol.arms:
                yield ProtocolProblem(file, f"{item.id}.{option.id}", f"no such arm: {arm}")
        if option.exclusive and item.kind is not ItemKind.MULTI:
            yield ProtocolProblem(file, f"{item.id}.{option.id}", "exclusive belongs to a multi item")
    limits = item.limits
    if (limits is not None) != (item.kind in (*_NUMERIC, ItemKind.DATE)):
        yield ProtocolProblem(file, item.id, "limits are needed for numbers, and only there")
    if limits is not None:
        inside = [one for one in (limits.confirm_below, limits.confirm_from) if one is not None]
        if limits.accept_from >= limits.accept_to:
            yield ProtocolProblem(file, item.id, "the window of accepted numbers is empty")
        elif any(not limits.accept_from <= one <= limits.accept_to for one in inside):
            yield ProtocolProblem(file, item.id, "a number to confirm lies outside the accepted ones")


def _condition_problems(
    file: str, entry: str, condition: Condition, items: Mapping[str, Item]
) -> Iterator[ProtocolProblem]:
    """Yield what is wrong with the comparisons of one condition: unknown names, options, limits."""
    for one in comparisons(condition):
        if one.fact is not None:
            if one.fact not in FACT_NAMES:
                yield ProtocolProblem(file, entry, f"unknown fact: {one.fact}")
            elif (one.fact == "arm") == (one.at_least is not None or one.below is not None):
                yield ProtocolProblem(file, entry, f"{one.fact} cannot be compared in this way")
            continue
        item = items.get(one.item or "")
        if item is None:
            yield ProtocolProblem(file, entry, f"unknown item: {one.item}")
            continue
        named = (*(one.one_of or ()), *(one.includes or ()))
        if isinstance(one.equals, str):
            named = (*named, one.equals)
        limit = one.at_least if one.at_least is not None else one.below
        fits = {
            ItemKind.CHOICE: bool(one.one_of) or isinstance(one.equals, str),
            ItemKind.MULTI: bool(one.includes),
            ItemKind.YES_NO: isinstance(one.equals, bool),
            ItemKind.TEMPERATURE: limit is not None,
            ItemKind.NUMBER: limit is not None,
            ItemKind.SCORE: limit is not None,
            ItemKind.DATE: False,
            ItemKind.TEXT: False,
        }
        if not fits[item.kind]:
            yield ProtocolProblem(file, entry, f"item {item.id} ({item.kind}) cannot be compared in this way")
            continue
        for option in named:
            if all(option != known.id for known in item.options):
                yield ProtocolProblem(file, entry, f"item {item.id} has no option {option}")
        limits = item.limits
        if limit is not None and limits and not limits.accept_from <= limit <= limits.accept_to:
            yield ProtocolProblem(file, entry, f"{limit} lies outside the limits of item {item.id}")
        if limit is not None and item.kind is ItemKind.SCORE and limit not in SCORES[1:]:
            yield ProtocolProblem(
                file, entry, f"{limit} is no score of item {item.id} that could be told from others"
            )


def _can_be_asked(questionnaire: Questionnaire, target: Item) -> bool:
    """Return whether some answers to the earlier items lead to ``target``."""
    before = [item for item in questionnaire.items if item.id in _needed(questionnaire, [target])]
    runs = _runs(before, [_values(item, questionnaire) for item in before])
    return runs is None or any(is_asked(target, answers) for answers in runs)


def _needed(questionnaire: Questionnaire, targets: Iterable[Item]) -> set[str]:
    """Return the items whose answers decide whether these are asked."""
    needed: set[str] = set()
    waiting = list(targets)
    while waiting:
        item = waiting.pop()
        names = [one.item for one in comparisons(item.ask_if)] if item.ask_if is not None else []
        for name in (*names, item.follows):
            if name is not None and name not in needed:
                needed.add(name)
                waiting.append(questionnaire.item(name))
    return needed


def _runs(items: Sequence[Item], values: Sequence[Sequence[Answer]]) -> Iterator[dict[str, Answer]] | None:
    """Return the answers of every run through the items; None when there are too many runs to try."""
    if prod(max(1, len(options)) for options in values) > MOST_COMBINATIONS:
        return None
    return (_run(items, combination) for combination in product(*values))


def _run(items: Sequence[Item], combination: Sequence[Answer]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for item, value in zip(items, combination, strict=True):
        if is_asked(item, answers):
            answers[item.id] = value
    return answers


def _values(item: Item, questionnaire: Questionnaire) -> list[Answer]:
    """Return answers that stand for all answers to ``item``."""
    match item.kind:
        case ItemKind.CHOICE:
            return [option.id for option in item.options]
        case ItemKind.MULTI:
            return [*((option.id,) for option in item.options), tuple(option.id for option in item.options)]
        case ItemKind.YES_NO:
            return [True, False]
        case ItemKind.SCORE:
            return list(SCORES)
        case ItemKind.TEXT | ItemKind.DATE:
            return ["words"]
        case ItemKind.TEMPERATURE | ItemKind.NUMBER:
            conditions = [other.ask_if for other in questionnaire.items if other.ask_if is not None]
            limits = [
                limit
                for condition in conditions
                for one in comparisons(condition)
                for limit in (one.at_least, one.below)
                if one.item == item.id and limit is not None
            ]
            return [0.0, *limits, *(limit - 0.1 for limit in limits), *(limit + 0.1 for limit in limits)]


def _rule_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = "triage.yaml"
    items = {item.id: item for q in protocol.questionnaires.values() for item in q.items}
    for rule in protocol.triage_rules:
        if not rule.source.strip():
            yield ProtocolProblem(file, rule.id, "the source is empty")
        problems = [*_condition_problems(file, rule.id, rule.when, items)]
        yield from problems
        if not problems:
            yield from _dead_problems(protocol, rule)
        yield from _chain_missing(protocol, file, rule.id, rule.urgency)
        for name, examples in (("fires_for", rule.fires_for), ("quiet_for", rule.quiet_for)):
            if not examples:
                yield ProtocolProblem(file, rule.id, f"{name} has no example")
            for example in examples:
                yield from _example_problems(rule, name, example, items)


def _dead_problems(protocol: Protocol, rule: TriageRule) -> Iterator[ProtocolProblem]:
    """Yield why a rule can never fire: its conditions exclude each other, or no patient is ever led to them."""
    alternatives = [*_alternatives(rule.when)]
    if len(alternatives) > MOST_COMBINATIONS:
        return
    if not any(_can_hold(protocol, each) for each in alternatives):
        yield ProtocolProblem("triage.yaml", rule.id, "the rule can never fire: no answers lead to what it asks for")
    elif (other := _shadow(protocol, rule)) is not None:
        yield ProtocolProblem("triage.yaml", rule.id, f"the rule says nothing: {other} fires whenever it does")


def _alternatives(condition: Condition) -> Iterator[tuple[Condition, ...]]:
    """Yield each set of comparisons that is enough for a condition."""
    if condition.all is not None:
        for parts in product(*([*_alternatives(part)] for part in condition.all)):
            yield tuple(one for part in parts for one in part)
    elif condition.any is not None:
        for part in condition.any:
            yield from _alternatives(part)
    else:
        yield (condition,)


def _can_hold(protocol: Protocol, wanted: Sequence[Condition]) -> bool:
    """Return whether one patient can give answers for all of these comparisons."""
    arms = [arm for arm in protocol.arms if all(_fits_arm(one, arm) for one in wanted)]
    named = {one.item for one in wanted if one.item is not None}
    limits: dict[str, tuple[float, float]] = {}
    for one in wanted:
        if one.fact is not None and one.fact != "arm":
            low, high = limits.get(one.fact, (0.0, float("inf")))
            low = max(low, one.at_least) if one.at_least is not None else low
            high = min(high, one.below) if one.below is not None else high
            limits[one.fact] = low, high
    entry = protocol.entry
    if any(low >= high for low, high in limits.values()):
        return False
    if "age_years" in limits and not (
        limits["age_years"][0] <= entry.age_to and entry.age_from < limits["age_years"][1]
    ):
        return False
    homes = [each for each in protocol.questionnaires.values() if named & {item.id for item in each.items}]
    if len(homes) > 1:
        return False  # A report and a check-in are never judged together.
    return bool(arms) and (not homes or any(_leads_to(homes[0], wanted, arm) for arm in arms))


def _fits_arm(one: Condition, arm: str) -> bool:
    if one.fact != "arm":
        return True
    return one.equals == arm or arm in (one.one_of or ())


def _leads_to(questionnaire: Questionnaire, wanted: Sequence[Condition], arm: str) -> bool:
    """Return whether some run through a questionnaire in this arm answers all that is wanted."""
    known = {item.id for item in questionnaire.items}
    if any(one.item not in known for item in questionnaire.items if item.ask_if for one in comparisons(item.ask_if)):
        return True  # What is wrong with the questions is told by itself.
    named = {one.item for one in wanted if one.item is not None}
    needed = named | _needed(questionnaire, [questionnaire.item(name) for name in named])
    chain = [item for item in questionnaire.items if item.id in needed]
    runs = _runs(chain, [[*_values_for(item, questionnaire, wanted, arm)] for item in chain])
    return runs is None or any(all(one.item is None or holds(one, answers) for one in wanted) for answers in runs)


def _values_for(item: Item, questionnaire: Questionnaire, wanted: Sequence[Condition], arm: str) -> Iterator[Answer]:
    """Yield answers that stand for all that an arm is offered, those on the limits of ``wanted`` among them."""
    shown = {option.id for option in offered(item, arm)}
    for value in _values(item, questionnaire):
        if isinstance(value, tuple):
            alone = {option.id for option in item.options if option.exclusive}
            kept = tuple(each for each in value if each in shown and (len(value) == 1 or each not in alone))
            if kept:
                yield kept
        elif item.kind is not ItemKind.CHOICE or value in shown:
            yield value
    if item.limits is not None:
        for limit in [each for one in wanted if one.item == item.id for each in (one.at_least, one.below) if each]:
            for near in (limit - 0.1, limit):
                if item.limits.accept_from <= near <= item.limits.accept_to:
                    yield near


def _shadow(protocol: Protocol, rule: TriageRule) -> str | None:
    """Return an earlier rule with the very same condition that is as urgent: this one changes nothing."""
    for other in protocol.triage_rules:
        if other is rule:
            return None
        if other.when == rule.when and other.urgency.rank >= rule.urgency.rank:
            return other.id
    return None


def _score_rule_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    """Yield what is wrong with the rules of scores: their limits, their own examples."""
    file = "triage.yaml"
    ids = [rule.id for rule in protocol.triage_rules]
    yield from _twice(file, [*ids, *(rule.id for rule in protocol.score_rules)])
    for rule in protocol.score_rules:
        if not rule.source.strip():
            yield ProtocolProblem(file, rule.id, "the source is empty")
        if (rule.score_at_least if rule.score_at_least is not None else rule.rise_at_least) not in SCORES[1:]:
            yield ProtocolProblem(file, rule.id, "can never fire, or always: a limit is 1, 2, 3 or 4")
        yield from _chain_missing(protocol, file, rule.id, rule.urgency)
        for name, examples in (("fires_for", rule.fires_for), ("quiet_for", rule.quiet_for)):
            if not examples:
                yield ProtocolProblem(file, rule.id, f"{name} has no example")
            for one in examples:
                if one.score not in SCORES or (one.before is not None and one.before not in SCORES):
                    yield ProtocolProblem(file, rule.id, f"{name}: a score lies between 0 and 4")
                elif score_fires(rule, one.score, one.before) != (name == "fires_for"):
                    yield ProtocolProblem(file, rule.id, f"{name} {one}: the rule says otherwise")


def _example_problems(
    rule: TriageRule, name: str, example: Example, items: Mapping[str, Item]
) -> Iterator[ProtocolProblem]:
    file, shown = "triage.yaml", f"{name} {dict(example)}"
    for key, value in example.items():
        if key in FACT_NAMES:
            if isinstance(value, (bool, tuple)) or isinstance(value, str) != (key == "arm"):
                yield ProtocolProblem(file, rule.id, f"{shown}: {key} cannot be {value!r}")
                return
        elif key not in items:
            yield ProtocolProblem(file, rule.id, f"{shown}: unknown item {key}")
            return
        else:
            try:
                accept(items[key], value)
            except NotAnAnswer:
                yield ProtocolProblem(file, rule.id, f"{shown}: {value!r} is no answer to {key}")
                return
    answers, facts = split_example(example)
    fires = holds(rule.when, answers, facts)
    if fires != (name == "fires_for"):
        yield ProtocolProblem(file, rule.id, f"{shown}: the rule {'fires' if fires else 'stays quiet'}")


def _lexicon_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, lexicon = "lexicon.yaml", protocol.lexicon
    ids = [concept.id for concept in lexicon.concepts]
    ids += [combination.id for combination in lexicon.combinations] + [request.id for request in lexicon.requests]
    yield from _twice(file, ids)
    yield from _twice(file, (part.id for part in lexicon.parts))
    yield from _twice(file, (rule.id for rule in lexicon.rules))
    yield from _number_problems(lexicon)
    yield from _unknown_names(protocol)
    if lexicon.likeness.weights and lexicon.likeness.concept not in ids:
        yield ProtocolProblem(file, "likeness", f"unknown concept: {lexicon.likeness.concept}")
    measured = {band.concept for band in lexicon.numbers}
    for concept in lexicon.concepts:
        words = (*concept.words.zh, *concept.words.en, *concept.weak.zh, *concept.weak.en)
        if not words and not concept.compose and concept.id not in measured:
            yield ProtocolProblem(file, concept.id, "nothing leads to this concept: no words, parts or numbers")
        if concept.when_resolved.rank > concept.urgency.rank:
            yield ProtocolProblem(file, concept.id, "when_resolved is more urgent than urgency")
        yield from _chain_missing(protocol, file, concept.id, concept.urgency)
    for combination in lexicon.combinations:
        yield from _chain_missing(protocol, file, combination.id, combination.urgency)


def _spoken_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    """Try every word, composition and example of the lexicon."""
    file, lexicon = "lexicon.yaml", protocol.lexicon
    if any(True for _ in _unknown_names(protocol)):
        return  # Nothing can be sought with parts that do not exist.
    read = reader(lexicon)
    spoken: tuple[Concept | Request, ...] = (*lexicon.concepts, *lexicon.requests)
    for entry in spoken:
        listed = (*entry.words.zh, *entry.words.en)
        if not all(word.strip() for word in listed):
            yield ProtocolProblem(file, entry.id, "a word is empty")
        for word in listed:
            if word.strip() and read.covers(word):
                yield ProtocolProblem(file, entry.id, f"{word!r} can never fire: an idiom swallows it")
        for composition in entry.compose:
            if not _can_be_said(composition, entry, lexicon):
                yield ProtocolProblem(file, entry.id, f"{'+'.join(composition.parts)} can never fire")
    yield from _example_texts(lexicon)


def _number_problems(lexicon: Lexicon) -> Iterator[ProtocolProblem]:
    file, ids = "lexicon.yaml", {concept.id for concept in lexicon.concepts}
    for band in lexicon.numbers:
        if band.concept not in ids:
            yield ProtocolProblem(file, band.measure, f"unknown concept: {band.concept}")
        if band.measure not in MEASURES:
            yield ProtocolProblem(file, band.measure, f"unknown measure; known: {', '.join(MEASURES)}")
        if band.at_least is None and band.below is None:
            yield ProtocolProblem(file, band.measure, "a band needs at_least or below")
        elif band.at_least is not None and band.below is not None and band.at_least >= band.below:
            yield ProtocolProblem(file, band.measure, "the band is empty")


def _measure_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, measures = "measures.yaml", protocol.measures
    known = measures.by_id
    for needed in (TEMPERATURE, *PAIR, PULSE):
        if needed not in known:
            yield ProtocolProblem(file, needed, "the measure is missing")
    names = [*(name for measure in measures.measures for name in measure.names), *measures.pressure_names]
    names += [name for other in measures.others for name in other.names]
    for name in names:
        if name != name.lower().strip() or not name:
            yield ProtocolProblem(file, name, "a name is written in small letters")
    for problem in _twice(file, names):
        yield ProtocolProblem(file, problem.id, "the name is given twice")
    for measure in measures.measures:
        yield from _limit_problems(measure)
    numbers = (
        measures.counts_good_for_days,
        measures.after_platelets_days,
        measures.signs_hours,
        measures.silence_minutes,
        measures.again_minutes.at_least,
    )
    if min(numbers) < 1 or measures.again_minutes.at_most < measures.again_minutes.at_least:
        yield ProtocolProblem(file, "", "days, hours and minutes must be above 0 and not end before they begin")
    for shown in measures.released:
        if shown not in known:
            yield ProtocolProblem(file, "released", f"there is no measure {shown}")
    fired = [rule.id for rule in (*protocol.triage_rules, *measures.rules)]
    for sign in measures.signs:
        for beginning in sign.rules:
            if not any(rule.startswith(beginning) for rule in fired):
                yield ProtocolProblem(file, sign.id, f"no rule begins with {beginning}")
    yield from _twice(file, fired)
    for rule in measures.rules:
        yield from _threshold_problems(protocol, rule)


def _event_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, events = "adverse_events.yaml", protocol.adverse_events
    yield from _twice(file, (term.llt for term in events.terms))
    for term in events.terms:
        if not term.term.strip() or not term.zh.strip():
            yield ProtocolProblem(file, term.id, "a term needs an English and a Chinese name")
        if not term.llt.isdecimal():
            yield ProtocolProblem(file, term.id, f"not a code: {term.llt}")
    rules = [
        *(rule.id for rule in protocol.triage_rules),
        *(rule.id for rule in protocol.lexicon.rules),
        *(rule.id for rule in protocol.measures.rules),
    ]
    for suggestion in events.suggestions:
        name = ", ".join(suggestion.rules)
        if not suggestion.terms:
            yield ProtocolProblem(file, name, "nothing is suggested")
        for each in suggestion.terms:
            if each not in events.by_id:
                yield ProtocolProblem(file, name, f"no such term: {each}")
    serious = events.serious
    for start in (*(start for each in events.suggestions for start in each.rules), *serious.rules):
        if not start or not any(rule.startswith(start) for rule in rules):
            yield ProtocolProblem(file, start, "no rule begins like this")
    if not serious.rules:
        yield ProtocolProblem(file, "serious", "no rule makes a report a suspected serious event")
    if not 0 <= serious.told_hours_before < serious.report_within_hours:
        yield ProtocolProblem(file, "serious", "told_hours_before must lie below report_within_hours")
    if not serious.source.strip():
        yield ProtocolProblem(file, "serious", "the source is empty")


def _course_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    """Yield what has no row in the course of symptoms, so that no danger is missing there, and what has several."""
    file, course = "course.yaml", protocol.course
    rows, apart = course.rows, course.apart
    if [row.id for row in rows if row.rest] != [row.id for row in rows[-1:]]:
        yield ProtocolProblem(file, "rest", "exactly one row is that of the rest: the last one")
    if len(rows) > MOST_ROWS:
        yield ProtocolProblem(file, "", f"at most {MOST_ROWS} rows can be read on a phone")
    items = [item for questionnaire in protocol.questionnaires.values() for item in questionnaire.items]
    scored = {item.id for item in items if item.kind is ItemKind.SCORE}
    troubles = {option.id for item in _first_items(protocol, "unwell") for option in item.options}
    kinds: tuple[tuple[str, Collection[str], list[str]], ...] = (
        ("score", scored, [each for row in rows for each in row.scores]),
        ("trouble", troubles, [each for row in rows for each in row.troubles]),
        ("measure", protocol.measures.by_id, [*(each for row in rows for each in row.measures), *apart.measures]),
    )
    for kind, known, placed in kinds:
        for each in known:
            if each not in placed:
                yield ProtocolProblem(file, each, f"the {kind} belongs to no row")
        for each in placed:
            if each not in known:
                yield ProtocolProblem(file, each, f"there is no such {kind}")
        yield from _twice(file, placed)
    yield from _course_rule_problems(protocol, scored)


def _course_rule_problems(protocol: Protocol, scored: Collection[str]) -> Iterator[ProtocolProblem]:
    file, course = "course.yaml", protocol.course
    of_scores = {rule.id for rule in protocol.score_rules}
    named = [
        *(rule.id for rule in protocol.triage_rules),
        *(rule.id for rule in protocol.lexicon.rules),
        *(f"tablets.{reason.code}" for reason in protocol.skip_reasons if reason.tell_staff is not None),
        *(f"tablets.{flag}" for flag in Flag),
    ]
    starts = [start for row in course.rows for start in row.rules]
    yield from _twice(file, [*starts, *course.by_score, *course.apart.rules])
    for rule in named:
        if rule not in course.by_score and not rule.startswith((*starts, *course.apart.rules)):
            yield ProtocolProblem(file, rule, "the rule belongs to no row")
    for start in starts:
        if not start or not any(rule.startswith(start) for rule in named):
            yield ProtocolProblem(file, start, "no rule begins like this")
        elif start.startswith(course.apart.rules):
            yield ProtocolProblem(file, start, "the rule is both in a row and apart")
    if not all(start.strip() for start in course.apart.rules):
        yield ProtocolProblem(file, "apart", "an empty beginning would leave out every rule")
    for rule in sorted(of_scores - set(course.by_score)):
        yield ProtocolProblem(file, rule, "the rule belongs to no row: any score can fire it (by_score)")
    for rule in course.by_score:
        found = [each for each in protocol.triage_rules if each.id == rule]
        only_scores = all(one.item in scored for each in found for one in comparisons(each.when))
        if rule not in of_scores and not (found and only_scores):
            yield ProtocolProblem(file, rule, "by_score: there is no such rule that reads scores alone")


def _limit_problems(measure: Measure) -> Iterator[ProtocolProblem]:
    file, limits = "measures.yaml", measure.limits
    if not measure.by or not measure.names:
        yield ProtocolProblem(file, measure.id, "a measure needs a name and somebody who may enter it")
    if limits.accept_from >= limits.accept_to:
        yield ProtocolProblem(file, measure.id, "the window of accepted numbers is empty")
    inside = [one for one in (limits.confirm_below, limits.confirm_from) if one is not None]
    if any(not limits.accept_from <= one <= limits.accept_to for one in inside):
        yield ProtocolProblem(file, measure.id, "a number to confirm lies outside the accepted ones")
    if min([*(one.times for one in measure.units), *(one.times for one in measure.likely)], default=1) <= 0:
        yield ProtocolProblem(file, measure.id, "times must be above 0")
    if any(one.at_least >= one.below for one in measure.likely):
        yield ProtocolProblem(file, measure.id, "a range of a likely unit is empty")


def _threshold_problems(protocol: Protocol, rule: MeasureRule) -> Iterator[ProtocolProblem]:
    """Yield what is wrong with a threshold: its names, its limits, its own examples."""
    file, measures = "measures.yaml", protocol.measures
    if rule.measure not in measures.by_id or rule.measure == TEMPERATURE:
        yield ProtocolProblem(file, rule.id, f"no measure with thresholds here: {rule.measure}")
        return
    if not rule.source.strip():
        yield ProtocolProblem(file, rule.id, "the source is empty")
    yield from _chain_missing(protocol, file, rule.id, rule.urgency)
    numbers = {rule.measure, *(f"{rule.measure}{ending}" for ending in ENDINGS)}
    several = {SIGNS: {sign.id for sign in measures.signs}, TRANSFUSED: set(TRANSFUSIONS)}
    yield from _comparison_problems(file, rule.id, rule.when, numbers, several, {})
    for kind, examples in (("fires_for", rule.fires_for), ("quiet_for", rule.quiet_for)):
        if not examples:
            yield ProtocolProblem(file, rule.id, f"{kind} has no example")
        for example in examples:
            unknown = set(example) - numbers - set(several) - set(FACT_NAMES)
            if unknown:
                yield ProtocolProblem(file, rule.id, f"{kind} {dict(example)}: unknown {', '.join(sorted(unknown))}")
                continue
            answers, facts = split_threshold(rule, example)
            if holds(rule.when, answers, facts) != (kind == "fires_for"):
                yield ProtocolProblem(file, rule.id, f"{kind} {dict(example)}: the rule says otherwise")


def _comparison_problems(
    file: str,
    entry: str,
    when: Condition,
    numbers: Collection[str],
    several: Mapping[str, Collection[str]],
    single: Mapping[str, Collection[str]],
) -> Iterator[ProtocolProblem]:
    """Yield what a rule of values compares that it cannot; ``several`` and ``single``: options of choices."""
    for one in comparisons(when):
        name, limit = one.item or "", one.at_least is not None or one.below is not None
        if one.fact is not None:
            if one.fact not in FACT_NAMES or (one.fact == "arm") == limit:
                yield ProtocolProblem(file, entry, f"{one.fact} is unknown or cannot be compared in this way")
        elif name in several or name in single:
            known = several.get(name, ()) or single.get(name, ())
            asked = one.includes if name in several else one.one_of
            for option in asked or ("(includes is needed)" if name in several else "(one_of is needed)",):
                if option not in known:
                    yield ProtocolProblem(file, entry, f"{name} has no {option}")
        elif name not in numbers or not limit:
            yield ProtocolProblem(file, entry, f"{name} is unknown or cannot be compared in this way")


def _review_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, reviews, measures = "reviews.yaml", protocol.reviews, protocol.measures
    if min(reviews.value_good_for_days, reviews.chase_after_days) < 1:
        yield ProtocolProblem(file, "", "days must be above 0")
    if not reviews.conclusions:
        yield ProtocolProblem(file, "conclusions", "no review could end")
    for rule in reviews.rules:
        if not rule.source.strip():
            yield ProtocolProblem(file, rule.id, "the source is empty")
        if rule.urgency not in (Urgency.YELLOW, Urgency.AMBER):
            yield ProtocolProblem(file, rule.id, "a review is a task: yellow or amber")
        yield from _chain_missing(protocol, file, rule.id, rule.urgency)
        numbers: set[str] = set()
        several: dict[str, Collection[str]] = {}
        single: dict[str, Collection[str]] = {}
        if rule.watches == dose_reviews.ORDER:
            numbers = {dose_reviews.OFF}
        elif rule.watches == dose_reviews.TABLETS:
            single = {dose_reviews.UNORDERED: tuple(dose_reviews.Unordered)}
        elif rule.watches in measures.by_id:
            endings = (ending for ending in ENDINGS if ending != AGAIN)
            numbers = {rule.watches, *(f"{rule.watches}{each}" for each in endings), *dose_reviews.BESIDE_VALUE}
            several = {TRANSFUSED: TRANSFUSIONS}
        else:
            yield ProtocolProblem(file, rule.id, f"nothing to watch: {rule.watches}")
            continue
        yield from _comparison_problems(file, rule.id, rule.when, numbers, several, single)
        for kind, examples in (("fires_for", rule.fires_for), ("quiet_for", rule.quiet_for)):
            if not examples:
                yield ProtocolProblem(file, rule.id, f"{kind} has no example")
            for example in examples:
                unknown = set(example) - numbers - set(several) - set(single) - {"arm"}
                if unknown:
                    names = ", ".join(sorted(unknown))
                    yield ProtocolProblem(file, rule.id, f"{kind} {dict(example)}: unknown {names}")
                elif holds(rule.when, *dose_reviews.split_example(example)) != (kind == "fires_for"):
                    yield ProtocolProblem(file, rule.id, f"{kind} {dict(example)}: the rule says otherwise")


def _unknown_names(protocol: Protocol) -> Iterator[ProtocolProblem]:
    """Yield parts, concepts and rules that are named and do not exist, and rules that nothing names."""
    file, lexicon = "lexicon.yaml", protocol.lexicon
    parts = {part.id for part in lexicon.parts}
    spoken: tuple[Concept | Request, ...] = (*lexicon.concepts, *lexicon.requests)
    ruled: tuple[Concept | Combination | NumberBand, ...] = (
        *lexicon.concepts,
        *lexicon.combinations,
        *lexicon.numbers,
    )
    concepts = {concept.id for concept in lexicon.concepts}
    own = {rule.id for rule in lexicon.rules}
    rules = own | {rule.id for rule in protocol.triage_rules}
    named: set[str] = set()
    for part in lexicon.parts:
        for other in part.any_of:
            if other not in parts:
                yield ProtocolProblem(file, part.id, f"unknown part: {other}")
        if not part.zh and not part.en and not part.any_of:
            yield ProtocolProblem(file, part.id, "a part needs words")
    for entry in spoken:
        for composition in entry.compose:
            for name in (*composition.parts, *composition.near):
                if name not in parts:
                    yield ProtocolProblem(file, entry.id, f"unknown part: {name}")
            if not composition.parts:
                yield ProtocolProblem(file, entry.id, "a composition has no parts")
    for concept in lexicon.concepts:
        for other in concept.replaces:
            if other not in concepts:
                yield ProtocolProblem(file, concept.id, f"replaces an unknown concept: {other}")
    for combination in lexicon.combinations:
        for other in (*combination.first, *combination.second):
            if other not in concepts:
                yield ProtocolProblem(file, combination.id, f"unknown concept: {other}")
    for each in ruled:
        named.add(each.rule)
        if each.rule not in rules:
            where = each.measure if isinstance(each, NumberBand) else each.id
            yield ProtocolProblem(file, where, f"unknown rule: {each.rule}")
    for rule in lexicon.rules:
        if rule.id not in named:
            yield ProtocolProblem(
                file, rule.id, "the rule can never fire: no concept, combination or number names it"
            )
        if not rule.source.strip():
            yield ProtocolProblem(file, rule.id, "the source is empty")


def _can_be_said(composition: Composition, entry: Concept | Request, lexicon: Lexicon) -> bool:
    """Return whether some words of the parts, said one after the other, are found as the entry."""
    parts = {part.id: part for part in lexicon.parts}

    def words(name: str, language: str) -> list[str]:
        part = parts[name]
        own: Sequence[str] = part.zh if language == "zh" else part.en
        return [*own, *(word for other in part.any_of for word in words(other, language)[:1])][:MOST_SAID]

    read = reader(lexicon)
    for language, between in (("zh", ""), ("en", " ")):
        for near in composition.near or ("",):
            last = [words(near, language)] if near else []
            for said in product(*(words(name, language) for name in composition.parts), *last):
                if read.composed(read.read(between.join(said)), entry, composition):
                    return True
    return False


def _example_texts(lexicon: Lexicon) -> Iterator[ProtocolProblem]:
    """Yield the entries whose own examples do not do what they are there for."""
    file = "lexicon.yaml"
    entries: tuple[Concept | Combination | Request, ...] = (
        *lexicon.concepts,
        *lexicon.combinations,
        *lexicon.requests,
    )
    for entry in entries:
        if not entry.fires_for or not entry.quiet_for:
            yield ProtocolProblem(file, entry.id, "fires_for and quiet_for need an example each")
        for fires, texts in ((True, entry.fires_for), (False, entry.quiet_for)):
            for text in texts:
                findings = scan(text, lexicon)
                found = {one.concept.id for one in findings.concepts if one.status is not Status.NEGATED}
                found |= {asked.request.id for asked in findings.requests}
                if (entry.id in found) != fires:
                    yield ProtocolProblem(file, entry.id, f"{text!r}: {'stays quiet' if fires else 'fires'}")


def _chain_missing(protocol: Protocol, file: str, entry: str, urgency: Urgency) -> Iterator[ProtocolProblem]:
    if urgency is not Urgency.GREEN and protocol.chain_for(urgency) is None:
        yield ProtocolProblem(file, entry, f"urgency {urgency} has no chain {chain_name(urgency)}")


def _auditor_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, graces, drill = "escalation.yaml", protocol.auditor, protocol.drill
    for name, number in asdict(graces).items():
        if number < 1:
            yield ProtocolProblem(file, "auditor", f"{name} must be at least 1")
    repeats = [
        step.repeat_minutes for chain in protocol.chains.values() for step in chain.steps if step.repeat_minutes
    ]
    if repeats and graces.sent_minutes >= min(repeats):
        # Each new page would make the last one young again, and nobody would miss what never leaves.
        yield ProtocolProblem(file, "auditor", f"sent_minutes must be below {min(repeats)}, the shortest repeat")
    for name, number in asdict(drill).items():
        if number < 1:
            yield ProtocolProblem(file, "drill", f"{name} must be at least 1")


def _chain_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file = "escalation.yaml"
    yield from _twice(file, (outcome.code for outcome in protocol.outcomes))
    for kind in ("symptom", "request"):
        if not any(kind in outcome.of for outcome in protocol.outcomes):
            yield ProtocolProblem(file, "outcomes", f"a {kind} case could not be closed: there is no outcome for it")
    for outcome in protocol.outcomes:
        if "symptom" in outcome.of and outcome.told is None:
            yield ProtocolProblem(file, outcome.code, "told is missing: what the subject hears of it")
    if protocol.digest.waits_at_most_days < 1:
        yield ProtocolProblem(file, "digest", "waits_at_most_days must be at least 1")
    if protocol.conversation.open_hours < 1:
        yield ProtocolProblem(file, "conversation", "open_hours must be at least 1")
    yield from _auditor_problems(protocol)
    for name in CHAINS:
        if name not in protocol.chains:
            yield ProtocolProblem(file, name, "there is no chain of this name")
    for chain in protocol.chains.values():
        if chain.urgency not in CHAINS:
            yield ProtocolProblem(file, chain.urgency, f"unknown chain; known: {', '.join(CHAINS)}")
        if chain.acknowledge_within_minutes <= 0:
            yield ProtocolProblem(file, chain.urgency, "acknowledge_within_minutes must be above 0")
        if chain.steps[0].after_minutes != 0:
            yield ProtocolProblem(file, chain.urgency, "the first step must come at 0 minutes")
        limits = chain.limits
        if chain.urgency == "red" and (limits.read_back_minutes is None or limits.contact_minutes is None):
            yield ProtocolProblem(file, chain.urgency, "limits: red needs read_back_minutes and contact_minutes")
        if limits.outcome_minutes is None:
            yield ProtocolProblem(file, chain.urgency, "limits: outcome_minutes is missing; nobody would miss it")
        if (limits.read_back_minutes or 0) > (limits.contact_minutes or limits.read_back_minutes or 0):
            yield ProtocolProblem(file, chain.urgency, "limits: read_back_minutes must not be above contact_minutes")
        if chain.urgency == "red" and chain.steps[-1].repeat_minutes is None:
            yield ProtocolProblem(file, chain.urgency, "the last step of red must repeat: it never ends")
        for step in chain.steps:
            for role in step.roles:
                if role not in ROLES:
                    yield ProtocolProblem(file, chain.urgency, f"unknown role: {role}")


def _rota_problems(protocol: Protocol) -> Iterator[ProtocolProblem]:
    file, rule = "escalation.yaml", protocol.rota
    if min(rule.ahead_days, rule.urgent_hours, rule.closure_ahead_days, rule.closure_at_least_days) < 1:
        yield ProtocolProblem(file, "rota", "every number must be above 0")
    if rule.urgent_hours > rule.ahead_days * 24:
        yield ProtocolProblem(file, "rota", "urgent_hours must lie within ahead_days")
