"""How does a record become a row in the shape of SDTM?

Only what counts is here: the newest version of everything, nothing that was taken out, adverse events once an
investigator has judged them, laboratory values once staff have verified them. What the bot does not know stays
empty and is counted under `gaps`. A row's --SEQ comes from the number of its record, so it never changes.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from bot.domain.adherence import DoseStatus
from bot.domain.adverse_events import Criterion
from bot.domain.adverse_events import Outcome as EventOutcome
from bot.domain.dosing import standing
from bot.domain.questionnaires import ItemKind
from bot.domain.visits import Deviation, VisitKind
from bot.exports.source import SubjectRecords
from bot.exports.terms import Shape, Terms
from bot.store.measurements import PATIENT
from bot.store.models import AdverseEvent, DoseOrder, Visit, VisitRecord
from bot.texts import DEFAULT_LOCALE, TextMissing, number
from bot.usecases.reasons import CODED

Row = dict[str, Any]

YES, NO = "Y", "N"
SCHEDULED, PERFORMED = "SCHEDULED", "PERFORMED"
BETWEEN = "; "
LUSPATERCEPT, DEFERASIROX = "luspatercept", "deferasirox"
MULTIPLE = "MULTIPLE"  # several study medicines, and not the same of each: adverse_events.csv has all
ENGLISH = "en"
DIED = f"{CODED}died"
# --SEQ of a data set that is made of several tables: ten times the number of the record, plus the table.
FROM_DAYS, FROM_ORDERS, FROM_VISITS = 1, 2, 3
FROM_VALUES, FROM_WEIGHTS = 1, 2
CRITERIA: Mapping[str, Criterion] = {
    "AESCONG": Criterion.CONGENITAL,
    "AESDISAB": Criterion.DISABILITY,
    "AESDTH": Criterion.DEATH,
    "AESHOSP": Criterion.HOSPITAL,
    "AESLIFE": Criterion.LIFE,
    "AESMIE": Criterion.OTHER,
}
NOT_A_VISIT = VisitKind.EVALUATION  # a task for staff: the subject comes for nothing


@dataclass(slots=True)
class Gaps:
    """What a row should have and has not, counted by data set, variable and reason."""

    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def note(self, domain: str, variable: str, why: str) -> None:
        self.found[domain, variable, why] += 1

    def term(self, domain: str, variable: str, terms: Mapping[str, str], code: str | None) -> str | None:
        """Return the term of a code; one that has none is a gap."""
        if code is not None and code not in terms:
            self.note(domain, variable, f"no term for {code!r}")
        return terms.get(code) if code is not None else None


class Rows:
    """Makes the rows of all data sets for one subject."""

    def __init__(self, of: SubjectRecords, shape: Shape, gaps: Gaps) -> None:
        self.of = of
        self.source = of.source
        self.shape = shape
        self.terms: Terms = shape.terms
        self.gaps = gaps

    def of_domain(self, domain: str) -> Iterator[Row]:
        """Yield the rows of one data set, each with every variable of it."""
        known = self.shape.domains[domain]
        for given in MAKERS[domain](self):
            row: Row = {
                "STUDYID": self.source.protocol.id,
                "DOMAIN": domain,
                "USUBJID": f"{self.source.protocol.id}-{self.of.subject.site}-{self.of.code}",
                **given,
            }
            for each in known.variables:
                if each.missing is None and each.core == "Req" and row.get(each.name) in (None, ""):
                    self.gaps.note(domain, each.name, "a required value is not known")
            yield {each.name: row.get(each.name) for each in known.variables}

    def dtc(self, at: date | datetime | None) -> str | None:
        """Return a day or a time in ISO 8601; a time is the site's, with its offset, to the second."""
        if isinstance(at, datetime):
            return at.astimezone(self.source.zone).replace(microsecond=0).isoformat()
        return at.isoformat() if at is not None else None

    # Visits

    @cached_property
    def numbers(self) -> dict[int, tuple[int, str]]:
        """Return number and name of each visit: those of a kind count up, and none is ever counted anew."""
        counted: Counter[str] = Counter()
        found: dict[int, tuple[int, str]] = {}
        for visit in self.of.visits:
            counted[visit.kind] += 1
            term = self.terms.visits[visit.kind]
            found[visit.id or 0] = term.number + counted[visit.kind], f"{term.name} {counted[visit.kind]}"
        return found

    @cached_property
    def recorded(self) -> list[tuple[Visit, VisitRecord]]:
        """Return the visits of which something is recorded, with what counts of it."""
        pairs = ((visit, self.of.records.get(visit.id or 0)) for visit in self.of.visits)
        return [(visit, versions[-1]) for visit, versions in pairs if versions]

    def injections(self) -> list[tuple[Visit, VisitRecord]]:
        return [
            (visit, record)
            for visit, record in self.recorded
            if visit.kind == VisitKind.INJECTION and record.outcome in ("done", "missed")
        ]

    @cached_property
    def held(self) -> dict[date, Visit]:
        """Return the visit that was held on a day; of several the one with the lowest number."""
        found = [(visit, record.held_on) for visit, record in self.recorded if record.outcome == "done"]
        found.sort(key=lambda pair: self.numbers[pair[0].id or 0])
        return {on: visit for visit, on in reversed(found) if on is not None}

    def at_visit(self, day: date) -> Row:
        visit = self.held.get(day)
        if visit is None:
            return {}
        number_, name = self.numbers[visit.id or 0]
        return {"VISITNUM": number_, "VISIT": name}

    # Data sets

    def demographics(self) -> Iterator[Row]:
        one, source = self.of.subject, self.source
        arm = source.protocol.arms.get(one.arm)
        given = [record.held_on for _, record in self.injections() if record.outcome == "done" and record.held_on]
        given += [day for day, versions in self.of.days.items() if versions[-1].status in TAKEN]
        first = one.first_injection_on or min(given, default=None)
        last_event = next((each for each in self.events() if each.outcome == EventOutcome.FATAL), None)
        died = last_event is not None or one.closed_because == DIED
        if died and (last_event is None or last_event.end_on is None):
            self.gaps.note("DM", "DTHDTC", "the day of death is not stored")
        if first is None:
            self.gaps.note("DM", "RFSTDTC", "no study treatment is recorded")
        name = _english(self, arm.name) if arm is not None else None
        yield {
            "SUBJID": one.code, "RFSTDTC": self.dtc(first), "RFENDTC": self.dtc(one.closed_on),
            "RFXSTDTC": self.dtc(min(given, default=None)), "RFXENDTC": self.dtc(max(given, default=None)),
            "RFPENDTC": self.dtc(one.closed_on), "DTHDTC": self.dtc(last_event.end_on) if last_event else None,
            "DTHFL": YES if died else None, "SITEID": one.site, "BRTHDTC": str(one.birth_year),
            "AGE": (first or source.day(one.enrolled_at)).year - one.birth_year, "AGEU": "YEARS",
            "ARMCD": one.arm, "ARM": name, "ACTARMCD": one.arm, "ACTARM": name, "COUNTRY": self.shape.study.country,
        }  # fmt: skip

    def events(self) -> list[AdverseEvent]:
        """Return the adverse events that count and that an investigator has judged."""
        newest = [versions[-1] for versions in self.of.events.values()]
        return [each for each in newest if not each.void and each.grade is not None]

    def adverse_events(self) -> Iterator[Row]:
        source = self.source
        for versions in self.of.events.values():
            if not versions[-1].void and versions[-1].grade is None and source.within(versions[-1].onset_on):
                self.gaps.note("AE", "", "an event was not judged by an investigator yet, so it is left out")
        for each in self.events():
            if not source.within(each.onset_on):
                continue
            if each.term is None:
                self.gaps.note("AE", "AETERM", "named in own words, which stay in the source record")
            if not each.judged:
                self.gaps.note("AE", "AETOXGR", "the facts were changed since the judgement")
            yield {
                "AESEQ": each.number, "AESPID": f"AE-{each.number}-{each.version}", "AETERM": each.term,
                "AELLT": each.term, "AELLTCD": int(each.llt) if each.llt else None,
                "AESER": _flag(each.serious), "AEACN": self._of_all("AEACN", self.terms.actions, each.actions),
                "AEREL": self._of_all("AEREL", self.terms.relations, each.relation),
                "AEOUT": self.gaps.term("AE", "AEOUT", self.terms.outcomes, each.outcome),
                **{name: _flag(criterion in each.criteria) for name, criterion in CRITERIA.items()},
                "AECONTRT": YES if each.treatment else None, "AETOXGR": str(each.grade),
                "AESTDTC": self.dtc(each.onset_on), "AEENDTC": self.dtc(each.end_on),
                "AEENRTPT": "ONGOING" if each.end_on is None else None,
                "AEENTPT": self.dtc(each.recorded_at) if each.end_on is None else None,
            }  # fmt: skip

    def _of_all(self, variable: str, terms: Mapping[str, str], by_medicine: Mapping[str, str]) -> str | None:
        found = {self.gaps.term("AE", variable, terms, code) for code in by_medicine.values()}
        return MULTIPLE if len(found) > 1 else next(iter(found), None)

    def exposure_as_collected(self) -> Iterator[Row]:
        yield from self._ordered()
        yield from self._days()
        yield from self._injected()

    def _ordered(self) -> Iterator[Row]:
        for order in self.of.orders:
            if not order.void and self.source.within(order.from_on):
                yield {
                    **self._dose("EC", order), "ECSEQ": _seq(order.id, FROM_ORDERS), "ECSPID": f"ORDER-{order.id}",
                    "ECMOOD": SCHEDULED, "ECSTDTC": self.dtc(order.from_on), "ECENDTC": self.dtc(order.until_on),
                }  # fmt: skip

    def _days(self) -> Iterator[Row]:
        """Yield each day that was answered; nothing stands for a day of which nobody knows."""
        for day, order, versions in self._answered():
            newest, row = versions[-1], self._dose("EC", order)
            if newest.status == DoseStatus.PARTLY:
                self.gaps.note("EC", "ECDOSE", "taken in part, and how much is not stored")
            if newest.status != DoseStatus.TAKEN:
                row["ECDOSE"] = row["ECDOSU"] = None
            reasons = [self.gaps.term("EC", "ECREASOC", self.terms.skip_reasons, each) for each in newest.reasons]
            yield {
                **row, "ECSEQ": _seq(versions[0].id, FROM_DAYS), "ECSPID": f"DAY-{newest.id}", "ECMOOD": PERFORMED,
                "ECPRESP": YES, "ECOCCUR": NO if newest.status == DoseStatus.NOT_TAKEN else YES,
                "ECREASOC": BETWEEN.join(each for each in reasons if each) or None,
                "ECSTDTC": self.dtc(day), "ECENDTC": self.dtc(day),
            }  # fmt: skip

    def _answered(self) -> Iterator[tuple[date, DoseOrder | None, Any]]:
        for day, versions in self.of.days.items():
            if versions[-1].status in ANSWERED and self.source.within(day):
                yield day, standing(self.of.orders, (), day).order, versions

    def _injected(self) -> Iterator[Row]:
        medicine = self.terms.medicines[LUSPATERCEPT]
        for visit, record in self.injections():
            on = record.held_on or visit.target_on
            if not self.source.within(on):
                continue
            if record.outcome == "done":
                self.gaps.note("EC", "ECDOSE", "the dose of an injection is not stored")
            yield {
                "ECSEQ": _seq(visit.id, FROM_VISITS), "ECSPID": f"VISIT-{visit.id}", "ECTRT": medicine.name,
                "ECMOOD": PERFORMED, "ECPRESP": YES, "ECOCCUR": YES if record.outcome == "done" else NO,
                "ECREASOC": self._why(record) if record.outcome == "missed" else None, "ECDOSFRM": medicine.form,
                "ECROUTE": medicine.route, "ECSTDTC": self.dtc(on), "ECENDTC": self.dtc(on),
            }  # fmt: skip

    def _dose(self, domain: str, order: DoseOrder | None) -> Row:
        medicine, terms = self.terms.medicines[DEFERASIROX], self.terms
        row: Row = {f"{domain}TRT": medicine.name, f"{domain}ROUTE": medicine.route}
        if order is None:
            self.gaps.note(domain, f"{domain}DOSE", "answered for a day without an order")
            row |= dict.fromkeys((f"{domain}DOSE", f"{domain}DOSU"))
            return row
        unit = self.gaps.term(domain, f"{domain}DOSU", terms.tablet_units, order.formulation)
        frequency = self.gaps.term(domain, f"{domain}DOSFRQ", terms.times_a_day, str(order.times_a_day))
        form = self.gaps.term(domain, f"{domain}DOSFRM", terms.formulations, order.formulation)
        row |= {f"{domain}DOSFRM": form, f"{domain}DOSFRQ": frequency}
        row |= {f"{domain}DOSE": order.tablets, f"{domain}DOSU": unit}
        return row | {f"{domain}PSTRG": order.strength_mg, f"{domain}PSTRGU": "mg"}

    def exposure(self) -> Iterator[Row]:
        for day, order, versions in self._answered():
            if versions[-1].status == DoseStatus.TAKEN and order is not None:
                row = self._dose("EX", order)
                row |= {"EXDOSE": order.tablets * order.strength_mg, "EXDOSU": "mg"}
                when = {"EXSTDTC": self.dtc(day), "EXENDTC": self.dtc(day)}
                yield {**row, "EXSEQ": _seq(versions[0].id, FROM_DAYS), "EXSPID": f"DAY-{versions[-1].id}", **when}

    def accountability(self) -> Iterator[Row]:
        for versions in self.of.counts:
            newest, term = versions[-1], self.terms.counts.get(versions[-1].kind)
            if term is None or newest.void or not self.source.within(newest.counted_on):
                continue
            # Of granules sachets are counted: the order of that day says so.
            order = standing(self.of.orders, (), newest.counted_on).order
            unit = self.terms.tablet_units.get(order.formulation) if order is not None else None
            if unit is None:
                self.gaps.note(
                    "DA", "DAORRESU", "counted on a day without an order, so tablets or sachets is not known"
                )
            yield {
                "DASEQ": versions[0].id, "DASPID": f"COUNT-{newest.id}", "DATESTCD": term.code, "DATEST": term.test,
                "DAORRES": number(newest.tablets), "DAORRESU": unit, "DASTRESC": number(newest.tablets),
                "DASTRESN": newest.tablets, "DASTRESU": unit, "DADTC": self.dtc(newest.counted_on),
            }  # fmt: skip

    def laboratory(self) -> Iterator[Row]:
        return self._measured("LB")

    def vital_signs(self) -> Iterator[Row]:
        yield from self._measured("VS")
        measured = {
            (each.taken_on, each.value)
            for versions in self.of.values
            for each in versions
            if each.measure == "weight"
        }
        term = self.terms.measures["weight"]
        for weight in self.of.weights:
            # What was measured is there already; this is what was told at the enrolment.
            if (weight.measured_on, weight.kg) not in measured and self.source.within(weight.measured_on):
                measured.add((weight.measured_on, weight.kg))
                yield {
                    "VSSEQ": _seq(weight.id, FROM_WEIGHTS), "VSSPID": f"WEIGHT-{weight.id}", "VSTESTCD": term.code,
                    "VSTEST": term.test, "VSCAT": "CLINIC", "VSORRES": number(weight.kg), "VSORRESU": term.unit,
                    "VSSTRESC": number(weight.kg), "VSSTRESN": weight.kg, "VSSTRESU": term.unit,
                    "VSDTC": self.dtc(weight.measured_on), **self.at_visit(weight.measured_on),
                }  # fmt: skip

    def _measured(self, domain: str) -> Iterator[Row]:
        for versions in self.of.values:
            newest, term = versions[-1], self.terms.measures.get(versions[-1].measure)
            if newest.void or not self.source.within(newest.taken_on):
                continue
            if term is None:
                if domain == "LB":
                    self.gaps.note("LB", "LBTESTCD", f"no term for {newest.measure!r}")
                continue
            if term.domain != domain:
                continue
            if domain == "LB" and not newest.verified:
                self.gaps.note("LB", "", "a value was not verified by staff yet, so it is left out")
                continue
            result = f"{newest.sign}{number(newest.value)}"
            category = term.category or ("HOME" if versions[0].source == PATIENT else "CLINIC")
            place = self.gaps.term(domain, "VSLOC", self.terms.places, newest.place) if domain == "VS" else None
            seq = versions[0].id if domain == "LB" else _seq(versions[0].id, FROM_VALUES)
            found = {
                "SEQ": seq, "SPID": f"VALUE-{newest.id}", "TESTCD": term.code, "TEST": term.test, "CAT": category,
                "ORRES": result, "ORRESU": term.unit, "STRESC": result, "STRESU": term.unit, "LOC": place,
                "STRESN": None if newest.sign else newest.value, "DTC": self.dtc(newest.taken_at or newest.taken_on),
            }  # fmt: skip
            yield {f"{domain}{name}": value for name, value in found.items()} | self.at_visit(newest.taken_on)

    def subject_visits(self) -> Iterator[Row]:
        for visit, record in self.recorded:
            on = record.held_on or visit.target_on
            if visit.kind == NOT_A_VISIT or not self.source.within(on):
                continue
            number_, name = self.numbers[visit.id or 0]
            extra, held = visit.kind == VisitKind.EXTRA, record.outcome == "done"
            yield {
                "VISITNUM": number_, "VISIT": name, "SVPRESP": None if extra else YES,
                "SVOCCUR": None if extra else YES if held else NO, "SVREASOC": None if held else self._why(record),
                "SVCNTMOD": self.terms.visit_sources.get(record.source) if held else None,
                "SVSTDTC": self.dtc(record.held_on) if held else None,
                "SVENDTC": self.dtc(record.held_on) if held else None,
                "SVUPDES": self.terms.visits[visit.kind].text if extra else None,
            }  # fmt: skip

    def _why(self, record: VisitRecord) -> str | None:
        """Return the term of a coded reason; own words stay in the source record."""
        if record.reason is None or not record.reason.startswith(CODED):
            return None
        return self.terms.visit_reasons.get(record.reason.removeprefix(CODED))

    def deviations(self) -> Iterator[Row]:
        places = list(Deviation)
        for visit, record in self.recorded:
            on = record.held_on or visit.target_on
            if not record.deviation or not self.source.within(on):
                continue
            for code in record.deviation.split("+"):
                term = self.terms.deviations.get(code)
                if term is None:
                    self.gaps.note("DV", "DVTERM", f"no term for {code!r}")
                    continue
                yield {
                    "DVSEQ": _seq(visit.id, places.index(Deviation(code))), "DVSPID": f"RECORD-{record.id}",
                    "DVTERM": term.text, "DVDECOD": term.decod, "DVCAT": term.category, "DVSTDTC": self.dtc(on),
                    "DVENDTC": self.dtc(on),
                }  # fmt: skip

    def questionnaires(self) -> Iterator[Row]:
        for report in self.of.responses:
            known = self.terms.questionnaires.get(report.questionnaire)
            for versions in self.of.answers.get(report.id or 0, ()):
                newest = versions[-1]
                item = self.source.item(report.questionnaire, newest.item)
                if not self.source.within(newest.given_at) or (item is not None and item.kind is ItemKind.TEXT):
                    continue
                question = known.items.get(newest.item) if known is not None else None
                if known is None or question is None or item is None:
                    self.gaps.note("QS", "QSTESTCD", f"no term for {report.questionnaire}.{newest.item}")
                    continue
                result, numeric = _answer(json.loads(newest.value), item.kind)
                yield {
                    "QSSEQ": versions[0].id, "QSSPID": f"REPORT-{report.id}-ANSWER-{newest.id}",
                    "QSTESTCD": question.code, "QSTEST": question.test, "QSCAT": known.category,
                    # Not asked because an earlier answer decides it: the result is derived.
                    "QSORRES": result if newest.said else None, "QSSTRESC": result, "QSSTRESN": numeric,
                    "QSEVAL": self.terms.evaluators.get(newest.given_by.partition(":")[0]),
                    "QSDTC": self.dtc(newest.given_at), "QSEVLINT": known.period,
                }  # fmt: skip


