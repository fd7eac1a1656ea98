"""How does a shift get its person, change hands, and end?

A shift is never overwritten: it ends, and another row says who has the time from then on.
"""

from datetime import datetime
from typing import Any

from bot.domain.roles import CLINICAL, Role
from bot.domain.rota import Level, Span, gaps, without
from bot.store import outbox, people, rota
from bot.store.models import Account, OncallFallback, OncallShift, StaffMember, SwapOffer
from bot.usecases import refusals, rota_watch, rota_words
from bot.work import Button, Lane, Text, Work

OFFER = "rota.offer"
OFFERED = 10  # of the own shifts that are shown to be offered
FILE, SWAPPED, TAKEN = "file", "swapped", "taken"
REPLACED, LEFT = "replaced", "left"
STATES = ("open", "accepted", "refused", "withdrawn", "lapsed")


def enter(
    work: Work, staff_id: int, level: Level, span: Span, source: str, replaces: OncallShift | None = None
) -> OncallShift:
    """Enter a shift."""
    row = OncallShift(
        staff_id=staff_id,
        level=level,
        from_at=span.from_at,
        until_at=span.until_at,
        source=source,
        replaces_id=replaces.id if replaces is not None else None,
        entered_at=work.now,
        entered_by=work.caller.label,
    )
    work.session.add(row)
    work.session.flush()
    return row


def end(work: Work, row: OncallShift, because: str) -> None:
    """End a shift now; what was offered of it lapses."""
    row.ended_at, row.ended_by, row.ended_because = work.now, work.caller.label, because
    if because != SWAPPED and (offer := rota.open_offer(work.session, row.id or 0)) is not None:
        _close(work, offer, "lapsed")


def leave(work: Work, staff_id: int) -> None:
    """End everything of a person who is no longer staff: shifts, offers to them, the fallback; tell of the gap."""
    for row in rota.of_person(work.session, staff_id, work.now):
        end(work, row, LEFT)
    for offer in rota.open_offers_to(work.session, staff_id):
        _close(work, offer, "lapsed")
    named = rota.fallback(work.session)
    if named is not None and named[0].staff_id == staff_id:
        named[0].ended_at, named[0].ended_by = work.now, work.caller.label
        for _, account in people.staff(work.session, rota_watch.KEEPERS):
            work.say(account, "oncall.fallback_left", lane=Lane.AMBER, purpose="rota", name=named[1].name)
    rota_watch.changed(work)


# A gap


def take(work: Work, args: dict[str, Any]) -> None:
    """Take over what is still open of a gap, from now on."""
    level = Level(args["level"])
    asked = Span(datetime.fromisoformat(args["from"]), datetime.fromisoformat(args["until"]))
    left = Span(max(asked.from_at, work.now), asked.until_at)
    plan = rota.standing(work.session, left) if left.from_at < left.until_at else None
    open_ = gaps(plan.shifts, level, left, plan.absent) if plan is not None else []
    if work.caller.staff_id is None or not open_:
        work.note("oncall.toast.no_gap")
        work.answer("oncall.no_gap", at=rota_words.span(work, asked, work.caller.locale))
        return
    for gap in open_:
        enter(work, work.caller.staff_id, level, gap, TAKEN)
        _tell_of(work, "oncall.taken", gap, level)
    rota_watch.changed(work)


def _tell_of(work: Work, key: str, span: Span, level: Level) -> None:
    """Tell the person who acts, and the coordinators, what has changed."""
    name = work.session.get_one(StaffMember, work.caller.staff_id).name
    told = {account.id: account for _, account in people.staff(work.session, [Role.COORDINATOR])}
    told[work.caller.account_id] = work.session.get_one(Account, work.caller.account_id)
    for account in told.values():
        work.say(
            account,
            key,
            lane=Lane.AMBER,
            purpose="rota",
            name=name,
            at=rota_words.span(work, span, account.locale),
            level=Text(f"oncall.level.{level}"),
        )


# A swap


