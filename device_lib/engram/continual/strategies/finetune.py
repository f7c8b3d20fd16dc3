"""Plain SGD on new samples alone: the lower bound that forgets."""

from .base import Strategy as Base


class Strategy(Base):
    REPLAY = False
