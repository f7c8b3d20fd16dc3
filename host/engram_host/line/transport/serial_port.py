"""A serial port, or any other URL that pyserial opens (socket://, rfc2217://, a PTY)."""

from __future__ import annotations

from collections.abc import Callable

import serial

from engram_host.errors import PortError


class SerialTransport:
    """url: as `/dev/ttyACM0`, `COM5`, `socket://host:port`. baud: ignored by USB and PTYs.
    worked: as Transport.worked()."""

    def __init__(
        self,
        url: str,
        baud: int = 115200,
        name: str | None = None,
        worked: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.name, self.worked = name or url, worked
        try:
            self._port = serial.serial_for_url(
                url, baudrate=baud, timeout=0, write_timeout=30, exclusive=True
            )
        except (serial.SerialException, ValueError, OSError) as e:
            raise PortError(
                f"expected a serial port or the name of a board, got {self.name!r}, which cannot "
                f"be opened ({_reason(e)}); `engram boards` lists the boards and ports there are"
            ) from e

    def read(self, timeout_s: float) -> bytes:
        try:
            self._port.timeout = timeout_s
            first: bytes = self._port.read(1)
            if not first:
                return b""
            self._port.timeout = 0
            return first + self._port.read(65535)
        except (serial.SerialException, OSError, TypeError) as e:
            # TypeError: pyserial's answer to a port that is closed under it
            raise self._gone(e) from e

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (serial.SerialException, OSError, TypeError) as e:
            raise self._gone(e) from e

    def _gone(self, e: Exception) -> PortError:
        return PortError(
            f"{self.name} went away while it was in use ({_reason(e)}); "
            "check the cable, or start the virtual board again"
        )

    def close(self) -> None:
        try:
            self._port.close()
        except (serial.SerialException, OSError):
            pass


def _reason(e: BaseException) -> str:
    """The part of a pyserial message that says why."""
    if "exclusively lock" in str(e):
        return "another program uses it"
    inner = e.__context__ if isinstance(e.__context__, OSError) else e
    return getattr(inner, "strerror", None) or str(e)
