"""The text after `--meter`: NAME[:PLACE][,option=value...], as ppk2:/dev/ttyACM1,volts=3.3"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..errors import InputError


class Spec(NamedTuple):
    """place: a port or file, "" where none was given. options: texts by name."""

    name: str
    place: str
    options: dict[str, str]


def parse(text: str) -> Spec:
    """The parts of a meter's description. Raises InputError.

    The place may hold colons and commas: an option starts at a comma with name= after it.
    """
    head, *rest = re.split(r",(?=[a-z_]+=)", text)
    name, _, place = head.partition(":")
    if not re.fullmatch(r"[a-z0-9]+", name):
        raise InputError(
            f"expected a meter as NAME[:PORT][,option=value], got {text!r}; for example "
            "ppk2:/dev/ttyACM1,volts=3.3 or csv:recording.csv"
        )
    options = dict(part.split("=", 1) for part in rest)
    return Spec(name, place, options)


class Options:
    """The options of one meter: each is taken once; those that nobody took are mistakes."""

    def __init__(self, meter: str, values: Mapping[str, str]) -> None:
        self.meter, self._rest = meter, dict(values)

    def number(self, name: str, default: float | None, least: float, most: float) -> float:
        """A float of a range. default None: it must be given. Raises InputError."""
        text = self._rest.pop(name, None)
        if text is None:
            if default is None:
                raise InputError(f"{self.meter}: {name}=NUMBER is needed, as {self.meter},{name}=")
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise InputError(
                f"{self.meter}: expected {name} from {least:g} to {most:g}, got {text!r}"
            )
        return value

    def __contains__(self, name: str) -> bool:
        return name in self._rest

    def text(self, name: str, default: str) -> str:
        return self._rest.pop(name, default)

    def choice(self, name: str, default: str, values: tuple[str, ...]) -> str:
        value = self._rest.pop(name, default)
        if value not in values:
            raise InputError(f"{self.meter}: expected {name} {' or '.join(values)}, got {value!r}")
        return value

    def done(self) -> None:
        """Raises InputError when an option is left that this meter does not have."""
        if self._rest:
            raise InputError(f"{self.meter} has no option {', '.join(sorted(self._rest))}")
