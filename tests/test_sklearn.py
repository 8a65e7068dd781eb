"""npvae.sklearn.VAE, held to scikit-learn's own checks."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from npvae.sklearn import VAE

SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 3, "batch_size": 16, "n_draws": 10}


@pytest.mark.filterwarnings("ignore::npvae.DiagnosisWarning")
@parametrize_with_checks([VAE(**SMALL)])
def test_it_is_an_estimator_to_scikit_learn(estimator, check):
    check(estimator)
