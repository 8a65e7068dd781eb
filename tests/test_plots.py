"""plots: what the pictures show, read back from the Figures and from their pixels."""

import io
import math
import os
import subprocess
import sys
from statistics import NormalDist

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import npvae
from npvae import plots
from npvae.plots.images import prior_quantiles
from npvae.plots.sheet import tile

SHAPE = (2, 3)
D = 6


def transparent(Z, mu_scale=1, mu_bias=0, logvar=0, likelihood=None):
    """A linear model to be seen through: mu_j = scale_j x_j + bias_j, E[x|z] = (z, 0, …, 0)."""
    rng = np.random.default_rng(0)
    likelihood = likelihood or npvae.Gaussian(1.0)
    vae = npvae.VAE.init(
        D, hidden=(), latent_dim=Z, likelihood=likelihood, dtype=np.float64, rng=rng
    )
    (encoder,), (decoder,), _ = vae.params
    encoder.W[...], decoder.W[...] = 0, 0
    encoder.W[np.arange(Z), np.arange(Z)] = mu_scale
    encoder.b[:Z], encoder.b[Z:] = mu_bias, logvar
    decoder.W[np.arange(Z), np.arange(Z)] = 1
    return vae


def data(rows, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (rows, D))


def sheet_of(figure):
    return figure.axes[0].images[0].get_array().filled(np.nan)


def images_of(figure, shape=SHAPE, gap=1):
    """(down, across, rows, columns): the tiles, cut out again."""
    sheet = sheet_of(figure)
    rows, columns = shape
    return np.array(
        [
            [sheet[i : i + rows, j : j + columns] for j in range(0, sheet.shape[1], columns + gap)]
            for i in range(0, sheet.shape[0], rows + gap)
        ]
    )


def texts(ticklabels):
    return [label.get_text() for label in ticklabels]


def number(text):
    return float(text.replace("−", "-"))


def quantile(i, n):
    return NormalDist().inv_cdf((i + 0.5) / n)


def record(epoch, Z=4, validated=True, beta=1.0, seed=0):
    """An Epoch of numbers that are all different."""
    rng = np.random.default_rng([seed, epoch])
    values = rng.normal(-100, 10, 6)
    validation = npvae.Evaluation(
        values[0], 0.1, values[1], values[2], rng.random(Z), rng.random(Z) / 50
    )
    return npvae.Epoch(
        *(epoch, values[3], *values[3:], rng.random(Z), int(rng.integers(Z))),
        *(npvae.ClosedForm(beta), 1.0, 1e4),
        validation=validation if validated else None,
    )


# Images side by side


