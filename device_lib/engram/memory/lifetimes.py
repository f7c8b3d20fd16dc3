"""Where buffers lie in one block: buffers that do not live at the same time share memory.

A timeline is a list of rows, as nn/program.py makes them. A buffer lives from the first row that
names it to the last. A row says which argument it can write into the memory of another; that is
done where nothing reads the other one later.
"""

from .layout import ALIGN


class Timeline:
    """Collects rows in the order in which they run, then places their buffers.

    .at   the number of the next row
    """

    def __init__(self):
        self.at = 0
        self._spans = {}  # buffer: [first row, last row]
        self._takes = []  # (row, written, read, others, whether it is a view)
        self._always = []

    def rows(self, rows, view):
        """These rows come next. view: name of the rows that only rename memory."""
        for kernel, args, takes in rows:
            names = [arg[0] if isinstance(arg, tuple) else None for arg in args]
            self.touch([name for name in names if name])
            for target, source in takes:
                others = [n for i, n in enumerate(names) if n and i != target and i != source]
                self._takes.append((self.at - 1, names[target], names[source], others,
                                    kernel == view))

    def touch(self, names):
        """Something that is no row reads or writes these buffers next."""
        for name in names:
            self._spans.setdefault(name, [self.at, self.at])[1] = self.at
        self.at += 1

    def always(self, name):
        """A buffer lives from the first row to the last."""
        self._always.append(name)

    def place(self, sizes):
        """(rows, owners): [(buffer, kind, bytes, offset, first, last)] in order of offset, and
        {buffer: the buffer whose memory it has} for the others.

        sizes: {buffer: (kind, bytes)}. First fit, in two orders, of which the smaller block
        counts: longest-lived first, and largest first, the greedy rule of Pisarchyk and Lee,
        "Efficient Memory Management for Deep Neural Net Inference" (2020).
        """
        for name in self._always:
            self._spans[name] = [0, self.at]
        owners, spans = self._share(sizes), self._spans
        todo = [name for name in spans if owners[name] == name and sizes[name][1]]
        best = None
        for order in (
            lambda name: (spans[name][0] - spans[name][1], -sizes[name][1]),
            lambda name: (name not in self._always, -sizes[name][1]),
        ):
            # neither sort() nor dict of MicroPython keeps an order, and hosts are to agree
            todo.sort(key=lambda name: order(name) + (spans[name][0], name))
            rows = _first_fit(todo, sizes, spans)
            if best is None or _end(rows) < _end(best):
                best = rows
        best.sort(key=lambda row: row[3])
        return best, owners

    def _share(self, sizes):
        """{buffer: owner of its memory}; an owner's span becomes that of all who share it."""
        spans = self._spans
        owners = {name: name for name in spans}
        last = {name: span[1] for name, span in spans.items()}
        for at, target, source, others, is_view in self._takes:
            owner = owners[source]
            if target in self._always or spans[target][0] != at or sizes[target] != sizes[source]:
                continue
            free = owner not in self._always and last[owner] == at
            if not is_view and (not free or owner in [owners[name] for name in others]):
                continue
            owners[target] = owner
            last[owner] = max(last[owner], last[target])
            spans[owner][1] = last[owner]
        return owners


def _first_fit(names, sizes, spans):
    """Rows of buffers, each at the lowest offset that the ones before it leave."""
    rows = []
    for name in names:
        kind, nbytes = sizes[name]
        first, last = spans[name]
        rows.append((name, kind, nbytes, _gap(rows, nbytes, first, last), first, last))
    return rows


def _end(rows):
    return max([row[3] + row[2] for row in rows] + [0])


def _gap(rows, nbytes, first, last):
    """Lowest offset at which no buffer that lives in [first, last] is in the way."""
    offset = 0
    for row in sorted([(r[3], r[2]) for r in rows if r[4] <= last and r[5] >= first]):
        if offset + nbytes <= row[0]:
            break
        offset = max(offset, (row[0] + row[1] + ALIGN - 1) // ALIGN * ALIGN)
    return offset
