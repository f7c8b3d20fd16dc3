import sys
import types

import pytest

from host.conftest import board, data, device, model, some
from meters.pins import Pins

__all__ = ["board", "data", "device", "model", "some"]


@pytest.fixture
def machine(monkeypatch):
    """A module `machine` with pins, as a board has it."""
    pins = Pins()
    calls = []

    class Pin:
        OUT = 1

        def __new__(cls, name, mode, value):
            calls.append((name, mode, value))
            return pins.pin((len(calls) - 1) % 3)

    module = types.ModuleType("machine")
    module.Pin = Pin
    monkeypatch.setitem(sys.modules, "machine", module)
    return pins, calls
