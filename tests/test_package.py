"""The package as a whole: what importing it costs, and what it shows."""

import inspect
import os
import re
import subprocess
import sys
import zipfile

import pytest

import npvae
from equations import ROOT


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def test_importing_it_warns_of_nothing_and_draws_nothing():
    done = python(
        "import npvae, sys\n"
        "heavy = {'matplotlib', 'pooch', 'tqdm', 'requests', 'scipy.ndimage'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    assert done.returncode == 0, done.stderr


def test_importing_it_takes_under_a_second_of_cpu_time():
    resource = pytest.importorskip("resource")

    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    costs = []
    for _ in range(3):
        before = spent()
        assert python("import npvae").returncode == 0
        costs.append(spent() - before)
    assert min(costs) < 1


def test_the_reference_engine_needs_no_numba():
    code = "import sys; sys.modules['numba'] = None; import npvae; print(npvae.kernels.engine)"
    assert python(code, NPVAE_KERNELS="reference").stdout == "reference\n"


def test_an_unknown_engine_is_refused():
    done = python("import npvae", NPVAE_KERNELS="fast")
    assert "NPVAE_KERNELS is 'fast'; expected 'compiled' or 'reference'" in done.stderr


@pytest.mark.parametrize("name", sorted(set(npvae.__all__) - {"ACTIVATIONS", "datasets"}))
def test_every_public_name_is_documented(name):
    public = getattr(npvae, name)
    assert inspect.getdoc(public), name
    for member, method in inspect.getmembers(public, inspect.isfunction):
        if not member.startswith("_") and inspect.isclass(public):
            assert inspect.getdoc(method), f"{name}.{member}"


def test_nothing_draws_from_numpys_global_state(monkeypatch):
    import numpy as np

    for name in ("seed", "rand", "randn", "normal", "uniform", "permutation", "shuffle", "random"):
        monkeypatch.setattr(np.random, name, None)
    rng = np.random.default_rng(0)
    vae = npvae.VAE.init(4, hidden=(3,), likelihood=npvae.Bernoulli(), rng=rng)
    list(npvae.train(vae, np.eye(4), epochs=1, optimizer=npvae.Adam(), binarize=True, rng=rng))
    npvae.evaluate(vae, np.eye(4), rng=rng)
    assert vae.sample(2, rng=rng, draw=True).shape == (2, 4)


def built(hook, folder, monkeypatch):
    """The wheel that pip would have of the backend that pyproject.toml names, opened."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    backend = pytest.importorskip(re.search(r'build-backend = "(.*)"', project)[1])
    monkeypatch.chdir(ROOT)
    return zipfile.ZipFile(folder / getattr(backend, hook)(str(folder)))


def test_beside_its_clone_an_editable_install_is_found(tmp_path, monkeypatch):
    """There the folder of the clone, npvae/, could pass for a package without __init__.py."""
    site, clone = tmp_path / "site", tmp_path / "beside" / "npvae"
    clone.mkdir(parents=True)
    clone.joinpath("npvae").symlink_to(ROOT / "npvae")
    with built("build_editable", tmp_path, monkeypatch) as wheel:
        wheel.extractall(site)
    code = "import importlib.util, site, sys; sys.path.insert(0, ''); site.addsitedir(sys.argv[1]);"
    code += "print(importlib.util.find_spec('npvae').origin)"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, site],
        cwd=clone.parent,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(ROOT / "npvae" / "__init__.py"), found.stderr


def test_a_wheel_holds_the_package_its_types_and_its_licence_alone(tmp_path, monkeypatch):
    with built("build_wheel", tmp_path, monkeypatch) as wheel:
        names = set(wheel.namelist())
    package = ROOT / "npvae"
    files = [*package.rglob("*.py"), *package.glob("pages/explorer.*"), *package.glob("pages/*.js")]
    modules = {path.relative_to(ROOT).as_posix() for path in files}
    (metadata,) = {name.split("/")[0] for name in names if not name.startswith("npvae/")}
    about = {f"{metadata}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    assert names == modules | about | {"npvae/py.typed"}
