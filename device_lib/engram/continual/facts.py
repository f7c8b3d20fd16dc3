"""The facts of an open learner and the memory that it uses, as plain values."""


def facts(learner):
    """A dict of str, int, float, bool, None and lists of dicts of these."""
    return {
        "model": learner.name,
        "classes": learner.classes,
        "known": learner.stage.known,
        "targets": learner.targets,
        "outputs": [
            {"name": name, "objective": kind, "values": n or learner.classes}
            for name, (kind, _, n) in sorted(learner.outputs.items(), key=_place)
        ],
        "strategy": learner.strategy_name,
        "scope": learner.scope,
        "optimiser": learner.optimiser_name,
        "clip": learner.clip,
        "policy": learner.policy_name,
        "composition": learner.sampler.composition,
        "new_share": learner.sampler.new_share,
        "lr": learner.trainer.lr,
        "lr_decay": learner.trainer.lr_decay,
        "batch": learner.batch,
        "micro": learner.stage.micro,
        "recompute": learner.stage.recompute,
        "session": learner.session,
        "seen": learner.seen,
        "skipped": learner.skipped,
        "rehearsed": learner.rehearsed,
        "steps": learner.steps_done,
        "budget": learner.budget,
        "ram_planned_bytes": learner.planned_bytes,
        "ram_measured_bytes": learner.heap_growth(),
        "format": learner.format,
        "parameters": learner.stage.parameter_count(),
    }


def class_name(learner, label):
    """The name of a class in the model file, else its number, as a text."""
    names = learner.class_names.split("\n")
    return names[label] if label < len(names) and names[label] else str(label)


def _place(output):
    """Where an item of Learner.outputs comes in a list: those without a target first, by name,
    then as in a target."""
    at = output[1][1]
    return (-1, output[0]) if at is None else (at, "")
