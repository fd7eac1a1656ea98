"""Where are the trial's own files, and how are they read and checked?"""

from bot.protocol.load import ProtocolFaulty, ProtocolProblem, bundled, load
from bot.protocol.model import Protocol

__all__ = ["Protocol", "ProtocolFaulty", "ProtocolProblem", "bundled", "load"]
