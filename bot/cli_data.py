"""What can be done with the data from the terminal: back them up, restore them, check the audit trail?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session

from bot import app as application
from bot import logs
from bot.cipher import Cipher, KeyRefused
from bot.deps import Deps
from bot.domain.people import BOT
from bot.errors import FollowupError
from bot.protocol.clinic import load_clinic
from bot.settings import Settings, load_settings, require
from bot.store import backup as backups
from bot.store import chain, schema, vault
from bot.store.backup import Manifest
from bot.store.session import Store
from bot.store.sole import only_process
from bot.texts import bundled_texts
from bot.usecases import restored
from bot.usecases.restored import Begun
from bot.work import Work

data = typer.Typer()
audit = typer.Typer(help="Check the audit trail.", no_args_is_help=True)
data.add_typer(audit, name="audit")


class KeysAlike(FollowupError):
    """The backup key is the encryption key; whoever finds one would have both."""


@data.command()
def backup(
    place: Annotated[Path, typer.Argument(help="A new file, or a folder in which a file named by the time is made.")],
) -> None:
    """Write everything to one encrypted file while the bot runs, and read it back.

    Example: followup backup /mnt/backups
    """
    settings = load_settings()
    logs.configure("WARNING")
    known = _backup_keys(settings)
    with _opened(settings) as store:
        written = backups.write(store, place, known, version=version("followup"), now=settings.clock().now())
    typer.echo(f"{written.path}")
    _show(written.manifest)
    typer.echo(f"{written.size} bytes, read back and complete, {written.seconds:.1f} s.")


@data.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `followup backup` made.")],
    check: Annotated[bool, typer.Option("--check", help="Only read the file through; touch no database.")] = False,
) -> None:
    """Put a backup into an empty database: all of it or nothing.

    Stop the bot on the old database first. Start it on the restored one afterwards.

    Example: followup restore /mnt/backups/followup-20261102T030000Z.backup
    """
    begun_at = time.monotonic()
    settings = load_settings()
    logs.configure("WARNING")
    known = _backup_keys(settings)
    if check:
        _show(backups.check(file, known))
        typer.echo("The backup is complete and undamaged.")
        return
    with only_process(settings.database_url):
        # Read through before the database is opened, so that a refusal leaves nothing behind.
        backups.check(file, known)
        with _opened(settings) as store:
            manifest, begun = backups.restore(
                store, file, known, lambda session, found: _begin_again(session, found, store, settings)
            )
    _show(manifest)
    typer.echo(
        f"Restored in {time.monotonic() - begun_at:.1f} s; audit trail complete. {begun.unsure} message(s) of "
        f"unknown fate, {begun.skipped} reminder(s) skipped, {begun.updates} update(s) to handle again, "
        f"{begun.asked} patient(s) are asked again."
    )


@audit.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="A head that was kept outside: from the log line audit.head or a backup.")
    ] = None,
) -> None:
    """Compute the chain of seals over the whole audit trail again; exit status 1 if something was changed.

    Example: followup audit verify --head 5f2b...
    """
    begun_at = time.monotonic()
    settings = load_settings()
    logs.configure("WARNING")
    with _opened(settings) as store:
        verdict = store.read_now(lambda session: chain.verify(session.connection(), head))
    if verdict.problem is not None:
        typer.echo(f"followup: the audit trail was changed: {verdict.problem}", err=True)
        raise typer.Exit(1)
    typer.echo(
        f"{verdict.entries} entries under {verdict.seals} seals are as they were written, {verdict.unsealed} not "
        f"sealed yet, {time.monotonic() - begun_at:.1f} s. Head: {verdict.head}"
    )


def _begin_again(session: Session, manifest: Manifest, store: Store, settings: Settings) -> Begun:
    # A key that does not fit must stop the restore, not the first patient's message.
    try:
        application.try_key(session)
    except KeyRefused:
        raise KeyRefused("FOLLOWUP_ENCRYPTION_KEY is not the key of the data in this backup") from None
    texts, clock = bundled_texts(), settings.clock()
    protocol, clinic = application.checked_protocol(settings, texts), load_clinic(settings.clinic_calendar)
    deps = Deps(store, clock, protocol, texts, settings, clinic)
    work = Work(session, deps, BOT, "command:restore", clock.now())
    return restored.begin_again(work, manifest.at, manifest.head)


def _backup_keys(settings: Settings) -> list[bytes]:
    """Return the backup keys.

    Raises:
        KeysAlike: one of them is an encryption key as well.
    """
    require(settings, "encryption_key", "backup_key")
    assert settings.encryption_key is not None
    assert settings.backup_key is not None
    known = vault.keys(settings.backup_key.get_secret_value())
    if set(known) & set(vault.keys(settings.encryption_key.get_secret_value())):
        raise KeysAlike(
            "FOLLOWUP_BACKUP_KEY must not be the encryption key: make one with `followup new-key`, keep them apart"
        )
    return known


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    """Open the database as it is: a backup or a check must not change its tables.

    Raises:
        DatabaseUnreachable: no such server, file or password.
    """
    require(settings, "encryption_key")
    assert settings.encryption_key is not None
    cipher = Cipher(settings.encryption_key.get_secret_value())
    store: Store | None = None
    try:
        store = Store(settings.database_url, cipher, settings.database_schema)
        schema.tables(store)
        yield store
    except (OSError, DatabaseError) as error:
        raise application.DatabaseUnreachable(
            f"the database of FOLLOWUP_DATABASE_URL cannot be used: {application.words_of(error)}"
        ) from None
    finally:
        if store is not None:
            store.close()


def _show(manifest: Manifest) -> None:
    counted = ", ".join(f"{name} {count}" for name, count in manifest.counts.items() if count)
    typer.echo(f"{manifest.at:%Y-%m-%d %H:%M:%S} UTC, version {manifest.version}, tables of {manifest.revision}")
    typer.echo(f"{manifest.rows} rows: {counted or 'none'}")
    typer.echo(f"Head of the audit trail: {manifest.head} ({manifest.sealed} seals)")
