"""How does a kept value read, for rules and for people?"""

from bot.domain.measures import Doubt, Value
from bot.store.models import Measurement
from bot.texts import number
from bot.work import Work


def value_of(row: Measurement) -> Value:
    """Return a kept value as the rules read it."""
    return Value(row.measure, row.value, row.said, row.sign, row.unit, Doubt(row.doubt) if row.doubt else None)


def shown(work: Work, value: Value) -> str:
    """Return a value with its unit, as everybody reads it."""
    unit = work.protocol.measures.by_id[value.measure].unit
    return f"{value.sign}{number(value.value)}{'' if unit in ('%', '/min') else ' '}{unit}"
