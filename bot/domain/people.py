"""Who acts: a person behind an account, or a part of the bot itself?"""

from dataclasses import dataclass

from bot.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """Who acts: a person behind an account, or a part of the bot."""

    role: Role | None
    account_id: int = 0
    locale: str = "zh"
    staff_id: int | None = None
    subject_id: int | None = None

    @property
    def label(self) -> str:
        """Return the author as records name them (DI-11)."""
        if self.role is None:
            return "bot"
        if self.staff_id is not None:
            return f"staff:{self.staff_id}:{self.role}"
        if self.subject_id is not None:
            return f"{self.role}:{self.account_id}"
        return f"{self.role}:{self.account_id}"


BOT = Caller(role=None)
