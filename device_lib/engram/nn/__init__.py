"""The network: model file, geometry, int8 frozen stage, f32 adaptive stage."""
