"""How does a page leave as an e-mail, and what is surely known when that fails?"""

import asyncio
import contextlib
import hashlib
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

import aiosmtplib
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from bot.delivery.channel import NotSent, Outcome, Refused, Sent, Unsure
from bot.settings import Settings
from bot.usecases.second_channel import Letter

FAULTS = (SMTPException, OSError, asyncio.TimeoutError)
PERMANENT = 500  # from this code on a mail server will not take it later either


class Mailer:
    """Hands letters to the site's mail server, a connection each."""

    def __init__(self, settings: Settings) -> None:
        assert settings.smtp_host is not None
        assert settings.smtp_from is not None
        self._settings = settings
        self._from = settings.smtp_from
        self._domain = settings.smtp_from.rpartition("@")[2]

    async def deliver(self, letter: Letter) -> Outcome:
        """Try once; every failure is an outcome, never an exception. Reasons name no address."""
        assert letter.address is not None
        client = self._client()
        try:
            try:
                await client.connect()
                await client.mail(self._from)
                await client.rcpt(letter.address)
            except FAULTS as error:
                return _refusal(error)
            try:
                await client.data(self.message(letter).as_bytes())
            except SMTPResponseException as error:
                return _refusal(error)
            except FAULTS as error:
                return Unsure(type(error).__name__)
            with contextlib.suppress(*FAULTS):
                await client.quit()
            return Sent(None)
        finally:
            client.close()

    def message(self, letter: Letter) -> EmailMessage:
        """Return the e-mail; its Message-ID is the same when it is sent again, so that mail programs show one."""
        assert letter.address is not None
        message = EmailMessage(SMTP_POLICY)
        message["From"] = self._from
        message["To"] = letter.address
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(letter.at)
        message["Message-ID"] = f"<{hashlib.sha256(letter.id.encode()).hexdigest()[:32]}@{self._domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["Importance"] = "high"
        message.set_content(letter.body)
        return message

    def _client(self) -> SMTP:
        settings = self._settings
        password = settings.smtp_password
        return SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=None if password is None else password.get_secret_value(),
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=settings.smtp_timeout_seconds,
            # Asking the machine for its name may take seconds, and a mail server need not know it.
            local_hostname=self._domain,
        )


def _refusal(error: BaseException) -> Outcome:
    """Return what a failure means before the message itself was handed over, or the server's answer to it."""
    if not isinstance(error, SMTPResponseException):
        return NotSent(type(error).__name__)
    reason = f"{type(error).__name__} {error.code}"
    # A wrong password or a server that does not speak to us is mended by people, and then the same page can go.
    about_this_letter = isinstance(
        error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError
    )
    return Refused(reason) if about_this_letter and error.code >= PERMANENT else NotSent(reason)
