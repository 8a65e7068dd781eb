"""Trace: what one forward pass computed."""

from typing import Any, NamedTuple

import numpy as np

NOT_YET = np.empty(0)


class Trace(NamedTuple):
    """All that one forward pass computed: the backward pass reads it, and so may you."""

    encoder_hidden: tuple[np.ndarray, ...]  # each (B, H)
    mu: np.ndarray  # (B, Z)
    logvar: np.ndarray  # (B, Z)
    z: np.ndarray  # (L, B, Z)
    decoder_hidden: tuple[np.ndarray, ...]  # each (L·B, H)
    decoder_output: np.ndarray  # (L, B, ·)
    log_px_z: np.ndarray  # (L, B) nats
    kl: np.ndarray  # (B,) nats
    objective: Any  # the Objective, which computes bound from the fields above
    bound: np.ndarray = NOT_YET  # (B,) nats
