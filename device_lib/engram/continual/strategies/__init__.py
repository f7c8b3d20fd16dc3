"""Ways to learn without forgetting, one small file each, chosen by name."""

from ...errors import DataError

# A name is a module of this package with a class Strategy.
NAMES = ("ar1", "bias", "cwr", "ewc", "finetune", "head")
NAMES += ("lwf", "ncm", "replay", "replay_anchor", "replay_lwf", "slda")


def strategy_class(name):
    """The class of a strategy, which only now is loaded. Raises DataError on an unknown name."""
    if name not in NAMES:
        raise DataError("expected a strategy of %s, got %s" % (" or ".join(NAMES), name))
    return __import__(__name__ + "." + name, None, None, ("Strategy",)).Strategy


def options_of(strategy, choices):
    """{name: number} of a strategy's OPTIONS: its defaults, and the choices instead.

    choices: dict or None. Raises DataError on a name it does not have and on a value out of range.
    """
    options = {name: row[0] for name, row in strategy.OPTIONS.items()}
    for name, value in (choices or {}).items():
        if name not in options:
            raise DataError(
                "expected an option of the strategy (%s), got %s"
                % (", ".join(sorted(options)) or "it has none", name)
            )
        _, least, most = strategy.OPTIONS[name]
        if not isinstance(value, (int, float)) or not least <= value <= most:
            raise DataError("expected %s from %g to %g, got %r" % (name, least, most, value))
        options[name] = value
    return options

