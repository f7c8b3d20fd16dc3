"""Names that those who plan a learner and those who run it share. It imports nothing: a learner
holds no code of the former.
"""

# Values of a graph.
INPUT = "input"
LATENT = ":latent"  # the latent as the adaptive stage reads it, in float32

# Buffers of the arena.
PARAMS, GRADS, VELOCITY = "params", "grads", "velocity"
# Names in q8 nodes: int8 weights and the bytes below them, int32 biases, records of values, of the
# latent and of weights, records of gradients.
WEIGHTS, RESTS, BIASES = "weights", "rests", "biases"
RECORDS, ERROR_RECORDS = "records", "error records"
VELOCITIES, VELOCITY_RECORDS = "velocities", "velocity records"  # of biases; of weights
FEATURES = "features"  # inputs of a q8 head for one sample, as float32
NOISE = "noise:"  # prefix of the noise in a code
NO_NOISE, NEW_NOISE, SAME_NOISE = range(3)  # of a stream: which noise is in a code
ERROR = "e:"  # prefix of the gradient by an output as integers
VALUES = "v:"  # prefix of an output as integers
LATENTS = "latents"  # int8 latents of samples to evaluate
LABELS, TARGETS = "labels", "targets"
TEACHER = "teacher"  # parameters of a second forward pass
SECOND = "t:"  # prefix of the values of a second forward pass
LISTS = "kept:"  # prefix of a node's lists of structures (partial.py)
INPUTS, ERRORS = "in:", "errors:"  # prefixes of a node's chosen channels (channels.py)
CHOSEN = "chosen"  # the chosen elements of a tensor, while they are updated
AGAIN = "again:"  # prefix of the values that are computed again for the backward pass
NOTED = "noted:"  # prefix of the records of such values: what they note was noted before

NO_CLASS_LABEL = 254  # of a sample without an answer

# In the rows of a program.
KNOWN = "#"  # an argument: the number of classes in use
VIEW = "view"  # a kernel: computes nothing, one memory under two names

# How long a float32 buffer of a strategy lives: in saved states too, from step to step, during the
# update alone.
SAVED, KEPT, BRIEF = range(3)


def product(shape):
    """Elements of a shape."""
    n = 1
    for d in shape:
        n *= d
    return n


def gradient(value):
    """The buffer of the gradient of the loss by an output."""
    return "d:" + value
