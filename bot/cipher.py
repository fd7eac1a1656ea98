"""How are direct identifiers and people's own words kept unreadable outside the running bot?"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bot.errors import FollowupError


class KeyRefused(FollowupError):
    """The encryption key is missing, malformed, or not the one the data was written with."""


class Cipher:
    """Authenticated encryption of single fields; the first key writes, all keys read."""

    def __init__(self, keys: str) -> None:
        """Take one or more Fernet keys, separated by commas, newest first.

        Raises:
            KeyRefused: a key is not 32 bytes in URL-safe base64.
        """
        try:
            self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")])
        except ValueError as error:
            raise KeyRefused("the encryption key is not one that `followup new-key` makes") from error

    @staticmethod
    def new_key() -> str:
        return Fernet.generate_key().decode()

    def seal(self, plain: str) -> str:
        return self._fernet.encrypt(plain.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the plain text.

        Raises:
            KeyRefused: none of the keys fits.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise KeyRefused("the encryption key does not fit this database") from error
