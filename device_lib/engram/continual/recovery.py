"""Sets a learner back after a learning run that diverged."""

from ..backend import kernels
from ..compat import bytes_of
from ..places import opened


def set_back(learner):
    """Sets a learner back to the state that it saved last, where there is none to its model file;
    says in words where it is now. Stored records stay; those of the current session are new."""
    if learner.checkpoints is not None:
        generation = learner.load()
        if generation is not None:
            return "the learner is back at its last saved state, generation %d" % generation
    if learner.path is None:
        return "this learner is lost: open the model again"
    _to_model_file(learner)
    return "the learner is back at its model file, as nothing was saved"


def _to_model_file(learner):
    stage, state = learner.stage, learner.state
    kernels.zero_f32(stage.params)
    with opened(learner.path) as stream:
        for i in range(0, len(stage.origins), 3):
            at, offset, n = stage.origins[i : i + 3]
            stream.seek(offset)
            stream.readinto(bytes_of(stage.params[at : at + n]))
        stage.read_integers(stream)
    integers = [name for name, _ in stage.integers]
    for name, part in zip(state.names, state.parts):
        if name != "params" and name not in integers:
            for i in range(len(part)):
                part[i] = 0
    learner.session = learner.steps_done = learner.matched = 0
    stage.resize(learner.known_at_first)
    learner.stream.begin(0)
    learner.strategy.fresh()
    learner.policy.loaded()
