"""Streams: how sessions are cut out of one set of labelled samples.

Three protocols, by the names of van de Ven, Tuytelaars and Tolias (2022) and of CORe50:

    class      every session brings classes of its own; tested on each group of classes
    domain     a field of the data says which session a sample belongs to, and the test data have
               it too: tested on each domain
    instance   a field says it, and the test data have none: tested on all of them together
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from .. import samples as sample_files
from ..datasets import rows_per_class
from ..errors import InputError
from ..samples import Samples

Group = list[int]

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_ALL = "all"  # the test of the protocol "instance"


class Portion(NamedTuple):
    """Samples of a session, or of its test. name: "0-4" or "speaker 3"."""

    name: str
    samples: Samples


class Stream(NamedTuple):
    """The sessions to learn, in order, and the tests after each of them.

    protocol: class, domain or instance. tests: each is an entry in a row of the accuracy matrix.
    """

    protocol: str
    sessions: list[Portion]
    tests: list[Portion]


def number(stream: Stream, about: Mapping[str, Any]) -> int:
    """The number by which a board knows a stream: u32 but 0, a checksum of its samples in order.

    about: further settings that decide its result, JSON-able; they are in the checksum."""
    rows: list[Any] = [stream.protocol, dict(about)]
    for portion in stream.sessions + stream.tests:
        samples = portion.samples
        rows.append([portion.name, samples.x.shape, str(samples.x.dtype)])
        rows += [crc32(np.ascontiguousarray(samples.x)), samples.labels.tolist()]
        if samples.targets is not None:
            rows.append(crc32(np.ascontiguousarray(samples.targets)))
    return crc32(json.dumps(rows, sort_keys=True).encode()) or 1


def with_known(
    stream: Stream,
    known: Group,
    test: Path | str | None,
    per_class: int | None,
    seed: int,
) -> Stream | None:
    """A stream whose first session is classes learned before it: tested, with nothing to learn.

    None where `test` has no samples of such classes, or the stream is not cut by classes. known:
    the classes. test, per_class, seed: as load() takes them.
    """
    if test is None or stream.protocol != "class":
        return None
    whole = sample_files.load(test)
    labels = {int(c) for part in stream.sessions for c in np.unique(part.samples.labels)}
    group = [c for c in known if c not in labels and (whole.labels == c).any()]
    if not group:
        return None
    members = whole.of_classes(group)
    portion = Portion(group_name(group), _drawn(members, per_class, seed))
    nothing = Portion(portion.name, members.part(0, 0))
    return Stream(stream.protocol, [nothing, *stream.sessions], [portion, *stream.tests])


def groups(text: str) -> list[Group]:
    """[[0, 1, 2], [5], [7, 9]] of "0-2,5,7+9". Raises InputError."""
    result = [_group(part.strip(), text) for part in text.split(",")]
    flat = [value for group in result for value in group]
    for value in flat:
        if flat.count(value) > 1:
            raise InputError(
                f"expected every class in one session, got {value} in two of {text!r}"
            )
    return result


def _group(part: str, text: str) -> Group:
    group: Group = []
    for piece in part.split("+"):
        match = _RANGE.fullmatch(piece.strip())
        if not match:
            raise InputError(
                f"expected sessions as 0-4,5,6 (a comma between sessions, 0-4 or 0+2 within one), "
                f"got {text!r}"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InputError(
                f"sessions: expected a range that goes up, got {piece.strip()!r}; write "
                f"{last}-{first}"
            )
        group += range(first, last + 1)
    return group


def group_name(group: Sequence[int]) -> str:
    """ "0-4", "7", "7+9"."""
    values = sorted(group)
    if len(values) > 1 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}-{values[-1]}"
    return "+".join(map(str, values))


def load(
    data: Path | str,
    *,
    labels: Path | None = None,
    test: Path | str | None = None,
    sessions: str | None = None,
    field: str | None = None,
    per_class: int | None = None,
    test_per_class: int | None = None,
    seed: int = 1,
    read: Callable[..., Samples] = sample_files.load,
) -> Stream:
    """The stream of sessions in a file of samples.

    sessions: groups of classes, or with `field` groups of its values (None: each value is a
    session, in ascending order). field: name of an integer array in the .npz, one per sample.
    per_class: at most so many samples of a class in each session, drawn at random by `seed`;
    test_per_class the same for the tests. read: (file, labels) -> its samples. Raises InputError.
    """
    if sessions is None and field is None:
        raise InputError("expected sessions as groups of classes or a field, got neither")
    value_groups = None if sessions is None else groups(sessions)
    x = read(data, labels)
    keys = x.labels if field is None else _field(data, field, len(x))
    value_groups = value_groups or [[int(value)] for value in np.unique(keys)]
    learned = _cut(x, keys, value_groups, field, per_class, seed, str(data))
    if test is None:
        return Stream(_protocol(field, False), learned, [])
    test_samples = read(test)
    test_samples.labels  # noqa: B018  (InputError here if there are none)
    has_field = field is None or field in sample_files.arrays(test)
    if not has_field:
        whole = [Portion(_ALL, _drawn(test_samples, test_per_class, seed))]
        return Stream(_protocol(field, False), learned, whole)
    keys = test_samples.labels if field is None else _field(test, field, len(test_samples))
    tests = _cut(test_samples, keys, value_groups, field, test_per_class, seed, str(test))
    return Stream(_protocol(field, True), learned, tests)


def _protocol(field: str | None, tested_by_session: bool) -> str:
    if field is None:
        return "class"
    return "domain" if tested_by_session else "instance"


def _field(path: Path | str, name: str, n: int) -> NDArray[np.integer]:
    """The array that says which session each sample belongs to."""
    columns = sample_files.arrays(path)
    if name not in columns:
        raise InputError(
            f"{path}: expected an array {name!r}, one integer per sample, got "
            f"{', '.join(columns) or 'none'}"
        )
    values = np.asarray(columns[name])
    if values.shape != (n,) or values.dtype.kind not in "iu":
        raise InputError(
            f"{path}: expected {name!r} with {n} integers, one per sample, got {values.shape} "
            f"{values.dtype}"
        )
    return values


def _cut(
    whole: Samples,
    keys: NDArray[np.integer],
    value_groups: Sequence[Group],
    field: str | None,
    per_class: int | None,
    seed: int,
    where: str,
) -> list[Portion]:
    portions = []
    for group in value_groups:
        for value in group:
            if not (keys == value).any():
                what = "class" if field is None else f"{field} ="
                raise InputError(
                    f"{where}: expected samples of {what} {value}, got none; leave it out of "
                    "--sessions"
                )
        members = np.isin(keys, group)
        part = whole.chosen(members)
        name = group_name(group) if field is None else f"{field} {group_name(group)}"
        portions.append(Portion(name, _drawn(part, per_class, seed)))
    return portions


def _drawn(whole: Samples, per_class: int | None, seed: int) -> Samples:
    """At most so many of each class, shuffled together; None: all, in their order."""
    if per_class is None:
        return whole
    classes = [int(c) for c in np.unique(whole.labels)]
    return whole.chosen(rows_per_class(whole.labels, classes, per_class, seed))
