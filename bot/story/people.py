"""Who is in the story, and what does each of them do with a phone?"""

from dataclasses import dataclass

from bot.simulator.parts import ShownMessage
from bot.simulator.phones import Phone
from bot.story.stage import Stage


@dataclass
class Person:
    """A phone and the language its owner reads; buttons are found by their text key."""

    stage: Stage
    phone: Phone
    locale: str

    @property
    def name(self) -> str:
        return self.phone.first_name

    @property
    def seen(self) -> list[ShownMessage]:
        """Everything the bot wrote to this person, as it stands now."""
        return self.phone.inbox

    def label(self, key: str, **values: object) -> str:
        return self.stage.deps.texts.text(key, self.locale, **values)

    async def opens(self, link: str) -> None:
        await self.phone.opens(link)
        await self.stage.settle()

    async def says(self, words: str) -> None:
        await self.phone.sends(words)
        await self.stage.settle()

    async def taps(self, *keys: str) -> None:
        """Tap one button after the other, named by their text keys."""
        for key in keys:
            await self.presses(self.label(key))

    async def presses(self, label: str) -> None:
        """Tap the newest button whose words contain ``label``."""
        await self.phone.taps(label)
        await self.stage.settle()

    async def answers(self, *given: str) -> None:
        """Answer questions in a row: ``=`` before a text key taps that button, anything else is typed."""
        for each in given:
            if each.startswith("="):
                await self.taps(each[1:])
            else:
                await self.says(each)

    def read(self, key: str) -> bool:
        """Tell whether a message made from this text key is in the chat, whatever its values."""
        parts = _fixed_parts(self.label_template(key))
        return any(all(part in message.text for part in parts) for message in self.seen)

    def label_template(self, key: str) -> str:
        return self.stage.deps.texts.template(key, self.locale)


def _fixed_parts(template: str) -> list[str]:
    import re

    return [part for part in re.split(r"\{[^}]*\}", template) if part.strip()]
