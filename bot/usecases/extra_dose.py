"""More tablets were taken than ordered: the symptom report opens at that, and its rules decide (T39)."""

from bot.domain.questionnaires import accept
from bot.usecases import report, screens
from bot.work import Work

TROUBLE = "tablets"


def begin(work: Work, _args: object = None) -> None:
    """Ask how much and whether anything is felt, in the report that already knows what it is about."""
    work.stays_open = True
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("report.not_on_study", phone=screens.phone(work))
        return
    first = work.protocol.questionnaires[report.UNWELL].items[0]
    present = report.open_response(work)
    given = report.answers(work, present) if present is not None else {}
    if present is not None and given.get(first.id) == TROUBLE:
        report.ask_next(work, present, given)
        return
    # A report of something else that is open stays what it is; the watch over it goes on.
    response = present if present is not None and not given else report.new_response(work, report.UNWELL)
    option = next(each for each in first.options if each.id == TROUBLE)
    report.take(work, response, first, accept(first, TROUBLE), work.text(option.text))
