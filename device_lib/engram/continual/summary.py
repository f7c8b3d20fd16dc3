"""A learner in some lines, for a person at the REPL."""


def words(learner):
    """A description of a learner for people, of a few lines."""
    if not learner.is_open:
        return "Learner, closed: open the model again"
    store, lines = learner.store, ["Learner of %s" % learner.name]
    inputs = "%d %s" % (learner.input_elems, learner.input_dtype)
    if learner.head_name:
        lines.append("%s -> %d of %d classes" % (inputs, learner.stage.known, learner.classes))
    elif learner.targets:
        lines.append("%s -> %d values" % (inputs, learner.targets))
    else:
        lines.append("%s -> the same again, without labels" % inputs)
    if learner.class_names:
        lines.append("classes " + learner.class_names.replace("\n", ", "))
    how = (learner.strategy_name, learner.batch, learner.optimiser_name)
    lines.append("strategy %s, batch %d, optimiser %s" % how)
    if store is not None:
        counts = (len(store), store.capacity, learner.policy_name, learner.budget)
        lines.append("%d records stored, room for %d; policy %s keeps %d" % counts)
    size = learner.heap_growth()
    text = "" if size is None else ", %d measured" % size
    lines.append("%d bytes of RAM planned%s" % (learner.planned_bytes, text))
    lines.append("observe(x, y)  learn(epochs)  predict(x)  evaluate(samples)  save()  info()")
    return "\n  ".join(lines)
