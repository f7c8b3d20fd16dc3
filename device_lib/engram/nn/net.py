"""A model's graph as it is read: nodes whose shapes are known."""

from ..errors import ModelError


class Net:
    """The network that graph.py reads from a model file.

    .frozen, .adaptive   nodes of both stages, each with "shapes": the shapes of its inputs
    .input_shape
    .latent              name of the value that is stored; .latent_shape
    .outputs             [{"node", "objective", "weight"}], one per loss
    .latent_format       as the adaptive stage reads it: "f32" or "q8"
    .in_place            whether the tensors of int8 nodes are read where the file lies in memory
    .head                the dense node that tells classes apart and can grow, or None
    """

    def __init__(self, frozen, adaptive, input_shape, latent, latent_shape, outputs):
        self.frozen, self.adaptive, self.outputs = frozen, adaptive, outputs
        self.input_shape, self.latent, self.latent_shape = input_shape, latent, latent_shape
        self.head, self.latent_format, self.in_place = None, "f32", False

    def has_integers(self):
        """Whether a node learns in q8, or passes gradients on."""
        return "q8" in [node["format"] for node in self.adaptive]

    def node(self, name):
        """The adaptive node of a name. Raises ModelError."""
        for node in self.adaptive:
            if node["name"] == name:
                return node
        raise ModelError("expected a node of the adaptive stage, got %s" % name)
