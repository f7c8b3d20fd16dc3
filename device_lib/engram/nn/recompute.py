"""Values that are computed twice instead of kept from the forward pass to the backward pass.

Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016). What is computed again comes
from the values below it that are still there, right before the backward rows that read it. Below
the layers that learn the input costs no memory either: the latents are in flash and are read
again.

A plan finds by itself what to compute twice (more_of): of the values that wait while the memory is
fullest, the one with the most bytes per product that it takes to compute it again.
"""

from array import array

from ..memory.record import RECORD
from .geometry import elems
from .names import AGAIN, LATENT, LATENTS, NOTED, RECORDS, SAME_NOISE
from .ops import macs

# Products that take as long as reading an element of a latent again: about 16 instructions on a
# Cortex-M4F, of 2.3 per product (icount).
_READING = 7


def twice(program, forward, backward, names):
    """The rows of a backward pass, and between them those that compute values of these names
    again, under names of their own.

    program: program.Program. forward, backward: its rows, from the first node that learns on.
    """
    made, rows = _made(forward), []
    for row, chain, copies in _walk(made, backward, names):
        for value in chain:
            program.sizes[AGAIN + value] = program.sizes[value]
            for again in made[value]:
                rows += _of_again(program, _renamed(again, copies))
        rows.append(_renamed(row, copies))
    return rows


def split(program, below, backward):
    """A backward pass in two: (rows that read nothing of below, the rest). Between them a learner
    reads the latents of the batch again, into the buffer AGAIN + LATENT. The rest begins with
    those rows of below whose values it reads, under names of their own. The rest is empty where
    the pass reads nothing of below.

    program: program.Program. below, backward: its rows of these names.
    """
    values = [LATENT] + [_names(row)[0] for row in below]
    reads = [[name for name in _names(row) if name in values] for row in backward]
    first = 0
    while first < len(reads) and not reads[first]:
        first += 1
    copies = set(sum(reads, []))
    if not copies:
        return backward, []
    again = []
    for row in reversed(below):
        if _names(row)[0] in copies:
            again.insert(0, row)
            copies.update([name for name in _names(row) if name in values])
    for name in copies:
        program.sizes[AGAIN + name] = program.sizes[name]
    rest = []
    for row in again:
        rest += _of_again(program, _renamed(row, copies))
    return backward[:first], rest + [_renamed(row, copies) for row in backward[first:]]


def choosable(sections):
    """Names of what a learner can compute twice: LATENTS, and the values that its backward pass
    reads, but for the outputs and what the head reads: others read that too."""
    program = sections.program
    head = program.graph.head
    others = [output["node"] for output in program.graph.outputs] + (head["in"] if head else [])
    last = _times(sections.backward(), 0)
    made = _made(program.upper(sections.micro))
    return [LATENTS] + [name for name in made if name in last and name not in others]


def more_of(plan):
    """Names to be computed twice beside those that a plan has so far: of the values that only
    wait when most memory is in use, the one that saves most bytes per product. Those that share
    its memory go with it. [] where none waits."""
    program, micro, so_far = plan.program, plan.micro, plan.recompute
    forward, backward = program.upper(micro), plan.backward()
    made = _made(forward)
    full, sizes = _fullest(plan.layout.rows)
    written, read = _times(forward, plan.starts["upper"]), {}
    for name in ("again", "backward"):
        if name in plan.starts:
            rows = plan.section(name)
            rows.reverse()
            for at, row in enumerate(rows):
                for value in _names(row):  # the first that reads it
                    read[value] = plan.starts[name] + len(rows) - 1 - at
    below = [LATENT] + [_names(row)[0] for row in program.below(micro)]
    groups = {} if LATENTS in so_far else {LATENTS: [name for name in below if name in read]}
    for name in choosable(plan)[1:]:
        if name not in so_far:
            groups.setdefault(plan.owners[name], []).append(name)
    now, best = _work(program, made, backward, so_far), (0, [])
    for owner, names in groups.items():
        if not names or not all([_waits(name, full, written, read) for name in names]):
            continue
        if owner == LATENTS:
            owners, names = set([plan.owners[name] for name in names]), [LATENTS]
            paid = _READING * elems(program.graph.latent_shape) + _products(program, below)
        else:
            owners, paid = [owner], _work(program, made, backward, so_far + names) - now
        saved = sum([sizes.get(name, 0) for name in owners]) / max(paid, 1)
        if saved > best[0]:
            best = saved, names
    return best[1]


def _waits(name, at, written, read):
    """Whether a value is there at a time and nothing reads it before the backward pass does."""
    return written.get(name, -1) < at < read[name]


def _fullest(rows):
    """(the time at which buffers take most bytes, {buffer: bytes} of those that are there)"""
    rows = [row for row in rows if row[1] != "heap"]
    best = 0, 0
    for at in sorted(set([row[4] for row in rows])):  # only a buffer that begins adds to the sum
        total = sum([row[2] for row in rows if row[4] <= at <= row[5]])
        best = max(best, (total, at), key=lambda pair: pair[0])
    at = best[1]
    return at, {row[0]: row[2] for row in rows if row[4] <= at <= row[5]}


def _times(rows, first):
    """{buffer: the time at which the last of rows names it}; the first row is at `first`."""
    return {name: first + at for at, row in enumerate(rows) for name in _names(row)}


def _made(forward):
    """{value: the rows that write it}"""
    made = {}
    for row in forward:
        made.setdefault(_names(row)[0], []).append(row)
    return made


def _walk(made, backward, names):
    """(row, values to be computed again before it, all that were so far) for each row backward."""
    last, copies = _times(backward, 0), []
    for at, row in enumerate(backward):
        chain = []
        for name in _names(row):
            if name in names and name in made:
                chain += _chain(name, at, made, last, names, copies)
        yield row, chain, copies


def _chain(value, at, made, last, names, copies):
    """The values to be computed again before row `at` so that one is there. They join copies."""
    chain = []
    if value not in copies:
        for source in sum([_names(row)[1:] for row in made[value]], []):
            gone = source in names or last.get(source, -1) < at
            if source in made and source != value and gone:
                chain += _chain(source, at, made, last, names, copies)
        copies.append(value)
        chain.append(value)
    return chain


def _work(program, made, backward, names):
    """The work to compute values of these names again, as _products counts it."""
    return sum([_products(program, chain) for _, chain, _ in _walk(made, backward, names)])


def _products(program, names):
    """Products to compute values of one sample, and the values themselves."""
    n = sum([program.values[name][1] for name in names if name != LATENT])
    return n + sum([macs(node) for node in program.graph.adaptive if node["name"] in names])


def _of_again(program, row):
    """Rows of a row that is run again: what it notes in a record was noted before, and noise in a
    code is that of the first time."""
    kernel, args, takes = row
    if kernel == "sample_code":
        return [(kernel, args[:2] + [array("i", (0, 0, SAME_NOISE))] + args[3:], takes)]
    if not isinstance(args[1], tuple) or args[1][0] != RECORDS:
        return [row]
    noted = program.buffer(NOTED + args[0][0], "i32", RECORD)
    return [("copy_s8", [noted, args[1]], ()), (kernel, [args[0], noted] + args[2:], takes)]


def _names(row):
    return [arg[0] for arg in row[1] if isinstance(arg, tuple)]


def _renamed(row, copies):
    kernel, args, takes = row
    new = [
        (AGAIN + arg[0],) + arg[1:] if isinstance(arg, tuple) and arg[0] in copies else arg
        for arg in args
    ]
    return kernel, new, takes
