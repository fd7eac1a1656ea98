"""How is a file kept so that only the holder of its key can read it, and no damage goes unseen?

A file begins with a line that names the format, a salt, and a mark by which the right key is known. Key and
salt give a key for this one file. Then follow pieces of equal size, the last one shorter, each sealed with
AES-256-GCM. The nonce of a piece is its number and whether it is the last: pieces that are changed, missing,
added or in another order do not open, and neither does a file that ends too early.
"""

import base64
import hmac
import os
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.errors import FollowupError

FORMAT = b"followup backup 1\n"
SALT_BYTES = 32
KEY_BYTES = 32
MARK_BYTES = 16
PIECE_BYTES = 64 * 1024
TAG_BYTES = 16


class NotABackup(FollowupError):
    """The file is no backup of this bot."""


class BackupKeyRefused(FollowupError):
    """The backup key is not the one the file was written with."""


class BackupDamaged(FollowupError):
    """The backup was changed, cut off or damaged."""


def keys(setting: str) -> list[bytes]:
    """Return the keys of a setting: the first writes, all read."""
    return [base64.urlsafe_b64decode(key.strip()) for key in setting.split(",")]


class Sealer:
    """Writes such a file; what was written is complete only after `finish`."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        salt = os.urandom(SALT_BYTES)
        own, mark = _derive(key, salt)
        self._head = FORMAT + salt + mark
        self._aead = AESGCM(own)
        self._file = file
        self._held = bytearray()
        self._number = 0
        file.write(self._head)

    def write(self, plain: bytes) -> None:
        self._held += plain
        # One byte more than a piece, so that the last piece is known when it is sealed.
        while len(self._held) > PIECE_BYTES:
            self._seal(bytes(self._held[:PIECE_BYTES]), last=False)
            del self._held[:PIECE_BYTES]

    def finish(self) -> None:
        self._seal(bytes(self._held), last=True)

    def _seal(self, plain: bytes, *, last: bool) -> None:
        self._file.write(self._aead.encrypt(_nonce(self._number, last=last), plain, self._head))
        self._number += 1


def opened(file: BinaryIO, known: list[bytes]) -> Iterator[bytes]:
    """Yield the plain pieces of a file, each only after it was found genuine.

    Raises:
        NotABackup: it is something else.
        BackupKeyRefused: no key fits.
        BackupDamaged: a piece is not as it was written, or the end is missing.
    """
    head = file.read(len(FORMAT) + SALT_BYTES + MARK_BYTES)
    if not head.startswith(FORMAT):
        raise NotABackup("the file is not a backup of this bot, or its first bytes are damaged")
    if len(head) < len(FORMAT) + SALT_BYTES + MARK_BYTES:
        raise BackupDamaged("the backup is cut off in its first bytes")
    aead = AESGCM(_fitting(head, known))
    number, piece = 0, file.read(PIECE_BYTES + TAG_BYTES)
    while True:
        following = file.read(PIECE_BYTES + TAG_BYTES)
        try:
            yield aead.decrypt(_nonce(number, last=not following), piece, head)
        except (InvalidTag, ValueError):
            at = len(head) + number * (PIECE_BYTES + TAG_BYTES)
            raise BackupDamaged(f"the backup is damaged or cut off (from byte {at} on)") from None
        if not following:
            return
        number, piece = number + 1, following


def _fitting(head: bytes, known: list[bytes]) -> bytes:
    salt, mark = head[len(FORMAT) : -MARK_BYTES], head[-MARK_BYTES:]
    for key in known:
        own, right = _derive(key, salt)
        if hmac.compare_digest(mark, right):
            return own
    raise BackupKeyRefused(
        "FOLLOWUP_BACKUP_KEY is not the key this backup was written with, or the first bytes of the file are damaged"
    )


def _derive(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Return the key of one file, and the mark that tells whether ``key`` is the right one."""
    both = HKDF(SHA256(), KEY_BYTES + MARK_BYTES, salt, FORMAT).derive(key)
    return both[:KEY_BYTES], both[KEY_BYTES:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
