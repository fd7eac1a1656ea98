"""How do rows become files, and do the files still say what the manifest says of them?

A CSV file is UTF-8 with a byte order mark, lines end in CR LF (RFC 4180), and what a spreadsheet would run is
neutralised. Beside the hash of its bytes the manifest has a hash of its content, which a reader that put every
cell back computes again; a Dataset-JSON file has the hash of the CSV file with the same rows.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from json.encoder import encode_basestring
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any

from bot.domain.spreadsheets import original_cell, safe_cell
from bot.errors import FollowupError
from bot.exports.terms import Domain

MANIFEST = "manifest.json"
SCHEMA = "followup-export/1"
MARK = "\ufeff"
NEWLINE = "\r\n"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
PRIVATE = 0o600
JSON_TYPES = {"text": "string", "integer": "integer", "float": "float"}


class ExportDamaged(FollowupError):
    """The files are not what the manifest says."""


@dataclass(frozen=True, slots=True)
class Described:
    """What the manifest says of a file."""

    path: str
    rows: int
    columns: list[str]
    bytes: int
    sha256: str
    content_sha256: str


class Content:
    """The hash over the cells of a table, whatever file they come from: each in quotes, lines end in LF."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._hash = hashlib.sha256()
        self._writer = csv.writer(self, quoting=csv.QUOTE_ALL, lineterminator="\n")
        self.rows = -1
        self.add(columns)

    def write(self, line: str) -> None:
        self._hash.update(line.encode("utf-8"))

    def add(self, cells: Sequence[str]) -> None:
        self._writer.writerow(cells)
        self.rows += 1

    def hex(self) -> str:
        return self._hash.hexdigest()


class CsvFile:
    """A CSV file that is being written."""

    def __init__(self, folder: Path, path: str, columns: Sequence[str]) -> None:
        self.path, self.columns = path, list(columns)
        self._place = folder / path
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._place.open("w", encoding="utf-8", newline="")
        self._file.write(MARK)
        self._writer = csv.writer(self._file, lineterminator=NEWLINE)
        self._writer.writerow(safe_cell(each) for each in self.columns)
        self._content = Content(self.columns)

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, cells: Sequence[str]) -> None:
        self._writer.writerow([safe_cell(each) for each in cells])
        self._content.add(cells)

    def described(self) -> Described:
        """Return what the manifest says of the file, once it is closed."""
        return described(self._place, self.path, self.columns, self._content)


def described(place: Path, path: str, columns: list[str], content: Content) -> Described:
    place.chmod(PRIVATE)
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Described(path, content.rows, columns, place.stat().st_size, digest, content.hex())


def csv_rows(file: IO[bytes]) -> Iterator[list[str]]:
    """Yield the rows of a CSV file as they were before they were made safe, its columns first.

    Raises:
        ExportDamaged: it is not such a file.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        if text.read(1) != MARK:
            raise ExportDamaged("the byte order mark is missing")
        for row in csv.reader(text, strict=True):
            yield [original_cell(each) for each in row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ExportDamaged(f"it is no CSV file: {error}") from error
    finally:
        text.detach()


# Dataset-JSON 1.1 (CDISC)


def write_json(
    folder: Path, path: str, source: Described, name: str, domain: Domain, about: Mapping[str, Any]
) -> Described:
    """Write a data set again as Dataset-JSON, from its CSV file; a row has a line of its own."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    columns = [
        {
            "itemOID": f"IT.{name}.{each.name}",
            "name": each.name,
            "label": each.label,
            "dataType": JSON_TYPES[each.type],
            "length": each.length,
            **({"keySequence": domain.keys.index(each.name) + 1} if each.name in domain.keys else {}),
        }
        for each in domain.variables
    ]
    head = {**about, "itemGroupOID": f"IG.{name}", "records": source.rows, "name": name, "label": domain.label}
    content = Content(source.columns)
    numeric = [each.type != "text" for each in domain.variables]
    with (folder / source.path).open("rb") as read, place.open("w", encoding="utf-8", newline="\n") as file:
        start = json.dumps({**head, "columns": columns}, ensure_ascii=False, indent=1)
        file.write(start.removesuffix("\n}") + ',\n "rows": [')
        rows = csv_rows(read)
        next(rows)
        for number, cells in enumerate(rows):
            file.write(f"{',' if number else ''}\n{_json_row(cells, numeric)}")
            content.add(cells)
        file.write("\n]}\n")
    return described(place, path, source.columns, content)


def _json_row(cells: Sequence[str], numeric: Sequence[bool]) -> str:
    # A number is written as it stands in the CSV file, so that no digit is lost on the way.
    parts = [
        (cell or "null") if plain else encode_basestring(cell) for cell, plain in zip(cells, numeric, strict=True)
    ]
    return f"[{','.join(parts)}]"


