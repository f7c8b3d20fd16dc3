"""Frames: what goes in comes out, and what was damaged never becomes data."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engram.errors import WireError
from engram.link import wire
from engram_host.line.frames import Frame, Splitter, Text

kinds = st.sampled_from(sorted(wire.NAMES))
seqs = st.integers(0, 255)
payloads = st.binary(max_size=300) | st.lists(
    st.sampled_from(list(wire.SPECIAL)), max_size=200
).map(bytes)
frames = st.builds(wire.encode, kinds, seqs, payloads)


@given(kinds, seqs, payloads)
def test_a_frame_comes_out_as_it_went_in(kind, seq, payload):
    assert wire.decode(wire.encode(kind, seq, payload)) == (kind, seq, payload)


@given(frames)
def test_a_frame_holds_no_byte_that_a_console_acts_on(frame):
    """0x03 interrupts, ~ and newline frame, 0x11 and 0x13 stop terminals, 0x0D gets changed."""
    assert frame[:1] == wire.START and frame[-1:] == wire.END
    assert not set(frame[1:-1]) & {0x03, 0x0A, 0x0D, 0x11, 0x13, 0x7E}


@given(payloads)
def test_no_frame_is_longer_than_its_limit(payload):
    assert len(wire.encode(wire.OK, 13, payload)) <= wire.frame_limit(len(payload))


@given(kinds, seqs, payloads, st.binary(max_size=20))
def test_what_stands_before_the_frame_is_not_looked_at(kind, seq, payload, before):
    line = before.replace(b"\n", b"") + wire.encode(kind, seq, payload)
    assert wire.decode(line) == (kind, seq, payload)


@given(kinds, seqs, payloads)
def test_a_console_may_turn_the_newline_into_two_bytes(kind, seq, payload):
    line = wire.encode(kind, seq, payload)[:-1] + b"\r\n"
    assert wire.decode(line) == (kind, seq, payload)


@pytest.mark.parametrize(
    "line, pattern",
    [
        (b"hello\n", "starts with '~'"),
        (b"~", "ends with a newline"),
        (b"~\n", "at least 8 bytes"),
        (wire.encode(wire.OK, 1, b"abc")[:-1], "ends with a newline"),
        (b"~k\x01\x09\x00abc1234\n", "expected the announced payload of 9 bytes"),
        (b"~k\x01\x02\x00abABCD\n", "checksum"),
    ],
)
def test_what_is_wrong_with_a_frame_is_told(line, pattern):
    with pytest.raises(WireError, match=pattern):
        wire.decode(line)


# --- damage -------------------------------------------------------------------------------------


@st.composite
def damages(draw, data):
    """`data` with up to four of: a byte changed, removed, put in; a range removed or repeated."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        if not out:
            break
        at = draw(st.integers(0, len(out) - 1))
        end = draw(st.integers(at, min(len(out), at + 40)))
        fault = draw(st.sampled_from(["change", "remove", "insert", "cut", "cut end", "repeat"]))
        if fault == "change":
            out[at] ^= draw(st.integers(1, 255))
        elif fault == "remove":
            del out[at]
        elif fault == "insert":
            out.insert(at, draw(st.integers(0, 255)))
        elif fault == "cut":
            del out[at:end]
        elif fault == "cut end":
            del out[at:]
        else:
            out[at:at] = out[at:end]
    return bytes(out)


@settings(max_examples=400)
@given(st.data(), kinds, seqs, payloads)
def test_a_damaged_frame_never_becomes_data(data, kind, seq, payload):
    """The device's reader: the frame is refused, or (when the damage undid itself) whole."""
    line = data.draw(damages(wire.encode(kind, seq, payload)))
    try:
        result = wire.decode(line)
    except WireError:
        return
    assert result == (kind, seq, payload)


def split(stream, sizes):
    """Feeds a stream to a Splitter in pieces of the given sizes, then the rest."""
    splitter, at, events = Splitter(wire.frame_limit(400)), 0, []
    for size in sizes:
        events += splitter.feed(stream[at : at + size])
        at += size
    return events + list(splitter.feed(stream[at:]))


def frames_of(events):
    return [event for event in events if isinstance(event, Frame)]


def text_of(events):
    return b"".join(event.data for event in events if isinstance(event, Text))


sizes = st.lists(st.integers(0, 50), max_size=30)
messages = st.lists(st.tuples(kinds, seqs, payloads), max_size=6)
console = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=125)).map(
        lambda t: t.encode() + b"\r\n"
    ),
    min_size=7,
    max_size=7,
)


@given(messages, console, sizes)
def test_frames_and_console_output_are_told_apart(sent, said, pieces):
    stream = b"".join(t + wire.encode(*m) for t, m in zip(said, sent))
    events = split(stream, pieces)
    assert frames_of(events) == sent
    assert text_of(events) == b"".join(said[: len(sent)])


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_console_output_with_a_tilde_is_still_shown(line):
    text = b"~" + line.encode() + b"\r\n"
    assert text_of(split(text, [])) == text


@settings(max_examples=400)
@given(st.data(), messages, sizes)
def test_a_damaged_stream_gives_only_frames_that_were_sent(data, sent, pieces):
    """Cut, merged, doubled, changed: what comes out was sent, and in that order (some twice)."""
    stream = data.draw(damages(b"".join(wire.encode(*m) for m in sent)))
    result = frames_of(split(stream, pieces))
    assert set(result) <= set(sent)


@given(messages, messages, st.binary(max_size=60), sizes)
def test_after_any_damage_the_next_frame_is_found(before, after, noise, pieces):
    """Nothing but a newline is needed for that, or nothing when the frame begins with its ~."""
    stream = b"".join(wire.encode(*m) for m in before) + noise.replace(b"~", b"")
    stream += b"".join(wire.encode(*m) for m in after)
    assert frames_of(split(stream, pieces)) == before + after


@given(st.binary(max_size=2000), sizes)
def test_noise_is_no_frame_and_is_not_kept(noise, pieces):
    splitter = Splitter(wire.frame_limit(100))
    for event in splitter.feed(noise + b"\n"):
        assert not isinstance(event, Frame)
    assert len(splitter._line) <= splitter.limit
