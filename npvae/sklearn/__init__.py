"""A VAE as an estimator of scikit-learn, which the extra `sklearn` installs.

estimator   VAE: features of a table, and how likely each row is
choices     what the estimator's parameters may be, and the model that they ask for
scores      what a fitted model is worth

Not loaded by `import npvae`.
"""

try:
    import sklearn.utils.validation  # noqa: F401
except ModuleNotFoundError as error:
    message = "npvae.sklearn needs scikit-learn: pip install 'npvae[sklearn]'"
    raise ModuleNotFoundError(message) from error

from .estimator import VAE

__all__ = ["VAE"]