def json_rows(file: IO[bytes]) -> Iterator[list[str]]:
    """Yield the rows of a Dataset-JSON file of ours in the form that the CSV file has, its columns first.

    Raises:
        ExportDamaged: it is not such a file.
    """
    head, text = [], io.TextIOWrapper(file, encoding="utf-8", newline="\n")
    try:
        for line in text:
            head.append(line)
            if line.endswith('"rows": [\n'):
                break
        known = json.loads("".join(head) + "]}")
        yield [each["name"] for each in known["columns"]]
        for line in text:
            if line == "]}\n":
                return
            cells = json.loads(line.strip().removesuffix(","), parse_int=str, parse_float=str)
            yield ["" if each is None else each for each in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise ExportDamaged(f"it is no Dataset-JSON file: {error}") from error
    finally:
        text.detach()
    raise ExportDamaged("it ends too early")


# The whole


def write_manifest(folder: Path, about: Mapping[str, Any], files: Iterable[Described]) -> str:
    """Write the manifest; return its hash."""
    found = {"schema": SCHEMA, **about, "files": [asdict(each) for each in files]}
    content = json.dumps(found, ensure_ascii=False, indent=1).encode("utf-8") + b"\n"
    place = folder / MANIFEST
    place.write_bytes(content)
    place.chmod(PRIVATE)
    return hashlib.sha256(content).hexdigest()


def zipped(folder: Path, target: Path) -> None:
    """Put a folder into one zip file that says nothing of when and where it was made."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for place in sorted(each for each in folder.rglob("*") if each.is_file()):
            info = zipfile.ZipInfo(place.relative_to(folder).as_posix(), FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, PRIVATE << 16
            with place.open("rb") as read, archive.open(info, "w", force_zip64=True) as write:
                while block := read.read(1 << 20):
                    write.write(block)
    target.chmod(PRIVATE)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found to be as the manifest says."""

    files: int
    rows: int
    created_at: str
    manifest_sha256: str


def check(place: Path) -> Checked:
    """Read an export again: every hash, every row, every cell.

    Raises:
        ExportDamaged: with everything that is not as the manifest says.
    """
    with _opened(place) as parts:
        if MANIFEST not in parts:
            raise ExportDamaged(f"{MANIFEST} is missing")
        with parts[MANIFEST]() as file:
            content = file.read()
        try:
            manifest = json.loads(content)
            if manifest["schema"] != SCHEMA:
                raise ExportDamaged(f"this version reads {SCHEMA}, not {manifest['schema']}")
            known = [Described(**each) for each in manifest["files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise ExportDamaged(f"{MANIFEST} cannot be read: {error}") from error
        problems = [
            f"{path}: not in the manifest"
            for path in sorted(parts.keys() - {each.path for each in known} - {MANIFEST})
        ]
        for each in known:
            try:
                _check_file(each, parts)
            except ExportDamaged as error:
                problems.append(f"{each.path}: {error}")
    if problems:
        raise ExportDamaged("\n".join(problems))
    rows = sum(each.rows for each in known if each.path.endswith(".csv"))
    return Checked(len(known), rows, manifest["created_at"], hashlib.sha256(content).hexdigest())


def _check_file(known: Described, parts: "Parts") -> None:
    if known.path not in parts:
        raise ExportDamaged("it is missing")
    with parts[known.path]() as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != known.sha256:
        raise ExportDamaged("its bytes were changed")
    with parts[known.path]() as file:
        rows = csv_rows(file) if known.path.endswith(".csv") else json_rows(file)
        columns = next(rows, [])
        content = Content(columns)
        for row in rows:
            content.add(row)
    if columns != known.columns or content.rows != known.rows or content.hex() != known.content_sha256:
        raise ExportDamaged("its content is not what was exported")


Parts = Mapping[str, Any]


@contextmanager
def _opened(place: Path) -> Iterator[Parts]:
    """Give a way to open each file of a folder or a zip file, by its path.

    Raises:
        ExportDamaged: it is neither.
    """
    if place.is_dir():
        files = [each for each in place.rglob("*") if each.is_file()]
        yield {each.relative_to(place).as_posix(): lambda each=each: each.open("rb") for each in files}
        return
    try:
        with zipfile.ZipFile(place) as archive:
            names = [name for name in archive.namelist() if not PurePosixPath(name).is_absolute()]
            yield {name: lambda name=name: archive.open(name) for name in names}
    except (OSError, zipfile.BadZipFile) as error:
        raise ExportDamaged(f"{place} is no folder and no zip file that can be read: {error}") from error
