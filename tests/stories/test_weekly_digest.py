"""What those who lead the site's staff hear of the week: once, on Monday, whatever happened in between."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest
from sqlmodel import col, select

from bot.domain.calendar import ClinicCalendar, Closure
from bot.domain.kpi import Durations, Group, Span
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.domain.visits import Deviation, VisitKind
from bot.pictures import paint
from bot.simulator.parts import ShownMessage
from bot.store import people, visits
from bot.store.models import AgendaItem, AuditEntry, DoseReport, DoseReview, Escalation, OutboxMessage, Subject, Visit
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import escalate, plan, polite, weekly_digest, weekly_facts
from bot.usecases.staff_queries import find
from bot.usecases.weekly_facts import Tablets, WeekFacts
from bot.work import Text, Work
from tests.people import Study, staff, study
from tests.stories.scenes import SITE, Watch, jump, rows

FIRST, LAST = date(2026, 11, 2), date(2026, 11, 8)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SITE)


def digests(watch: Watch) -> list[ShownMessage]:
    return [message for message in watch.new if message.text.startswith(("📊", "✅ 2 Nov", "✅ 11月2日"))]


def quiet_study(work: Work) -> None:
    """Leave nothing to do: no visit is planned, no case is open, and nobody has tablets."""
    for visit in work.session.exec(select(Visit)).all():
        plan.cancel(work, visit, "the scene has none")
    for case in work.session.exec(select(Escalation)).all():
        case.state = "resolved"
    for subject in work.session.exec(select(Subject)).all():
        subject.arm = "CTRL"


async def gathered(stage: Stage) -> WeekFacts:
    return await stage.within(lambda work: weekly_facts.gather(work, FIRST, LAST))


async def reports(stage: Stage, code: str, **status: str) -> None:
    """Let a subject have told of the days of November; RAN_OUT is a reason of a day not taken."""

    def enter(work: Work) -> None:
        for day, what in status.items():
            reasons = ["RAN_OUT"] if what == "RAN_OUT" else []
            work.session.add(
                DoseReport(
                    subject_id=find(work, code).id or 0,
                    day_on=date(2026, 11, int(day.removeprefix("d"))),
                    status="not_taken" if reasons else what,
                    reasons=reasons,
                    reported_at=work.now,
                    reported_by="bot",
                )
            )

    await stage.within(enter)


class TestTheFigures:
    async def test_each_is_what_happened_on_these_days(self, both_stages: Stage) -> None:
        await study(both_stages)

        def happen(work: Work) -> None:
            anna, boris = find(work, "S-001"), find(work, "S-002")
            given = {
                kind: visits.open_one(work.session, boris, kind) for kind in (VisitKind.INJECTION, VisitKind.CBC)
            }
            injection, count = given[VisitKind.INJECTION], given[VisitKind.CBC]
            assert injection is not None
            assert count is not None
            grave = [each for each in Deviation if each.is_important][:1]
            visits.write_record(
                work.session, injection, visits.DONE, date(2026, 11, 3), at=work.now, by="bot", deviations=grave
            )
            visits.write_record(work.session, count, visits.MISSED, None, at=work.now, by="bot")
            # Corrected: it was on the Monday after, which is another week.
            other = visits.open_one(work.session, anna, VisitKind.INJECTION)
            assert other is not None
            visits.write_record(work.session, other, visits.DONE, date(2026, 11, 2), at=work.now, by="bot")
            visits.write_record(work.session, other, visits.DONE, date(2026, 11, 9), at=work.now, by="bot")
            moved = visits.open_one(work.session, anna, VisitKind.CBC)
            assert moved is not None
            plan.move(work, moved, date(2026, 11, 10))
            escalate.raise_case(work, anna, Urgency.AMBER, ["test"], [Text("kpi.none")])
            work.session.add(DoseReview(subject_id=anna.id or 0, rule="plt", key="k", opened_at=work.now))
            work.session.add(DoseReview(subject_id=anna.id or 0, rule="plt", key="l", opened_at=work.now))

        await both_stages.within(happen)
        await reports(both_stages, "S-001", d2="taken", d3="partly", d4="RAN_OUT", d5="taken")
        both_stages.clock.set(at(9, 8, 30))
        found = await gathered(both_stages)
        assert (found.held, found.missed, found.moved) == (1, 1, 1)
        assert (found.deviations, found.important) == (1, 1)
        assert [(str(group), spans.counted) for group, spans in found.cases if str(group) == "amber"] == [
            ("amber", 1)
        ]
        assert found.reviews == ["S-001"]
        assert [code for code, _ in found.tablets.below] == ["S-001"]
        # Taken on 2 and a half of seven days; three are not known.
        assert found.tablets.below[0][1] * 14 == 5
        assert found.tablets.unknown[0][1] * 7 == 3
        assert found.tablets.ran_out == ["S-001"]
        assert {each.on: each.patients for each in found.ahead}[date(2026, 11, 10)] == 1
        assert [each.is_open for each in found.ahead] == [True] * 5 + [False] * 2
        assert not found.nothing_to_do

    async def test_a_share_exactly_on_the_limit_is_not_below_it(self, study: Study) -> None:
        days = {f"d{day}": "taken" for day in range(2, 6)}
        await reports(study.stage, "S-001", **days, d6="not_taken")
        study.stage.clock.set(at(7, 8))
        found = (await gathered(study.stage)).tablets
        assert (found.below, found.unknown) == ([], [])
        study.stage.clock.set(at(8, 8))
        found = (await gathered(study.stage)).tablets
        # One more day of which nobody knows: 4 of 6 taken, 1 of 6 not known, which is not above 20 %.
        assert [code for code, _ in found.below] == ["S-001"]
        assert found.unknown == []

    async def test_a_study_without_anything_has_nothing_to_do(self, study: Study) -> None:
        await study.stage.within(quiet_study)
        assert (await gathered(study.stage)).nothing_to_do

    @pytest.mark.parametrize("locale", ["zh", "en"])
    async def test_every_line_has_its_words(self, study: Study, locale: str) -> None:
        many = [f"S-{number:03}" for number in range(1, 9)]
        everything = replace(
            await gathered(study.stage),
            overdue=many,
            silent=many[:1],
            reviews=many[:2],
            tablets=Tablets([("S-001", Fraction(1, 2))], [("S-002", Fraction(1, 3))], ["S-003"]),
            open_cases=3,
            deviations=2,
            important=1,
            cases=[(Group.RED, Durations(1, 0, 0, Span(timedelta(minutes=4), exact=False), None, None, None))],
            closures=[Closure(LAST, LAST)],
        )

        def said(work: Work) -> str:
            shown, _ = weekly_digest.summary(work, everything)
            return shown.render(work.texts, locale)

        words = await study.stage.within(said)
        for part in ("S-001 50 %", "S-002 33 %", "S-003", "S-006, "):
            assert part in words
        assert "S-007" not in words
        assert "{" not in words


class TestByItself:
    async def plan(self, study: Study) -> None:
        """Let the job enter the first one, on the study's first morning."""
        await study.stage.bot.tick()

    async def test_on_monday_coordinators_and_the_pi_get_a_picture_and_the_figures(self, study: Study) -> None:
        await self.plan(study)
        pi = await staff(study.stage, 14, "PI", Role.PI, "zh")
        others = [study.doctor, await staff(study.stage, 15, "Monitor", Role.MONITOR)]
        others += [await staff(study.stage, 16, "Admin", Role.ADMIN), study.boris]
        sees = [Watch(each) for each in (study.coordinator, pi)]
        not_told = [Watch(each) for each in others]
        await jump(study.stage, at(9, 8, 30))
        for watch in sees:
            (said,) = digests(watch)
            assert sum(message.kind == "photo" for message in watch.new) == 1
            assert len(said.text) < 3000
        assert "2 Nov to 8 Nov" in digests(sees[0])[0].text
        assert "11月2日至11月8日" in digests(sees[1])[0].text
        assert not any(digests(watch) for watch in not_told)
        for message in await rows(study.stage, OutboxMessage, purpose=weekly_digest.PURPOSE, method="picture"):
            assert paint(json.loads(message.picture or ""))[:4] == b"\x89PNG"
        coming = await rows(study.stage, AgendaItem, kind=weekly_digest.DIGEST, state="waiting")
        assert [(each.key, each.due_at) for each in coming] == [("weekly.digest:2026-W47", at(16, 8, 30))]

    async def test_nothing_to_do_is_one_line_and_no_picture(self, study: Study) -> None:
        await self.plan(study)
        await study.stage.within(quiet_study)
        sees = Watch(study.coordinator)
        # Whoever is silent is a task, so all are heard.
        study.stage.clock.set(at(8, 12))
        for each in study.patients:
            await each.says("/menu")
        await study.stage.within(quiet_study)
        await jump(study.stage, at(9, 8, 30))
        (said,) = digests(sees)
        assert said.text.startswith("✅")
        assert "\n" not in said.text
        assert not any(message.kind == "photo" for message in sees.new)

    async def test_after_weeks_of_outage_there_is_one_that_tells_of_all(self, study: Study) -> None:
        await self.plan(study)
        sees = Watch(study.coordinator)
        await jump(study.stage, at(25, 3))
        assert digests(sees) == []  # not at night
        await study.stage.until(at(25, 8, 30))
        (said,) = digests(sees)
        assert "2 Nov to 22 Nov" in said.text
        coming = await rows(study.stage, AgendaItem, kind=weekly_digest.DIGEST, state="waiting")
        assert [each.due_at for each in coming] == [at(30, 8, 30)]

    async def test_when_monday_is_closed_after_all_it_comes_on_the_next_open_day(self, study: Study) -> None:
        await self.plan(study)
        study.stage.clock.set(at(9, 8, 30))
        sees = Watch(study.coordinator)

        def closed(work: Work) -> str:
            work.clinic = ClinicCalendar(extra_closed=frozenset({date(2026, 11, 9), date(2026, 11, 10)}))
            item = work.session.exec(select(AgendaItem).where(AgendaItem.kind == weekly_digest.DIGEST)).one()
            return weekly_digest.send(work, item)

        assert await study.stage.within(closed) == polite.PUT_OFF
        await study.stage.settle()
        assert digests(sees) == []
        (waiting,) = await rows(study.stage, AgendaItem, kind=weekly_digest.DIGEST, state="waiting")
        assert waiting.due_at == at(11, 8, 30)

    async def test_there_is_one_a_week_also_when_the_clock_is_set_back(self, study: Study) -> None:
        await self.plan(study)
        await jump(study.stage, at(9, 8, 30))
        sees = Watch(study.coordinator)

        def again(work: Work) -> None:
            item = work.session.exec(
                select(AgendaItem).where(AgendaItem.kind == weekly_digest.DIGEST).order_by(col(AgendaItem.id))
            ).first()
            assert item is not None
            weekly_digest.send(work, item)

        await study.stage.within(again)
        await study.stage.settle()
        assert digests(sees) == []

    async def test_who_has_left_or_blocked_the_bot_gets_none(self, study: Study) -> None:
        await self.plan(study)
        pi = await staff(study.stage, 14, "PI", Role.PI)

        def leave(work: Work) -> None:
            for member, account in people.staff(work.session, [Role.COORDINATOR, Role.PI]):
                if member.role == Role.PI:
                    account.unreachable_at = work.now
                else:
                    member.revoked_at = work.now

        await study.stage.within(leave)
        sees = [Watch(pi), Watch(study.coordinator)]
        await jump(study.stage, at(9, 8, 30))
        assert not any(digests(watch) for watch in sees)
        done = await rows(study.stage, AgendaItem, kind=weekly_digest.DIGEST, state="done")
        assert [each.reason for each in done] == ["0 told of 2026-11-02 to 2026-11-08"]


class TestOnDemand:
    @pytest.mark.parametrize("role", [Role.PI, Role.MONITOR, Role.INVESTIGATOR])
    async def test_whoever_reads_patients_reads_it(self, study: Study, role: Role) -> None:
        reader = await staff(study.stage, 14, "Reader", role)
        study.stage.clock.set(at(2, 9))
        await reader.says("/digest")
        assert "26 Oct to 1 Nov" in reader.phone.last.text
        (look,) = await rows(study.stage, AuditEntry, what="weekly.viewed")
        assert look.actor.startswith("staff:")

    async def test_its_buttons_open_the_lists(self, study: Study) -> None:
        await study.stage.within(
            lambda work: escalate.raise_case(work, find(work, "S-003"), Urgency.AMBER, ["test"], [Text("kpi.none")])
        )
        await study.coordinator.says("/digest")
        await study.coordinator.taps("alerts.button.all")
        assert "S-003" in " ".join(study.coordinator.phone.last.labels)

    async def test_a_patient_and_an_admin_are_refused(self, study: Study) -> None:
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        each: Person
        for each in (admin, study.boris):
            sees = Watch(each)
            await each.says("/digest")
            assert sees.first("refused.not_for_you")
