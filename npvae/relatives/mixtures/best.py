"""Several starts, and the best of them."""

import numpy as np
from numpy.typing import ArrayLike

from ..._checks import check_positive_int
from .em import em
from .families import Family
from .mixture import Mixture


def best_start(
    x: ArrayLike,
    components: int,
    *,
    starts: int,
    steps: int = 5,
    family: Family | None = None,
    start: str = "k-means++",
    rng: np.random.Generator,
) -> Mixture:
    """Of so many mixtures, each after some steps of EM, the one with the highest log p(x).

    starts and steps are integers >= 1, the others as `Mixture.init` takes them   [mixtures.11]
    Raises as `Mixture.init` and `em` do.
    """
    check_positive_int("starts", starts)
    check_positive_int("steps", steps)
    tried: list[tuple[float, int, Mixture]] = []
    for _ in range(starts):
        mixture = Mixture.init(x, components, family=family, start=start, rng=rng)
        *_, last = em(mixture, x, steps=steps)
        tried = sorted([*tried, (-last.log_px - last.log_prior, len(tried), mixture)])[:1]
    return tried[0][-1]
