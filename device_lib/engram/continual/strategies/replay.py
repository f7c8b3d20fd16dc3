"""Latent replay: new latents mixed with stored ones (Pellegrini et al., IROS 2020)."""

from .base import Strategy

__all__ = ("Strategy",)
