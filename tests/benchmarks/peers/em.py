"""Steps of EM of one library, on request.

em.py passes the library's name, a file with the data and where to begin, and answers to each line
with the seconds that one step took. At the end of the input come log p(x) and memory.
"""

import json
import resource
import sys
import time

import numpy as np


def npvae_steps(kind, given):
    """A generator of seconds, and the log p(x) of the rows under the model as it is."""
    from npvae.relatives import Bernoullis, DiagonalGaussians, Mixture, em
    from npvae.relatives.mixtures.families import BernoulliParams
    from npvae.relatives.mixtures.gaussians import GaussianParams

    x, K = given["x"], len(given["weights"])
    if kind == "Bernoulli":
        family, params = Bernoullis(), BernoulliParams(given["logits"])
    else:
        family = DiagonalGaussians(float(given["min_sigma"]))
        params = GaussianParams(given["mean"], given["variance"])
    mixture = Mixture(family, np.log(given["weights"]), params, x.shape[1])
    assert mixture.components == K

    def steps():
        for step in em(mixture, x, steps=1000):
            yield step.seconds

    return steps(), lambda: mixture.log_px(x).mean(dtype=np.float64)


def sklearn_steps(dtype, given):
    """The same of scikit-learn, by the two methods that its own loop calls."""
    from sklearn.mixture import GaussianMixture

    x = given["x"].astype(dtype)
    variance = given["variance"].astype(dtype)
    mixture = GaussianMixture(
        len(variance), covariance_type="diag", reg_covar=float(given["min_sigma"]) ** 2
    )
    mixture.weights_ = given["weights"].astype(dtype)
    mixture.means_ = given["mean"].astype(dtype)
    mixture.covariances_, mixture.precisions_cholesky_ = variance, 1 / np.sqrt(variance)

    def steps():
        while True:
            start = time.perf_counter()
            _, log_resp = mixture._e_step(x)
            mixture._m_step(x, log_resp)
            yield time.perf_counter() - start

    return steps(), lambda: mixture.score(x)


def answer(**facts):
    print(json.dumps(facts), flush=True)


def main():
    library, kind, path = sys.argv[1:]
    with np.load(path) as file:
        given = dict(file)
    steps, log_px = (npvae_steps if library == "npvae" else sklearn_steps)(kind, given)
    next(steps)  # compiles, and starts threads
    answer(ready=True)
    count = 1
    for _ in sys.stdin:
        answer(seconds=next(steps))
        count += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    answer(log_px=float(log_px()), steps=count, peak=peak)


if __name__ == "__main__":
    main()
