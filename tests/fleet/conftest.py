from firmware.conftest import built

__all__ = ["built"]
