"""Only the classifier learns, with replay (TinyOL: Ren, Anicic and Runkler, IJCNN 2021)."""

from .base import Strategy as Base


class Strategy(Base):
    DEPTH = 1
