from host.conftest import board, data, device, model, some

__all__ = ["board", "data", "device", "model", "some"]
