"""Whom do these roles reach now: by the rota, by /duty, or by whoever stands in?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.roles import EVERYONE, ON_DUTY, SECOND_ON_CALL, Role
from bot.domain.rota import Level, Span, on_at
from bot.store import people, rota
from bot.store.models import Account, StaffMember
from bot.work import Lines, Text, Work

Person = tuple[StaffMember, Account]
MOMENT = timedelta(microseconds=1)


class StandIn(StrEnum):
    """Who is paged because nobody is on call."""

    NOBODY = ""
    FALLBACK = "fallback"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Reached:
    """Who is paged, and whether they stand in for somebody who should be on call."""

    people: Sequence[Person]
    stand_in: StandIn = StandIn.NOBODY

    @property
    def note(self) -> str:
        """Return what the case's history says besides the names."""
        return f" (nobody on call: {self.stand_in})" if self.stand_in else ""

    @property
    def line(self) -> Lines | str:
        """Return the line that says so in the page."""
        return Lines([Text(f"case.page.stand_in.{self.stand_in}"), ""]) if self.stand_in else ""


def whom(work: Work, roles: Collection[str]) -> Reached:
    """Return whom a page to these roles of a chain reaches now; never nobody while anybody is left.

    Who has left or cannot be reached counts as absent. Where coordinators are told as well, nobody has to stand in
    for whoever should be on call: they are there.
    """
    named = [role for role in roles if role not in (ON_DUTY, SECOND_ON_CALL)]
    found = people.reachable(work.session, named)
    stand_in = StandIn.NOBODY
    if ON_DUTY in roles:
        first = first_on(work)
        if not first and not any(member.role == Role.COORDINATOR for member, _ in found):
            first, stand_in = standing_in(work)
        found += first
    if SECOND_ON_CALL in roles:
        found += second_on(work)
    if not found:
        # The last resort is whoever there is, reachable or not.
        found = people.reachable(work.session, [EVERYONE]) or list(people.staff(work.session, [EVERYONE]))
    once = {account.id: (member, account) for member, account in found}
    return Reached(sorted(once.values(), key=lambda each: each[0].id or 0), stand_in)


def by_rota(work: Work, level: Level) -> list[Person]:
    """Return who is on call now by the rota and can be reached."""
    plan = rota.standing(work.session, Span(work.now, work.now + MOMENT))
    return [plan.people[person] for person in on_at(plan.shifts, level, work.now, plan.absent)]


def first_on(work: Work) -> list[Person]:
    """Return who is first on call: by the rota if it covers this moment, else who set themselves on duty."""
    return by_rota(work, Level.FIRST) or people.reachable(work.session, [ON_DUTY])


def first_until(work: Work, moment: datetime) -> list[Person]:
    """Return who is first on call at any time from now until ``moment``: by the rota, else whoever is on duty."""
    plan = rota.standing(work.session, Span(work.now, moment))
    on = {shift.person for shift in plan.shifts if shift.level is Level.FIRST} - plan.absent
    return [plan.people[person] for person in sorted(on)] or people.reachable(work.session, [ON_DUTY])


def second_on(work: Work) -> list[Person]:
    """Return who is second on call by the rota; where it has nobody, the investigators."""
    return by_rota(work, Level.SECOND) or people.reachable(work.session, [Role.INVESTIGATOR])


def standing_in(work: Work) -> tuple[list[Person], StandIn]:
    """Return who is paged while nobody is on call: the fallback, in a site with a rota the PI, else everybody."""
    named = rota.fallback(work.session)
    if named is not None and rota.is_there(named[1], named[2]):
        return [(named[1], named[2])], StandIn.FALLBACK
    if rota.begins_at(work.session) is not None and (pi := people.reachable(work.session, [Role.PI])):
        return pi, StandIn.FALLBACK
    return people.reachable(work.session, [EVERYONE]), StandIn.EVERYONE
