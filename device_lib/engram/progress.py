"""A progress line at the REPL: Learner.learn(on_step=engram.progress)."""

_WIDTH = 24


def show(record):
    """Prints one line for a record of Learner.steps(), over the line before it."""
    count = record["step"] * _WIDTH // record["of"]
    acc = record["acc"]
    print(
        "\r[%s%s] step %d of %d  loss %.3f%s"
        % (
            "#" * count,
            "." * (_WIDTH - count),
            record["step"],
            record["of"],
            record["loss"],
            "" if acc is None else "  right %3d %%" % round(100 * acc),
        ),
        end="\n" if record["step"] == record["of"] else "",
    )
