"""Latents in memory, with the interface of the replay store: for runs on this computer."""

from __future__ import annotations

import struct
from array import array
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

EMPTY = 255  # label of a slot that holds no latent
MAX_SLOTS = 65535  # the learner's slot numbers are 16-bit

# A slot as gather_latents reads it: state, label, session, sequence, latent, targets, crc32.
_RECORD_AT, _LATENT_AT, _CRC_BYTES = 1, 8, 4
_HEAD = "<BHI"


class LatentStore:
    """A ReplayStore for a learner on the host, without flash: nothing to collect or to mount.

    capacity: records it takes, at most 65535. elems: of a latent. bits: of an element, 1 to 8.
    targets: float32 values of a record.
    Raises InputError on sizes it does not have.
    """

    def __init__(self, capacity: int, elems: int, bits: int = 8, targets: int = 0) -> None:
        if capacity > MAX_SLOTS:
            raise InputError(f"expected at most {MAX_SLOTS} latents, got {capacity}")
        self.capacity = capacity
        self.bits = bits
        self.targets = targets
        self.latent_bytes = (elems * bits + 7) // 8
        self.labels = bytearray([EMPTY]) * capacity
        self.sessions = array("H", bytes(2 * capacity))
        self._targets_at = _LATENT_AT + self.latent_bytes
        self._end = self._targets_at + 4 * targets + _CRC_BYTES
        self._slots = np.full((capacity, (self._end + 3) // 4 * 4), 0xFF, np.uint8)
        self.next_sequence = 1
        self.mapped = memoryview(self._slots).cast("B") if capacity else memoryview(b"")
        self._free = list(range(capacity - 1, -1, -1))

    @classmethod
    def of(
        cls, latents: NDArray[np.int8], labels: NDArray[np.uint8], bits: int = 8
    ) -> LatentStore:
        """A full store of session 0. latents: (n, ...) int8; labels: n bytes."""
        from engram.backend import kernels

        flat = np.ascontiguousarray(latents.reshape(len(latents), -1))
        store = cls(len(flat), flat.shape[1] if len(flat) else 0, bits)
        slot = bytearray(store.latent_bytes)
        for latent, label in zip(flat, labels.tolist(), strict=True):
            kernels.pack_s8(slot, latent, bits)
            store.append(slot, label, 0)
        return store

    def __len__(self) -> int:
        return self.capacity - len(self._free)

    def counts(self, label: int) -> int:
        """Records of a label."""
        return self.labels.count(label)

    def settle(self) -> None:
        """Nothing here is ever half done."""

    def gather_layout(self) -> array[int]:
        """The layout that kernels.gather_latents takes."""
        slots = max(1, self.capacity)
        strides = (0, 0, self._slots.shape[1])
        record = (_RECORD_AT, _LATENT_AT, self._targets_at, self._end)
        return array("i", (slots, *strides, *record))

    def append(
        self,
        latent: bytes | bytearray,
        label: int,
        session: int,
        target: bytes | bytearray | memoryview | None = None,
    ) -> int:
        """Adds a packed latent and the bytes of its targets; returns its slot. Raises InputError
        when the store is full, or the target has another length."""
        target = b"" if target is None else bytes(target)
        if len(target) != 4 * self.targets:
            raise InputError(
                f"expected a target of {4 * self.targets} bytes, got {len(target)}; give the "
                f"{self.targets} float32 values of the record"
            )
        if not self._free:
            raise InputError(f"the store is full, {self.capacity} records: delete some first")
        slot = self._free.pop()
        head = struct.pack(_HEAD, label, session, self.next_sequence)
        record = head + bytes(latent) + target
        record += struct.pack("<I", crc32(record))
        self._slots[slot, _RECORD_AT : self._end] = np.frombuffer(record, np.uint8)
        self.next_sequence += 1
        self.labels[slot], self.sessions[slot] = label, session
        return slot

    def read_into(self, slot: int, buffer: memoryview | bytearray) -> int:
        """Copies the packed latent of a slot into a byte buffer; returns its label."""
        latent = self._slots[slot, _LATENT_AT : self._targets_at]
        np.frombuffer(buffer, np.uint8)[:] = latent
        return self.labels[slot]

    def sequence(self, slot: int) -> int:
        """The number of a slot's record among all appended records, counted from 1."""
        head = bytes(self._slots[slot, _RECORD_AT:_LATENT_AT])
        return int(struct.unpack(_HEAD, head)[2])

    def delete(self, slot: int) -> None:
        """Empties a slot."""
        self.labels[slot] = EMPTY
        self._free.append(slot)
