"""One name per thing: a verb of the command line is a function of the same name in api.py."""

import inspect
import keyword

import click
import pytest

from engram_host import api
from engram_host.cli import main

# Scripts of verbs with a page of their own, and a terminal: neither gives an answer to a program.
INTERACTIVE = {"demo", "repl"}


def verbs(group=main, path=()):
    """The path of every verb: ("push", "model")."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from verbs(command, (*path, name))
        else:
            yield (*path, name)


VERBS = sorted(path for path in set(verbs()) if path[0] not in INTERACTIVE)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_is_a_function_of_the_same_name(verb):
    name = "_".join(verb).replace("-", "_")
    if keyword.iskeyword(name):  # no function can have it
        name += "_model"
    function = getattr(api, name, None)
    assert inspect.isfunction(function) and function.__module__ == api.__name__
    assert function.__doc__


def test_no_verb_is_left_out():
    names = {" ".join(verb) for verb in VERBS}
    assert {"push model", "push data", "learn", "eval", "store-info"} <= names
