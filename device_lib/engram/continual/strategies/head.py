"""Replay in which only the head learns (TinyOL: Ren, Anicic and Runkler, IJCNN 2021).

A preset: replay with the scope "head".
"""

from .base import Strategy as Base


class Strategy(Base):
    SCOPE = "head"
