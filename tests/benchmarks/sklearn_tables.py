"""What the estimator's defaults make of scikit-learn's own tables, beside PCA with as many numbers.

    python tests/benchmarks/sklearn_tables.py [--tables wine cancer digits] [--components 10]

In five folds: how many labels a LogisticRegression gets right by the raw columns, standardised, by
PCA of those, and by npvae.sklearn.VAE of the table as it is; the mean log p(x) of the fold held
out, in nats a row, by PCA's own Gaussian and by the VAE; and the seconds that a VAE took to fit.
"""

import argparse
import time
import warnings

import numpy as np
from harness import integer, print_table
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import npvae
from npvae.sklearn import VAE

TABLES = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer, "digits": load_digits}


def fold(X, y, train, test, components, args):
    """-> {column: number} of one fold."""
    scaler = StandardScaler().fit(X[train])
    u = scaler.transform(X)
    pca = PCA(components).fit(u[train])
    start = time.perf_counter()
    likelihood = npvae.StudentT() if args.student_t else "auto"
    vae = VAE(components, likelihood=likelihood, max_iter=args.epochs, random_state=args.seed)
    vae.fit(X[train])
    found = {"seconds": time.perf_counter() - start}
    for name, features in {"raw": u, "PCA": pca.transform(u), "VAE": vae.transform(X)}.items():
        classifier = LogisticRegression(max_iter=5000).fit(features[train], y[train])
        found[name] = 100 * classifier.score(features[test], y[test])
    found["PCA, nats"] = pca.score(u[test]) - np.log(scaler.scale_).sum()
    found["VAE, nats"] = vae.score(X[test])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--tables", nargs="+", choices=TABLES, default=["wine", "cancer", "digits"])
    add("--components", type=integer(1), default=10, help="(default: 10)")
    add("--epochs", type=integer(1), default=400, help="at most (default: 400)")
    add("--student-t", action="store_true", help="npvae.StudentT() in place of a Gaussian")
    add("--seed", type=int, default=0, help="(default: 0)")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name in args.tables:
        X, y = TABLES[name](return_X_y=True)
        components = min(args.components, X.shape[1])
        folds = StratifiedKFold(5, shuffle=True, random_state=args.seed).split(X, y)
        found = [fold(X, y, *split, components, args) for split in folds]
        mean = {key: np.mean([each[key] for each in found]) for key in found[0]}
        right = [f"{mean[key]:.1f}" for key in ("raw", "PCA", "VAE")]
        nats = [f"{mean[key]:.2f}" for key in ("PCA, nats", "VAE, nats")]
        rows.append([f"{name}, {len(X):,} × {X.shape[1]}", *right, *nats, f"{mean['seconds']:.1f}"])
    headings = "", "raw, %", "PCA, %", "VAE, %", "PCA, nats", "VAE, nats", "s a fit"
    print_table(headings, rows, (22, 8, 8, 8, 11, 11, 9))


if __name__ == "__main__":
    main()
