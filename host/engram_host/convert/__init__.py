"""From a float model to the model a board runs: int8 frozen stage, float32 adaptive stage."""

from .pipeline import MIN_AGREEMENT, ConvertReport, LayerReport, convert
from .reference import DeviceModel

__all__ = ["MIN_AGREEMENT", "ConvertReport", "DeviceModel", "LayerReport", "convert"]