@given(
    n=st.integers(1, 9),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    across=st.integers(1, 5),
    gap=st.integers(0, 2),
)
def test_image_i_lies_at_row_i_over_across_and_the_rest_is_nan(n, rows, columns, across, gap):
    images = np.random.default_rng(n).random((n, rows, columns))
    down = math.ceil(n / across)
    expected = np.full((down * (rows + gap) - gap, across * (columns + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = (i // across) * (rows + gap), (i % across) * (columns + gap)
        expected[top : top + rows, left : left + columns] = image
    np.testing.assert_array_equal(tile(images, across, gap=gap), expected)


@pytest.mark.parametrize("style", [{}, {"image.origin": "lower", "axes.grid": True}])
@pytest.mark.parametrize("dpi", [72, 144])
def test_the_pixels_of_a_file_are_those_of_the_images(dpi, style):
    """Each image pixel is a square of equal dots, all of them of its own grey."""
    with matplotlib.rc_context(style):
        vae = transparent(2, likelihood=npvae.Bernoulli())
        figure = plots.reconstructions(vae, np.random.default_rng(0).random((13, D)), SHAPE)
        drawn = pixels(figure, dpi)
    sheet = sheet_of(figure)
    box = figure.axes[0].get_position()
    height, width = drawn.shape
    axes = drawn[
        round((1 - box.y1) * height) : round((1 - box.y0) * height),
        round(box.x0 * width) : round(box.x1 * width),
    ]
    dots = axes.shape[0] // sheet.shape[0]
    expected = np.kron(np.nan_to_num(sheet, nan=1), np.ones((dots, dots)))
    assert dots >= 2
    # Matplotlib rounds down to 256 greys and again to 8 bits.
    np.testing.assert_allclose(axes, expected, rtol=0, atol=2 / 255)


def pixels(figure, dpi, channel=0):
    file = io.BytesIO()
    figure.savefig(file, dpi=dpi)
    file.seek(0)
    return matplotlib.image.imread(file)[..., channel]


def test_pixels_outside_0_and_1_are_confessed():
    x = np.array([[0, 1, 0.5, 0.5, 0.5, 0.5], [1.5, -0.2, 0.5, 0.5, 0.5, 0.5]])
    inside = plots.reconstructions(transparent(2), x[:1], SHAPE)
    outside = plots.reconstructions(transparent(2), x, SHAPE)
    assert "outside" not in title(inside)
    # 2 of 24 in x, and the same 2 in its reconstruction.
    assert "17% of the pixels lie outside [0, 1]" in title(outside)
    assert outside.axes[0].images[0].get_clim() == (0, 1)


def title(figure):
    return figure.axes[0].get_title(loc="left") or figure.axes[0].get_title()


def test_more_images_than_can_be_drawn_are_refused():
    with pytest.raises(ValueError, match="show fewer"):
        plots.reconstructions(transparent(1), np.zeros((70_000, D)), SHAPE)


# Reconstructions and samples


def test_each_original_stands_above_its_reconstruction():
    vae, x = transparent(2, mu_scale=0.5), data(13)
    figure = plots.reconstructions(vae, x, SHAPE)
    pairs = images_of(figure, (4, 3)).reshape(20, 4, 3)
    reconstructed = np.hstack([x[:, :2] / 2, np.zeros((13, 4))])
    np.testing.assert_array_equal(pairs[:13, :2], x.reshape(13, 2, 3))
    np.testing.assert_allclose(pairs[:13, 2:], reconstructed.reshape(13, 2, 3), rtol=1e-15)
    assert np.isnan(pairs[13:]).all()

    axes = figure.axes[0]
    assert texts(axes.get_yticklabels()) == ["x", "E[x|z]"] * 2
    # The middles of pixel rows 0–1, 2–3, and after a row of gap 5–6, 7–8.
    np.testing.assert_array_equal(axes.get_yticks(), [0.5, 2.5, 5.5, 7.5])


def test_samples_are_means_and_say_so():
    vae = transparent(3)
    figure = plots.prior_samples(vae, 7, SHAPE, rng=np.random.default_rng(3))
    z = np.random.default_rng(3).standard_normal((7, 3))
    shown = images_of(figure).reshape(9, D)
    np.testing.assert_array_equal(shown[:7], np.hstack([z, np.zeros((7, 3))]))
    assert np.isnan(shown[7:]).all()
    assert "a mean and not a draw of x" in title(figure)
    assert "n = 7" in title(figure)


# Colours, and one of them


def coloured(figure):
    """The sheet's numbers, where matplotlib is given colours."""
    return np.asarray(figure.axes[0].images[0].get_array())


def test_colours_lie_last_in_a_row_of_x_and_the_gap_is_white():
    x = np.random.default_rng(0).random((3, D))
    sheet = coloured(
        plots.reconstructions(transparent(2, likelihood=npvae.Bernoulli()), x, (1, 2, 3))
    )
    assert sheet.shape == (2, 8, 3)
    for i in range(3):
        np.testing.assert_array_equal(sheet[0, 3 * i : 3 * i + 2].ravel(), x[i])
    np.testing.assert_array_equal(sheet[:, [2, 5]], 1)


def test_colours_outside_0_and_1_are_confessed_and_clipped():
    x = np.array([[0, 1, 0.5, 0.5, 0.5, 0.5], [1.5, -0.2, 0.5, 0.5, 0.5, 0.5]])
    figure = plots.reconstructions(transparent(2), x, (1, 2, 3))
    assert "17% of the pixels lie outside [0, 1]" in title(figure)
    np.testing.assert_array_equal(coloured(figure)[0, 3], [1, 0, 0.5])


@pytest.mark.parametrize(
    "draw",
    [
        lambda shape: plots.reconstructions(transparent(2), data(12), shape),
        lambda shape: plots.prior_samples(transparent(2), 7, shape, rng=np.random.default_rng(0)),
        lambda shape: plots.manifold(transparent(2), shape, 3),
        lambda shape: plots.traversals(transparent(2), data(9), shape, steps=4),
    ],
)
def test_every_sheet_has_three_colours_or_one(draw):
    grey, one, three = (draw(shape) for shape in ((1, 6), (1, 6, 1), (1, 2, 3)))
    np.testing.assert_array_equal(sheet_of(grey), sheet_of(one))
    seen = np.unique(np.clip(sheet_of(grey), 0, 1))
    assert set(seen[~np.isnan(seen)]) | {1.0} == set(np.unique(coloured(three))) | {1.0}
    assert title(three) == title(grey)


# Walks through z


@pytest.mark.parametrize("n", [1, 2, 11, 20])
def test_quantiles_cut_the_prior_into_equal_shares(n):
    expected = [quantile(i, n) for i in range(n)]
    np.testing.assert_allclose(prior_quantiles(n), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_the_manifold_lies_at_the_priors_quantiles(n):
    figure = plots.manifold(transparent(2), SHAPE, n)
    images = images_of(figure, gap=0)
    assert images.shape == (n, n, *SHAPE)
    for row in range(n):
        for column in range(n):
            z = [quantile(column, n), quantile(n - 1 - row, n)]  # z[1] grows upwards
            np.testing.assert_allclose(images[row, column, 0, :2], z, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_the_manifolds_ticks_name_the_z_of_the_image_beside_them(n):
    figure = plots.manifold(transparent(2), SHAPE, n)
    axes, images = figure.axes[0], images_of(figure, gap=0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("z[0]", "z[1]")
    columns, rows = axes.get_xticks() // 3, axes.get_yticks() // 2
    np.testing.assert_array_equal(axes.get_xticks() - 3 * columns, 1)
    np.testing.assert_array_equal(axes.get_yticks() - 2 * rows, 0.5)
    for column, text in zip(columns, texts(axes.get_xticklabels()), strict=True):
        assert number(text) == pytest.approx(images[0, int(column), 0, 0], abs=0.005)
    for row, text in zip(rows, texts(axes.get_yticklabels()), strict=True):
        assert number(text) == pytest.approx(images[int(row), 0, 0, 1], abs=0.005)
    assert {0, n - 1} <= set(columns)


def kl_by_loop(mu, logvar):
    """Mean over rows of ½ (μ² + σ² − 1 − log σ²), with math alone."""
    return [
        sum((m * m + math.exp(v) - 1 - v) / 2 for m in column) / len(column)
        for column, v in zip(mu.T, logvar, strict=True)
    ]


# Dimension 1 carries the most KL and is dead: its mean is 3 for every x. Dimension 3 hardly
# moves (variance 0.0025) and is dead too; dimension 0 moves a little more and is not.
SCALE, BIAS, LOGVAR = np.array([0.2, 0, 2, 0.05]), [0, 3, 0, 0.1], [-0.1, -0.5, -2, 0.3]


def mixed():
    return transparent(4, SCALE, BIAS, LOGVAR)


def test_traversals_run_from_the_largest_kl_to_the_smallest_and_mark_the_dead():
    x = data(500)
    figure = plots.traversals(mixed(), x, SHAPE)
    kl = kl_by_loop(x[:, :4] * SCALE + BIAS, LOGVAR)
    order = sorted(range(4), key=lambda i: -kl[i])
    assert order[0] == 1
    dead = {1: "dead  ", 3: "dead  "}
    labels = figure.axes[0].get_yticklabels()
    assert texts(labels) == [f"{dead.get(i, '')}z[{i}]  {kl[i]:.2f}" for i in order]
    assert len({label.get_color() for label in labels}) == 2
    assert labels[0].get_color() == labels[order.index(3)].get_color()
    assert "dead: variance of mu over the data ≤ 0.01" in title(figure)
    assert "nats" in title(figure)


def test_a_model_without_dead_units_has_none_marked():
    figure = plots.traversals(transparent(4), data(50), SHAPE)
    assert "dead" not in title(figure) + "".join(texts(figure.axes[0].get_yticklabels()))


@pytest.mark.parametrize("around", [None, data(1, seed=7)[0]])
@pytest.mark.parametrize("steps", [1, 4, 5])
def test_in_each_row_one_dimension_moves_and_the_others_stay(around, steps):
    x = data(500)
    figure = plots.traversals(mixed(), x, SHAPE, around=around, steps=steps)
    shown = images_of(figure).reshape(4, steps, D)
    labels = texts(figure.axes[0].get_yticklabels())
    stay = np.zeros(4) if around is None else around[:4] * SCALE + BIAS
    for row, label in enumerate(labels):
        moving = int(label.split("[")[1].split("]")[0])
        for step in range(steps):
            z = stay.copy()
            z[moving] = quantile(step, steps)
            np.testing.assert_allclose(shown[row, step, :4], z, rtol=1e-12, atol=1e-14)


# Charts


def drawn_lines(figure):
    return [{line.get_label(): line for line in axes.lines} for axes in figure.axes]


@pytest.mark.parametrize("count", [1, 7])
def test_the_curves_are_the_records(count):
    epochs = [record(e) for e in range(3, 3 + count)]
    figure = plots.training_curves(iter(epochs))
    for axes, name in zip(
        drawn_lines(figure), ("elbo", "reconstruction", "kl", "active_units"), strict=True
    ):
        training, validation = axes.values()
        assert training.get_label().startswith("training, mean over")
        assert validation.get_label().startswith("validation, after")
        for line in (training, validation):
            np.testing.assert_array_equal(line.get_xdata(), range(3, 3 + count))
        np.testing.assert_array_equal(training.get_ydata(), [getattr(e, name) for e in epochs])
        expected = [getattr(e.validation, name) for e in epochs]
        np.testing.assert_array_equal(validation.get_ydata(), expected)


def test_the_curves_have_units_and_whole_epochs():
    figure = plots.training_curves([record(1)])
    units = [axes.get_ylabel() for axes in figure.axes]
    assert units == ["nats an image"] * 3 + ["units"]
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert low < 1 < high
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_validation_is_drawn_only_where_there_is_one():
    epochs = [record(1, validated=False), record(2), record(3, validated=False), record(4)]
    training, validation = drawn_lines(plots.training_curves(epochs))[0].values()
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(validation.get_xdata(), [2, 4])
    (legend,) = plots.training_curves(epochs).legends
    assert len(legend.get_texts()) == 2


def test_one_curve_needs_no_legend_to_say_what_it_is():
    figure = plots.training_curves([record(1, validated=False), record(2, validated=False)])
    assert not figure.legends
    assert figure.get_supxlabel() == "training, mean over the epoch"


@pytest.mark.parametrize(
    ("betas", "said"),
    [
        ((1, 1), ""),
        ((4, 4), "maximized ClosedForm(beta=4.0, samples=1)"),
        ((0.1, 1), "at last ClosedForm(beta=1.0, samples=1)"),
    ],
)
def test_a_beta_other_than_1_is_said(betas, said):
    figure = plots.training_curves([record(e, beta=b) for e, b in enumerate(betas, start=1)])
    assert figure.get_suptitle().endswith(said)
    assert bool(figure.get_suptitle()) == bool(said)


def test_the_bars_are_the_kl_sorted_and_the_dead_ones_stand_apart():
    kl = np.array([0.3, 2.0, 0.001, 1.0, 0.002])
    variance = np.array([0.5, 0.01, 0.001, 0.9, 0.0101])  # 0.01 itself is dead
    evaluation = npvae.Evaluation(-100.0, 0.1, -96.697, 3.303, kl, variance)
    figure = plots.kl_per_dimension(evaluation)
    axes = figure.axes[0]
    order, dead = [1, 3, 0, 4, 2], [True, False, False, False, True]
    np.testing.assert_array_equal([bar.get_width() for bar in axes.patches], kl[order])
    tops = [axes.transData.transform((0, bar.get_y()))[1] for bar in axes.patches]
    assert tops == sorted(tops, reverse=True)
    colours = [bar.get_facecolor() for bar in axes.patches]
    (legend,) = figure.legends
    active_patch, dead_patch = (patch.get_facecolor() for patch in legend.get_patches())
    assert colours == [dead_patch if d else active_patch for d in dead]
    assert active_patch != dead_patch
    shades = [matplotlib.colors.to_rgba(label.get_color()) for label in axes.get_yticklabels()]
    assert [shade == dead_patch for shade in shades] == dead
    assert texts(legend.get_texts()) == [
        "3 active",
        "2 dead: variance of mu over the data ≤ 0.01",
    ]
    assert texts(axes.get_yticklabels()) == [
        *("dead  z[1]  2.00", "z[3]  1.00", "z[0]  0.30", "z[4]  0.00", "dead  z[2]  0.00"),
    ]
    assert "nats" in axes.get_xlabel()
    assert "3.30 nats" in title(figure)


def test_the_scatter_shows_mu_in_the_colours_of_its_legend():
    vae, x = transparent(2, [1, 2]), data(40)
    labels = np.arange(40) % 3 + 5
    figure = plots.latent_scatter(vae, x, labels)
    (points,) = figure.axes[0].collections
    np.testing.assert_allclose(points.get_offsets(), x[:, :2] * [1, 2], rtol=1e-15)
    (legend,) = figure.legends
    assert texts(legend.get_texts()) == ["5", "6", "7"]
    key = np.array([patch.get_facecolor()[:3] for patch in legend.get_patches()])
    np.testing.assert_array_equal(points.get_facecolors()[:, :3], key[labels - 5])
    assert len(np.unique(key, axis=0)) == 3


@pytest.mark.parametrize("labels", [np.linspace(0, 1, 40), np.arange(40)])
def test_measured_labels_get_a_colour_bar(labels):
    figure = plots.latent_scatter(transparent(2), data(40), labels)
    scatter, bar = figure.axes
    np.testing.assert_array_equal(scatter.collections[0].get_array(), labels)
    assert bar.get_ylabel() == "label"
    assert not figure.legends


@pytest.mark.parametrize("labels", [["b", "a"] * 20, [False, True] * 20])
def test_strings_and_truth_values_are_classes(labels):
    figure = plots.latent_scatter(transparent(2), data(40), labels)
    assert texts(figure.legends[0].get_texts()) == [str(k) for k in sorted(set(labels))]


def test_of_many_dimensions_the_scatter_shows_the_two_with_the_largest_kl_and_says_so():
    x = data(500)
    figure = plots.latent_scatter(mixed(), x, np.zeros(500, int))
    kl = kl_by_loop(x[:, :4] * SCALE + BIAS, LOGVAR)
    i, j = sorted(sorted(range(4), key=lambda k: -kl[k])[:2])
    axes = figure.axes[0]
    mu = x[:, :4] * SCALE + BIAS
    np.testing.assert_allclose(axes.collections[0].get_offsets(), mu[:, [i, j]], rtol=1e-15)
    assert axes.get_xlabel() == f"mu[{i}], mean KL {kl[i]:.2f} nats"
    assert axes.get_ylabel() == f"mu[{j}], mean KL {kl[j]:.2f} nats"
    assert "the two of Z = 4 dimensions with the largest mean KL" in title(figure)


# All of them


def figures():
    rng = np.random.default_rng(0)
    one, two, many, wide = transparent(1), transparent(2), mixed(), transparent(6)
    x = rng.random((30, D))
    evaluation = npvae.evaluate(many, x, rng=rng)
    vast = npvae.VAE.init(120, hidden=(), latent_dim=120, likelihood=npvae.Bernoulli(), rng=rng)
    vast.params.encoder[0].W[...] = 0
    vast.params.encoder[0].b[:120] = 5
    return {
        "curves": lambda: plots.training_curves([record(e, beta=e) for e in (1, 2, 3)]),
        "curves, one epoch": lambda: plots.training_curves([record(1, validated=False)]),
        "reconstructions": lambda: plots.reconstructions(two, x, SHAPE),
        "reconstructions, one image": lambda: plots.reconstructions(two, x[:1], (1, D)),
        "samples": lambda: plots.prior_samples(many, 30, (D, 1), rng=rng),
        "samples in colour": lambda: plots.prior_samples(many, 30, (D // 3, 1, 3), rng=rng),
        "samples, one": lambda: plots.prior_samples(one, 1, SHAPE, rng=rng),
        "manifold": lambda: plots.manifold(two, SHAPE),
        "manifold, one image": lambda: plots.manifold(two, SHAPE, 1),
        "traversals": lambda: plots.traversals(many, x, SHAPE, around=x[0]),
        "traversals, tall": lambda: plots.traversals(wide, x, (D, 1), steps=2),
        "traversals, wide labels": lambda: plots.traversals(vast, np.eye(120), (10, 12), steps=3),
        "traversals, Z = 1": lambda: plots.traversals(one, x, (D, 1)),
        "scatter": lambda: plots.latent_scatter(two, x, np.arange(30) % 10),
        "scatter, one image": lambda: plots.latent_scatter(many, x[:1], ["only"]),
        "scatter, measured": lambda: plots.latent_scatter(two, x, x[:, 0]),
        "bars": lambda: plots.kl_per_dimension(evaluation),
        "bars, Z = 1": lambda: plots.kl_per_dimension(npvae.evaluate(one, x, rng=rng)),
    }


@pytest.mark.parametrize("name", figures())
def test_nothing_is_cut_off_and_no_text_covers_another(name):
    figure = figures()[name]()
    figure.draw_without_rendering()
    drawn, paper = figure.get_tightbbox(), figure.bbox_inches
    slack = 1 / figure.dpi
    assert drawn.x0 >= -slack
    assert drawn.y0 >= -slack
    assert drawn.x1 <= paper.x1 + slack
    assert drawn.y1 <= paper.y1 + slack
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            seen = [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            boxes = [label.get_window_extent() for label in seen if label.get_visible()]
            for i, box in enumerate(boxes):
                assert not any(box.overlaps(other) for other in boxes[:i])
        for legend in figure.legends:
            assert not legend.get_window_extent().overlaps(axes.get_tightbbox())


@pytest.mark.parametrize("name", ["curves", "bars", "scatter", "samples"])
def test_a_notebook_finds_the_picture_of_a_figure(name):
    figure = figures()[name]()
    shown = matplotlib.image.imread(io.BytesIO(figure._repr_png_()))
    np.testing.assert_array_equal(shown[..., :3], pixels(figure, figure.dpi, slice(3)))


def test_figures_need_no_screen_no_pyplot_and_leave_matplotlibs_settings_alone():
    code = """
import io, sys
import numpy as np
import matplotlib
before = dict(matplotlib.rcParams)
import npvae
from npvae import plots
rng = np.random.default_rng(0)
vae = npvae.VAE.init(6, hidden=(), latent_dim=2, likelihood=npvae.Bernoulli(), rng=rng)
x = rng.random((9, 6))
for figure in (
    plots.manifold(vae, (2, 3)),
    plots.latent_scatter(vae, x, range(9)),
    plots.kl_per_dimension(npvae.evaluate(vae, x, rng=rng)),
):
    for format, start in {"png": b"\\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}.items():
        file = io.BytesIO()
        figure.savefig(file, format=format)
        assert file.getvalue().startswith(start)
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams) == before
"""
    environment = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment | {"MPLBACKEND": "TkAgg", "NPVAE_KERNELS": "reference"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


# Bad input


def rng():
    return np.random.default_rng(0)


def square(D):
    return npvae.VAE.init(D, hidden=(), latent_dim=2, likelihood=npvae.Bernoulli(), rng=rng())


ONE, TWO, X = transparent(1), transparent(2), data(5)
NAN = np.full((5, D), np.nan)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plots.training_curves([]), ValueError, "epochs is empty"),
        (lambda: plots.training_curves([{"elbo": 1}]), TypeError, "epochs holds a dict"),
        (lambda: plots.training_curves(record(1)), TypeError, "epochs holds a int"),
        (
            lambda: plots.reconstructions(TWO, X),
            ValueError,
            r"shape is \(28, 28\), the default; the model has D = 6: pass shape=\(rows, columns\)",
        ),
        (lambda: plots.prior_samples(square(64), rng=rng()), ValueError, r"pass shape=\(8, 8\)$"),
        (lambda: plots.prior_samples(square(75), rng=rng()), ValueError, r"shape=\(5, 5, 3\)$"),
        (lambda: plots.reconstructions(TWO, X, (3, 3)), ValueError, r"^shape is \(3, 3\); expec"),
        (lambda: plots.reconstructions(TWO, X, 6), ValueError, r"\(rows, columns\)"),
        (lambda: plots.reconstructions(TWO, X, (1, 3, 2)), ValueError, r"\(rows, columns, 3\)"),
        (lambda: plots.reconstructions(TWO, X, (2.0, 3)), TypeError, "rows of shape is 2.0"),
        (lambda: plots.reconstructions(TWO, X, (-2, -3)), ValueError, "rows of shape is -2"),
        (lambda: plots.reconstructions(TWO, X[:, :5], SHAPE), ValueError, r"x has shape \(5, 5\)"),
        (lambda: plots.reconstructions(TWO, X[:0], SHAPE), ValueError, "x has no rows"),
        (lambda: plots.reconstructions(TWO, NAN, SHAPE), ValueError, r"x\[0, 0\] is nan"),
        (lambda: plots.prior_samples(TWO, 0, SHAPE, rng=rng()), ValueError, "n is 0"),
        (lambda: plots.prior_samples(TWO, 2.5, SHAPE, rng=rng()), TypeError, "n is 2.5"),
        (lambda: plots.prior_samples(TWO, 4, SHAPE), TypeError, "rng"),
        (lambda: plots.prior_samples(TWO, 4, SHAPE, rng=0), TypeError, "rng is 0"),
        (lambda: plots.prior_samples(TWO, 4, rng=rng()), ValueError, "D = 6"),
        (lambda: plots.manifold(ONE, SHAPE), ValueError, "Z = 1; a manifold needs Z = 2"),
        (lambda: plots.manifold(mixed(), SHAPE), ValueError, "Z = 4; a manifold needs Z = 2"),
        (lambda: plots.manifold(TWO, SHAPE, n=0), ValueError, "n is 0"),
        (lambda: plots.manifold(TWO), ValueError, "D = 6"),
        (lambda: plots.traversals(TWO, X), ValueError, "D = 6"),
        (lambda: plots.traversals(TWO, X[:1], SHAPE), ValueError, "N >= 2"),
        (lambda: plots.traversals(TWO, X, SHAPE, steps=0), ValueError, "steps is 0"),
        (lambda: plots.traversals(TWO, X, SHAPE, around=X[0, :3]), ValueError, "around has shape"),
        (lambda: plots.latent_scatter(ONE, X, range(5)), ValueError, "Z = 1"),
        (lambda: plots.latent_scatter(TWO, X, range(4)), ValueError, r"shape \(4,\).*N = 5"),
        (lambda: plots.latent_scatter(TWO, X, np.eye(5)), ValueError, r"shape \(5, 5\).*N = 5"),
        (lambda: plots.latent_scatter(TWO, X, [None] * 5), TypeError, "labels holds object"),
        (lambda: plots.latent_scatter(TWO, X, [np.nan] * 5), ValueError, "labels holds NaN"),
        (
            lambda: plots.latent_scatter(TWO, data(11), list("abcdefghijk")),
            ValueError,
            "more than 10",
        ),
        (lambda: plots.kl_per_dimension(record(1)), TypeError, "evaluation is a Epoch"),
    ],
)
def test_bad_input_meets_a_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()
