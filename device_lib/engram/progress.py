"""A progress line at the REPL: Learner.learn(on_step=engram.progress)."""

_WIDTH = 24


def show(record):
    """Prints one line for a record of Learner.steps(), over the line before it."""
    done = record["step"] * _WIDTH // record["of"]
    print(
        "\r[%s%s] step %d of %d  loss %.3f  right %3d %%"
        % (
            "#" * done,
            "." * (_WIDTH - done),
            record["step"],
            record["of"],
            record["loss"],
            round(100 * record["acc"]),
        ),
        end="\n" if record["step"] == record["of"] else "",
    )