TAKEN = (DoseStatus.TAKEN, DoseStatus.PARTLY)
ANSWERED = (*TAKEN, DoseStatus.NOT_TAKEN)
MAKERS: Mapping[str, Callable[[Rows], Iterable[Row]]] = {
    "DM": Rows.demographics,
    "AE": Rows.adverse_events,
    "EC": Rows.exposure_as_collected,
    "EX": Rows.exposure,
    "DA": Rows.accountability,
    "LB": Rows.laboratory,
    "VS": Rows.vital_signs,
    "SV": Rows.subject_visits,
    "DV": Rows.deviations,
    "QS": Rows.questionnaires,
}


def value(given: Any) -> str:
    """Return a value as it stands in a CSV file of a data set."""
    if given is None:
        return ""
    return number(given) if isinstance(given, Decimal) else str(given)


def _english(rows: Rows, key: str) -> str:
    texts = rows.source.texts
    try:
        return texts.text(key, ENGLISH)
    except TextMissing:
        return texts.text(key, DEFAULT_LOCALE)


def _seq(number_: int | None, table: int) -> int:
    return (number_ or 0) * 10 + table


def _flag(given: bool | None) -> str | None:
    return None if given is None else YES if given else NO


def _answer(given: Any, kind: ItemKind) -> tuple[str, float | int | None]:
    """Return an answer's result, and its number where it is one."""
    if kind is ItemKind.SCORE:
        return str(given), int(given)
    match given:
        case bool():
            return (YES if given else NO), None
        case int() | float():
            return number(Decimal(str(given))), given
        case list():
            return BETWEEN.join(str(each).upper() for each in given), None
    return str(given).upper(), None
