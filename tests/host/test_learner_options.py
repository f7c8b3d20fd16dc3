"""Options of a learner: what a user writes, and what the board is told."""

import pytest

from engram_host.device import learner_options
from engram_host.errors import InputError


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("500", {"budget": 500}),
        (500, {"budget": 500}),
        ("0", {"budget": 0}),
        ("200kB", {"budget_bytes": 200_000}),
        ("200 KB", {"budget_bytes": 200_000}),
        ("192KiB", {"budget_bytes": 192 * 1024}),
        ("1.5MB", {"budget_bytes": 1_500_000}),
        ("800B", {"budget_bytes": 800}),
    ],
)
def test_a_budget_is_in_latents_or_in_bytes(text, options):
    assert learner_options.budget(text) == options


@pytest.mark.parametrize("text", ["", "many", "-5", "200k", "1.5", "20GB", "kB"])
def test_what_is_no_budget_is_told(text):
    with pytest.raises(InputError, match="latents .500. or bytes of flash .200kB, 192KiB"):
        learner_options.budget(text)


def test_a_strategys_own_options_are_assignments():
    options = learner_options.for_board(
        {"strategy_options": ("decay=0.9", "steps = 3"), "lr": None}
    )
    assert options == {"strategy_options": {"decay": 0.9, "steps": 3}}
    assert isinstance(options["strategy_options"]["steps"], int)


@pytest.mark.parametrize("text", ["decay", "decay=", "=3", "decay=much", "a b=1"])
def test_what_is_no_assignment_is_told(text):
    with pytest.raises(InputError, match="expected a strategy's option as name=number"):
        learner_options.for_board({"strategy_options": (text,)})


def test_an_unknown_strategy_lists_the_names():
    with pytest.raises(InputError, match="expected a strategy of .*replay, .*, got 'magic'"):
        learner_options.for_board({"strategy": "magic"})


def test_an_unknown_policy_lists_the_names():
    with pytest.raises(InputError, match="expected a policy of balanced, .*reservoir, got 'none'"):
        learner_options.for_board({"policy": "none"})


def test_bits_that_no_store_has_are_told():
    with pytest.raises(InputError, match="expected .* 3 to 8 bits, got 2"):
        learner_options.for_board({"bits": 2})


def test_an_unknown_optimiser_lists_the_names():
    with pytest.raises(InputError, match="optimiser of sgd, momentum, adam, got 'lbfgs'"):
        learner_options.for_board({"optimiser": "lbfgs"})


def test_a_scope_and_a_depth_at_once_are_refused():
    with pytest.raises(InputError, match="got both; depth 2 is the scope last:2"):
        learner_options.for_board({"scope": "head", "depth": 2})


def test_what_is_in_force_gives_way_to_what_comes():
    now = {"strategy": "head", "strategy_options": {"a": 1}, "budget": 500, "lr": 0.1}
    merged = learner_options.merged(now, {"strategy": "replay", "budget_bytes": 1000})
    assert merged == {"strategy": "replay", "budget_bytes": 1000, "lr": 0.1}
    assert learner_options.merged(now, {"strategy": "head", "lr": 0.2}) == {**now, "lr": 0.2}
    assert learner_options.merged({"depth": 2}, {"scope": "head"}) == {"scope": "head"}
    assert learner_options.merged({"scope": "head"}, {"depth": 2}) == {"depth": 2}


def test_every_option_of_the_command_is_one_of_the_learner_or_its_store():
    """Nothing is offered that a board does not know."""
    import inspect

    from engram.continual.learner import Learner
    from engram.opener import open_learner
    from engram_host.commands.options import LEARNER, OTHER_NAMES

    known = {*inspect.signature(Learner).parameters, *inspect.signature(open_learner).parameters}
    offered = {OTHER_NAMES.get(name, [name.replace("-", "_")])[0] for name in LEARNER}
    assert offered <= known
    assert known - offered == {
        "path", "board", "options", "spec", "store", "checkpoints", "counter", "available",
        "prepared",
        "heap_base", "budget_bytes", "beat", "fresh", "in_place", "features",
    }  # fmt: skip


NUMBERS = [
    ("lr", float("nan"), "0.03"), ("lr", -1, "0.03"), ("lr", 0, "0.03"),
    ("lr", float("inf"), "0.03"), ("lr", 1e39, "0.03"),
    ("lr_decay", 1.5, "0.5"), ("lr_decay", float("nan"), "0.5"),
    ("momentum", 1, "0.9"), ("momentum", -0.1, "0.9"), ("momentum", float("nan"), "0.9"),
    ("weight_decay", -1e-4, "0.0001"), ("weight_decay", float("inf"), "0.0001"),
    ("clip", 0, "1"), ("clip", float("nan"), "1"), ("clip", float("inf"), "1"),
    ("batch", 0, "16"), ("batch", 1.5, "16"), ("batch", True, "16"), ("micro", 0, "4"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "example"), NUMBERS)
def test_a_number_that_no_learner_takes_is_refused_by_name(name, value, example):
    with pytest.raises(InputError) as error:
        learner_options.for_board({name: value})
    flag = "--" + name.replace("_", "-")
    assert str(error.value).startswith(f"{flag}: expected ")
    assert f"got {value!r}; give {flag} {example}" in str(error.value)
    example = float(example) if "." in example else int(example)
    assert learner_options.for_board({name: example}) == {name: example}


@pytest.mark.parametrize("epochs", [0, -1, 1.5, float("nan")])
def test_epochs_are_refused_by_name(epochs):
    with pytest.raises(InputError, match="--epochs: expected a whole number of passes from 1 on"):
        learner_options.check_number("epochs", epochs)


@pytest.mark.parametrize("name", ["ar1", "bias", "head", "replay", "replay_lwf", None])
@pytest.mark.parametrize("option", ["budget", "budget_bytes"])
def test_nothing_to_replay_is_refused_where_the_strategy_replays(name, option):
    options = {option: 0} if name is None else {option: 0, "strategy": name}
    words = f"--budget: expected .*{name or 'replay'} .* got 0; give"
    with pytest.raises(InputError, match=words):
        learner_options.check_budget(options)


@pytest.mark.parametrize("name", ["cwr", "ewc", "finetune", "lwf", "ncm", "slda"])
def test_a_strategy_that_does_not_replay_needs_no_budget(name):
    learner_options.check_budget({"budget": 0, "strategy": name})
