"""The engine room: arrays in, arrays out.

`reference` says what each kernel computes; `compiled` computes it fast and is what runs.
NPVAE_KERNELS=reference runs the library on NumPy alone.
"""

import os

engine = os.environ.get("NPVAE_KERNELS", "compiled")

if engine == "compiled":
    from .compiled import *  # noqa: F403
elif engine == "reference":
    from .reference import *  # noqa: F403
else:
    raise ValueError(f"NPVAE_KERNELS is {engine!r}; expected 'compiled' or 'reference'")
