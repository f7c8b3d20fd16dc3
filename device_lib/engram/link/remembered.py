"""The model that a board had open last, and its options: a hidden file, which outlasts resets."""

import json

from .files import PART, replace

NAME = ".engram.json"


def read(root):
    """(name of the model file, options); (None, {}) where nothing is remembered."""
    try:
        with open(root + "/" + NAME) as file:
            facts = json.load(file)
        return facts["model"], facts["options"]
    except (OSError, ValueError, KeyError, TypeError):  # none, or a cut in its first writing
        return None, {}


def write(root, model, options):
    """Remembers them. A file system without room is no reason to refuse a model."""
    path = root + "/" + NAME
    try:
        with open(path + PART, "w") as file:
            json.dump({"model": model, "options": options}, file)
        replace(path + PART, path)
    except (OSError, TypeError, ValueError):
        pass