def show_own(work: Work, _args: object = None) -> None:
    """List the caller's own shifts that can be offered to a colleague."""
    own = rota.of_person(work.session, work.caller.staff_id or 0, work.now)
    if not own:
        work.answer("oncall.no_shift")
        return
    rows = [
        [Button("oncall.button.offer", "rota.offer", {"shift": row.id}, values={"at": _said(work, row)})]
        for row in own[:OFFERED]
    ]
    work.answer("oncall.which_shift", rows)


def ask_whom(work: Work, args: dict[str, Any]) -> None:
    """Ask to whom a shift is offered."""
    row = _own(work, args)
    rows = [
        [Button(member.name, "rota.offer_to", {"shift": row.id, "staff": member.id}, plain=True)]
        for member, _ in people.reachable(work.session, CLINICAL)
        if member.id != work.caller.staff_id
    ]
    work.answer("oncall.to_whom" if rows else "oncall.no_colleague", rows, single_use=True, at=_said(work, row))


def offer_to(work: Work, args: dict[str, Any]) -> None:
    """Offer a shift to a colleague; an offer of it that is still open is withdrawn."""
    row = _own(work, args)
    colleague = people.member(work.session, args["staff"])
    if colleague is None or not rota.is_there(*colleague) or colleague[0].id == work.caller.staff_id:
        raise refusals.ColleagueAway
    if (present := rota.open_offer(work.session, row.id or 0)) is not None:
        _close(work, present, "withdrawn")
    offer = SwapOffer(
        shift_id=row.id or 0, from_staff_id=row.staff_id, to_staff_id=args["staff"], offered_at=work.now
    )
    work.session.add(offer)
    work.session.flush()
    _tell(work, offer)


def accept(work: Work, args: dict[str, Any]) -> None:
    """Take over an offered shift: from now on, or from its beginning.

    Raises:
        refusals.AlreadyOnCall: the colleague has a shift of this level in that time.
    """
    offer = _offer(work, args)
    if offer.to_staff_id != work.caller.staff_id:
        raise refusals.ShiftGone
    row = work.session.get_one(OncallShift, offer.shift_id, with_for_update=True)
    if offer.state != rota.OPEN or row.ended_at is not None or row.until_at <= work.now:
        _too_late(work, offer)
        return
    span = Span(max(row.from_at, work.now), row.until_at)
    own = [rota.as_shift(each) for each in rota.of_person(work.session, offer.to_staff_id, work.now)]
    if without(span, [each.span for each in own if each.level == row.level]) != [span]:
        raise refusals.AlreadyOnCall
    end(work, row, SWAPPED)
    enter(work, offer.to_staff_id, Level(row.level), span, SWAPPED, row)
    _close(work, offer, "accepted")
    rota_watch.changed(work)


def refuse(work: Work, args: dict[str, Any]) -> None:
    """Decline an offered shift: it stays where it was."""
    _answer(work, args, "refused")


def withdraw(work: Work, args: dict[str, Any]) -> None:
    """Take an offer back before the colleague has answered."""
    _answer(work, args, "withdrawn")


def _answer(work: Work, args: dict[str, Any], state: str) -> None:
    offer = _offer(work, args)
    if work.caller.staff_id != (offer.to_staff_id if state == "refused" else offer.from_staff_id):
        raise refusals.ShiftGone
    if offer.state != rota.OPEN:
        _too_late(work, offer)
        return
    _close(work, offer, state)


def _too_late(work: Work, offer: SwapOffer) -> None:
    if offer.state == rota.OPEN:
        _close(work, offer, "lapsed")
    work.note("oncall.toast.answered")
    account = work.session.get_one(Account, work.caller.account_id)
    _say(work, offer, account)


def _close(work: Work, offer: SwapOffer, state: str) -> None:
    """Bring an offer to its end, and show that on every message of it, so that all see one state."""
    offer.state, offer.answered_at = state, work.now
    work.silence("answered", purpose=OFFER, about_id=offer.id)
    for message in outbox.shown_to_staff(work.session, OFFER, offer.id):
        if message.keyboard is not None:
            work.edit(message, work.text("oncall.offer", message.locale, **_rendered(work, offer, message.locale)))
    _tell(work, offer)


