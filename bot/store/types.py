"""Which column types does the store need beyond those of SQLModel?"""

from typing import Any

from sqlalchemy import Dialect, Text, TypeDecorator
from sqlalchemy.types import JSON

from bot.cipher import Cipher


class Encrypted(TypeDecorator[str]):
    """Text that is sealed on its way into the database and opened on its way out.

    The cipher travels on the dialect of the engine, so two stores never share a key by accident.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else cipher_of(dialect).seal(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else cipher_of(dialect).open(value)


def give_cipher(dialect: Dialect, cipher: Cipher) -> None:
    dialect.followup_cipher = cipher  # type: ignore[attr-defined]


def cipher_of(dialect: Dialect) -> Cipher:
    cipher: Cipher = dialect.followup_cipher  # type: ignore[attr-defined]
    return cipher


Json = JSON(none_as_null=True)
