"""How is an export made? All tables side by side, a subject after the other, in one transaction that only reads."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from bot.deps import Deps
from bot.errors import FollowupError
from bot.exports import files, sdtm
from bot.exports.files import CsvFile
from bot.exports.listings import AUDIT, LISTINGS, cell
from bot.exports.source import Period, Source
from bot.exports.terms import Shape, shape
from bot.store import chain
from bot.store.session import is_sqlite
from bot.texts import LOCALES

ZIP = ".zip"
DATASET_JSON = "1.1.0"


class Form(StrEnum):
    """What is written."""

    CSV = "csv"
    SDTM = "sdtm"
    BOTH = "both"


class LanguageUnknown(FollowupError):
    """There are no texts in this language."""


class TargetTaken(FollowupError):
    """There is something at the place of the export already."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported."""

    form: Form = Form.BOTH
    period: Period = Period()  # noqa: RUF009 (it cannot change)
    locale: str = "en"
    audit_trail: bool = True

    def __post_init__(self) -> None:
        if self.locale not in LOCALES:
            raise LanguageUnknown(f"there are no texts in {self.locale!r}; choose one of {', '.join(LOCALES)}")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: how much of it, and the hash of the manifest, by which the copy is known."""

    files: int
    rows: int
    gaps: int
    manifest_sha256: str


def write(session: Session, deps: Deps, wanted: Wanted, folder: Path, now: datetime) -> Made:
    """Write an export into a folder; the same database, wishes and time give the same bytes."""
    if not is_sqlite(session.connection()):
        # A look at the whole database may take longer than one at a case.
        session.connection().exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    zone = deps.settings.zone
    source = Source(session, deps.protocol, deps.texts, zone, wanted.locale, wanted.period)
    known, gaps = shape(), sdtm.Gaps()
    listings = () if wanted.form is Form.SDTM else (*LISTINGS, *(AUDIT if wanted.audit_trail else ()))
    domains = {} if wanted.form is Form.CSV else known.domains
    with ExitStack() as opened:
        tables = [
            (each, opened.enter_context(CsvFile(folder, f"csv/{each.name}.csv", list(each.columns))))
            for each in listings
        ]
        sets = {
            name: opened.enter_context(
                CsvFile(folder, f"sdtm/{name.lower()}.csv", [each.name for each in domain.variables])
            )
            for name, domain in domains.items()
        }
        for of in source.subjects():
            for listing, table in tables:
                if listing.of_subject is not None:
                    _fill(source, table, listing.of_subject(of))
            rows = sdtm.Rows(of, known, gaps)
            for name, table in sets.items():
                for row in rows.of_domain(name):
                    table.add([sdtm.value(each) for each in row.values()])
        for listing, table in tables:
            if listing.of_all is not None:
                _fill(source, table, listing.of_all(source))
    done = [each.described() for each in (*(table for _, table in tables), *sets.values())]
    said = source.moment(now)
    about = {
        "datasetJSONCreationDateTime": said,
        "datasetJSONVersion": DATASET_JSON,
        "fileOID": f"{deps.protocol.id}.{deps.settings.site}",
        "originator": deps.settings.site,
        "sourceSystem": {"name": "followup", "version": version("followup")},
        "studyOID": deps.protocol.id,
        "metaDataVersionOID": f"MDV.{deps.protocol.id}.{deps.protocol.version}",
    }
    for each, name in [(each, each.path[5:-4].upper()) for each in done if each.path.startswith("sdtm/")]:
        done.append(files.write_json(folder, f"sdtm/json/{name.lower()}.json", each, name, domains[name], about))
    missing = _gaps(known, domains, gaps)
    manifest = {
        **_told(session, deps, wanted),
        "created_at": said,
        "gaps": missing,
    }
    digest = files.write_manifest(folder, manifest, done)
    return Made(len(done), sum(each.rows for each in done if each.path.endswith(".csv")), len(missing), digest)


def _fill(source: Source, table: CsvFile, rows: Any) -> None:
    for row in rows:
        table.add([cell(source, each) for each in row])


def _told(session: Session, deps: Deps, wanted: Wanted) -> dict[str, Any]:
    """Return what the manifest says of where the data come from."""
    seal = chain.head(session)
    first, last = wanted.period.first_on, wanted.period.last_on
    return {
        "protocol": {"id": deps.protocol.id, "version": deps.protocol.version},
        "bot_version": version("followup"),
        "database_revision": session.connection().execute(text("SELECT version_num FROM alembic_version")).scalar(),
        "site": deps.settings.site,
        "timezone": deps.settings.site_timezone,
        "language": wanted.locale,
        "form": wanted.form.value,
        "period": {"from": first.isoformat() if first else None, "to": last.isoformat() if last else None},
        "audit_trail_included": wanted.audit_trail and wanted.form is not Form.SDTM,
        "audit_head": {"hash": seal.hash, "seal": seal.id, "up_to_entry": seal.up_to_id}
        if seal is not None
        else None,
    }


def _gaps(known: Shape, domains: Mapping[str, Any], found: sdtm.Gaps) -> list[dict[str, Any]]:
    """Return what the data sets should have and have not; ``rows`` is None where it is all of them."""
    gaps: list[dict[str, Any]] = [
        {"dataset": name, "variable": each.name, "why": each.missing, "rows": None}
        for name in domains
        for each in known.domains[name].variables
        if each.missing is not None
    ]
    if domains:
        gaps += [
            {"dataset": "CM, PR", "variable": "", "why": "no table holds medicines or transfusions", "rows": None},
            {
                "dataset": "DM",
                "variable": "AGE",
                "why": "from the year of birth: up to one year too high",
                "rows": None,
            },
            {
                "dataset": "LB, VS",
                "variable": "ORRES",
                "why": "in the unit of the measure: the words as typed stay in the source record",
                "rows": None,
            },
        ]
    return gaps + [
        {"dataset": name, "variable": variable, "why": why, "rows": rows}
        for (name, variable, why), rows in sorted(found.found.items())
    ]


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """Give an empty folder that becomes ``target``, a folder or a zip file, when nothing goes wrong.

    Raises:
        TargetTaken: there is something already, or nothing can be put there.
    """
    if target.exists() and not (target.is_dir() and target.suffix != ZIP and not any(target.iterdir())):
        raise TargetTaken(f"{target} is there already; name a new folder or file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=target.parent) as work:
            folder = Path(work) / "files"
            folder.mkdir(mode=0o700)
            yield folder
            if target.suffix == ZIP:
                archive = Path(work) / "archive"
                files.zipped(folder, archive)
                archive.rename(target)
            else:
                folder.replace(target)
    except OSError as error:
        raise TargetTaken(f"{target} cannot be written: {error.strerror}") from error
