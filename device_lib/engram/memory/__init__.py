"""Memory of a learner: how long each buffer lives, where it lies, the block itself."""
