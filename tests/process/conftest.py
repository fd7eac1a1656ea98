"""The world that processes are tested in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.process.harness import World, world


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """Give a world on SQLite in which it is eight in the morning of the first day."""
    async with world(tmp_path) as made:
        yield made
