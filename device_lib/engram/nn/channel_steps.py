"""Steps of q8 nodes of which chosen channels learn: where parts of their tensors are meanwhile.

What does not lie in one piece is copied side by side, takes the step of a smaller node there, and
is copied back. The bytes below the weights lie side by side anyway. Which channels: channels.py.
"""

from array import array

from . import formats
from .integers import KINDS
from .names import CHOSEN, ERROR


def errors(node, texts, symbols):
    """(symbol, buffer) of the errors that a node's step reads."""
    if " e se " in texts[0]:
        return "e", ERROR + node["name"]
    return "dout", symbols["dout"][0]


def tensors(program, node, chosen):
    """(rows, windows, rows) of a node's tensors: before the step, {key: window in the step}, after
    it. program: program.Program. chosen: channels.Chosen."""
    before, windows, after = [], {}, []
    for key, _, _ in formats.load(node["format"]).tensors(node):
        pieces = chosen.pieces(key)
        if not pieces:
            continue
        whole = program.integers.windows[node[key]]
        first, window, last = _side_by_side(node[key], whole, pieces)
        if first:
            program.buffer(window[0], KINDS[whole[0]], window[2])
        windows[key] = window
        before += first
        after += last
    return before, windows, after


def decayed(integers, tensor, chosen, rates):
    """Rows by which the chosen weights of a tensor decay."""
    key = formats.load(chosen.node["format"]).tensors(chosen.node)[0][0]
    first, window, last = _side_by_side(tensor, integers.windows[tensor], chosen.pieces(key))
    record = integers.record(integers.weights[chosen.node["name"]])
    rests = integers.rests.get(tensor) or bytearray()
    return first + [("decay_q8", [_all(window), _all(rests), record, rates], ())] + last


def _all(window):
    """A window of all classes."""
    return window[:3] + (0,) if isinstance(window, tuple) else window


def _side_by_side(tensor, whole, pieces):
    """(rows that copy the chosen elements of a tensor to where they lie side by side, their window
    there, rows that copy them back). whole: window of the tensor. pieces: as channels.py has them.
    """
    buffer, at, n, per_class = whole
    count, parts = sum([piece[3] for piece in pieces]), pieces[0][7]
    own = count // (n // per_class) if per_class else 0
    if len(pieces) == 1 and pieces[0][4] == 1 and len(parts) == 3:
        return [], (buffer, at + pieces[0][0] + parts[1], count, own), []
    name, unit = CHOSEN + ":" + tensor, 4 if KINDS[buffer] == "i32" else 1
    there, back = [], []
    for first, size, to, small, P, M, N, parts in pieces:
        source, target = (buffer, at + first, size, 0), (name, to, small, 0)
        ways = _bytes(parts, unit, (0, 1, 2)), _bytes(parts, unit, (1, 0, 2))
        M, N = M * unit, N * unit
        there.append(("copy_parts_q8", [target, source, ways[0], P, M, N], ()))
        back.append(("copy_parts_q8", [source, target, ways[1], P, N, M], ()))
    return there, (name, 0, count, own), back


def _bytes(parts, unit, order):
    """Parts in bytes, with their entries in another order."""
    return array("i", [
        parts[i + entry] * unit for i in range(0, len(parts), 3) for entry in order
    ])
