"""Plain SGD on what is new: the lower bound that forgets."""

from .base import Strategy as Base


class Strategy(Base):
    REPLAY = False