def _tell(work: Work, offer: SwapOffer) -> None:
    """Tell both, and the coordinators, how an offer stands; the buttons are for whoever can answer."""
    parties = [people.member(work.session, each) for each in (offer.to_staff_id, offer.from_staff_id)]
    told = {found[1].id: found[1] for found in parties if found is not None}
    told |= {account.id: account for _, account in people.staff(work.session, [Role.COORDINATOR])}
    for account in told.values():
        _say(work, offer, account)


def _say(work: Work, offer: SwapOffer, account: Account) -> None:
    args = {"offer": offer.id}
    rows: list[list[Button]] = []
    if offer.state == rota.OPEN and account.id == _account(work, offer.to_staff_id):
        rows = [
            [Button("oncall.button.accept", "rota.accept", args)],
            [Button("oncall.button.refuse", "rota.refuse", args)],
        ]
    elif offer.state == rota.OPEN and account.id == _account(work, offer.from_staff_id):
        rows = [[Button("oncall.button.withdraw", "rota.withdraw", args)]]
    values = _rendered(work, offer, account.locale)
    work.say(account, "oncall.offer", rows, lane=Lane.AMBER, purpose=OFFER, about_id=offer.id, **values)


def _rendered(work: Work, offer: SwapOffer, locale: str) -> dict[str, Any]:
    row = work.session.get_one(OncallShift, offer.shift_id)
    giver, taker = (work.session.get_one(StaffMember, each) for each in (offer.from_staff_id, offer.to_staff_id))
    return {
        "at": rota_words.span(work, Span(row.from_at, row.until_at), locale),
        "level": work.text(f"oncall.level.{row.level}", locale),
        "giver": giver.name,
        "taker": taker.name,
        "state": work.text(f"oncall.offer_state.{offer.state}", locale, giver=giver.name, taker=taker.name),
    }


def _offer(work: Work, args: dict[str, Any]) -> SwapOffer:
    return work.session.get_one(SwapOffer, args["offer"], with_for_update=True)


def _own(work: Work, args: dict[str, Any]) -> OncallShift:
    """Return the caller's shift that a button names.

    Raises:
        refusals.ShiftGone: it is over, or somebody else's by now.
    """
    row = work.session.get_one(OncallShift, args["shift"], with_for_update=True)
    if row.staff_id != work.caller.staff_id or row.ended_at is not None or row.until_at <= work.now:
        raise refusals.ShiftGone
    return row


def _said(work: Work, row: OncallShift) -> str:
    return rota_words.span(work, Span(row.from_at, row.until_at), work.caller.locale)


def _account(work: Work, staff_id: int) -> int:
    return work.session.get_one(StaffMember, staff_id).account_id


# The fallback


def ask_fallback(work: Work, _args: object = None) -> None:
    """Ask who is paged when nobody is on call."""
    rows = [
        [Button(member.name, "rota.set_fallback", {"staff": member.id}, plain=True)]
        for member, _ in people.reachable(work.session, CLINICAL)
    ]
    work.answer("oncall.which_fallback" if rows else "oncall.no_colleague", rows, single_use=True, at="")


def set_fallback(work: Work, args: dict[str, Any]) -> None:
    """Name the person who is paged when nobody is on call; they hear of it."""
    found = people.member(work.session, args["staff"])
    if found is None or not rota.is_there(*found):
        raise refusals.ColleagueAway
    member, account = found
    present = rota.fallback(work.session)
    if present is not None:
        present[0].ended_at, present[0].ended_by = work.now, work.caller.label
    work.session.add(OncallFallback(staff_id=args["staff"], set_at=work.now, set_by=work.caller.label))
    work.session.flush()
    work.answer("oncall.fallback_set", name=member.name)
    if account.id != work.caller.account_id:
        work.say(account, "oncall.you_are_fallback", lane=Lane.AMBER, purpose="rota")
