"""The engine room: arrays in, arrays out.

`reference` says what each kernel computes; `compiled` computes it fast and is what runs.
NPVAE_KERNELS=reference runs the library on NumPy alone.

Besides its kernels, an engine has `pace`, which chooses how many threads a loop of them gets, and
`clock`, which leaves out the seconds of the compiler.
"""

import os

engine = os.environ.get("NPVAE_KERNELS", "compiled")

if engine == "compiled":
    from .compiled import *  # noqa: F403
    from .disk import clock
    from .pacing import pace
elif engine == "reference":
    from time import perf_counter as clock  # noqa: F401

    from .pacing import one_thread as pace  # type: ignore[assignment]  # noqa: F401
    from .reference import *  # noqa: F403
else:
    raise ValueError(f"NPVAE_KERNELS is {engine!r}; expected 'compiled' or 'reference'")
