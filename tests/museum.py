"""Classic mistakes as data: the line as it is, as it could be written, and the test that tells.

derivations/16-museum.md shows what each one looks like.
"""

import shutil
from typing import NamedTuple

from equations import ROOT

COPIED = "npvae", "tests", "derivations", "pyproject.toml"


class Mistake(NamedTuple):
    """One exhibit; the test that kills it exists for a reason of its own."""

    name: str
    edits: tuple[tuple[str, str, str], ...]  # (file, right, wrong), each right standing once
    killed_by: str  # a test's node id
    seen_in: tuple[str, ...] = ()  # projects; the chapter links the very place


BERNOULLI = "npvae/likelihoods/bernoulli.py"
STEP, LOOP, RUN = (f"npvae/training/{name}.py" for name in ("step", "loop", "run"))
GAUSSIAN = "npvae/likelihoods/gaussian.py"
OBJECTIVES = "npvae/objectives.py"
SCORES, DIRECTIONS = "npvae/uses/scores.py", "npvae/uses/directions.py"
LOG_PROB = "return kernels.bernoulli_log_prob(x, logits)"
LOG_PROB_BACKWARD = "return kernels.bernoulli_log_prob_backward(dlog_px_z, x, logits)"
KL = "return (mu * mu + (np.expm1(logvar) - logvar)) / 2"
KL_BACKWARD = "return dkl * mu, dkl * np.expm1(logvar) / 2"
CLOSED_FORM = "return trace.log_px_z.sum(axis=0) / len(noise) - self.beta * trace.kl"
ROADS = "[dmu + roads.dmu, dlogvar + roads.dlogvar]"
STARTS = "for start in range(0, n, batch_size):"

LIKELIHOODS = "npvae/likelihoods"
FEW_LABELS = "npvae/relatives/semi_supervised/bounds.py"

MUSEUM = (
    # What is raised
    Mistake(
        "reconstruction averaged over pixels",
        (
            (BERNOULLI, LOG_PROB, f"{LOG_PROB} / x.shape[-1]"),
            (BERNOULLI, LOG_PROB_BACKWARD, f"{LOG_PROB_BACKWARD} / x.shape[-1]"),
        ),
        "tests/test_likelihoods.py::test_the_probabilities_of_every_image_sum_to_one",
        ("keras-team/keras", "AppliedDataSciencePartners/WorldModels"),
    ),
    Mistake(
        "KL averaged over dimensions",
        (
            (
                "npvae/kl.py",
                "gaussian_kl_per_dim(mu, logvar).sum(axis=-1)",
                "gaussian_kl_per_dim(mu, logvar).mean(axis=-1)",
            ),
            ("npvae/kl.py", "dkl = dkl[:, None]", "dkl = dkl[:, None] / mu.shape[-1]"),
        ),
        "tests/test_kl.py::test_kl_is_the_divergence_of_multivariate_normals",
        ("maxhodak/keras-molecules",),
    ),
    Mistake(
        "sign of the KL",
        (
            ("npvae/kl.py", KL, "return -(mu * mu + (np.expm1(logvar) - logvar)) / 2"),
            ("npvae/kl.py", KL_BACKWARD, "return -dkl * mu, -dkl * np.expm1(logvar) / 2"),
        ),
        "tests/test_kl.py::test_kl_is_zero_at_the_prior_and_nowhere_else",
    ),
    Mistake(
        "½ of the KL lost",
        (
            ("npvae/kl.py", KL, "return mu * mu + (np.expm1(logvar) - logvar)"),
            ("npvae/kl.py", KL_BACKWARD, "return 2 * dkl * mu, dkl * np.expm1(logvar)"),
        ),
        "tests/test_kl.py::test_kl_of_one_dimension_is_the_integral_of_q_log_q_over_p",
    ),
    Mistake(
        "½ of the Gaussian lost",
        (
            (
                GAUSSIAN,
                "error = (x - mean) / self.sigma\n",
                "error = (x - mean) * 2**0.5 / self.sigma\n",
            ),
            (GAUSSIAN, "((x - mean) / self.sigma**2)", "(2 * (x - mean) / self.sigma**2)"),
        ),
        "tests/test_likelihoods.py::"
        "test_gaussian_densities_integrate_to_one_and_have_the_mean_they_say",
        ("clementchadebec/benchmark_VAE",),
    ),
    Mistake(
        "data outside [0, 1] accepted",
        (
            (
                "npvae/likelihoods/_support.py",
                "if not (x.min() >= 0 and x.max() <= 1):",
                "if not np.isfinite(x).all():",
            ),
        ),
        "tests/test_vae.py::test_bad_data_is_refused",
        (
            "Lightning-Universe/lightning-bolts",
            "mlpack/mlpack",
        ),
    ),
    Mistake(
        "log of a clipped sigmoid",
        (
            (
                BERNOULLI,
                LOG_PROB,
                "m = np.clip(kernels.sigmoid(logits), 1e-7, 1 - 1e-7)\n"
                "        return np.sum(x * np.log(m) + (1 - x) * np.log(1 - m), axis=-1)",
            ),
            (BERNOULLI, LOG_PROB_BACKWARD, f"{LOG_PROB_BACKWARD} * (np.abs(logits) < 16.1)"),
        ),
        "tests/test_likelihoods.py::test_a_wrong_pixel_keeps_its_gradient_and_a_right_one_has_none",
        ("ddbourgin/numpy-ml",),
    ),
    # How it is differentiated
    Mistake(
        "σ = exp(logvar)",
        (
            ("npvae/reparameterization.py", "mu + np.exp(logvar / 2)", "mu + np.exp(logvar)"),
            ("npvae/reparameterization.py", "np.exp(logvar / 2) / 2", "np.exp(logvar)"),
        ),
        "tests/test_reparameterization.py::test_draws_have_mean_mu_and_variance_e_to_the_logvar",
        (
            "keras-team/keras",
            "ddbourgin/numpy-ml",
            "oreilly-japan/deep-learning-from-scratch-3",
        ),
    ),
    Mistake(
        "noise drawn anew in the backward pass",
        (
            (
                "npvae/elbo.py",
                "reparameterize_backward(dz, trace.logvar, noise)",
                "reparameterize_backward(dz, trace.logvar, "
                "np.random.default_rng().standard_normal(noise.shape, noise.dtype))",
            ),
        ),
        "tests/test_objectives.py::test_gradient_of_the_closed_form",
        ("kwj2104/Simple-Variational-Autoencoder",),
    ),
    Mistake(
        "the KL's road to mu left out",
        (("npvae/elbo.py", ROADS, "[dmu, dlogvar + roads.dlogvar]"),),
        "tests/test_objectives.py::test_gradient_of_the_closed_form",
    ),
    Mistake(
        "the KL's road to logvar left out",
        (("npvae/elbo.py", ROADS, "[dmu + roads.dmu, dlogvar]"),),
        "tests/test_objectives.py::test_gradient_of_the_closed_form",
    ),
    Mistake(
        "β in the forward pass only",
        (
            (
                OBJECTIVES,
                "gaussian_kl_backward(-self.beta * dbound,",
                "gaussian_kl_backward(-dbound,",
            ),
        ),
        "tests/test_elbo.py::test_beta_weighs_the_kl_road_and_no_other",
    ),
    Mistake(
        "sign of x − σ(a)",
        (("npvae/kernels/reference.py", "(x - sigmoid(logits))", "(sigmoid(logits) - x)"),),
        "tests/test_likelihoods.py::test_bernoulli_gradient",
    ),
    Mistake(
        "both heads seeded alike",
        (
            (
                "npvae/vae.py",
                "encoder[-1].W[:, latent_dim:] *= LOGVAR_HEAD_SCALE",
                "encoder[-1].W[:, latent_dim:] = encoder[-1].W[:, :latent_dim]",
            ),
        ),
        "tests/test_vae.py::test_no_two_weight_arrays_start_alike",
        ("yburda/iwae",),
    ),
    # Several draws
    Mistake(
        "log of the mean for the mean of the logs",
        (
            (
                OBJECTIVES,
                CLOSED_FORM,
                "return np.logaddexp.reduce(trace.log_px_z) - np.log(len(noise)) "
                "- self.beta * trace.kl",
            ),
        ),
        "tests/test_elbo.py::test_bound_is_its_definition_in_plain_loops",
    ),
    Mistake(
        "mean of the logs for the log of the mean",
        (
            (
                OBJECTIVES,
                "return largest + np.log(np.exp(log_w - largest).sum(axis=0) / len(log_w))",
                "return log_w.mean(axis=0)",
            ),
        ),
        "tests/test_objectives.py::test_gradient_of_the_importance_weighted_bound",
    ),
    Mistake(
        "importance weights left equal",
        ((OBJECTIVES, "share = w / w.sum(axis=0)", "share = np.full_like(w, 1 / len(w))"),),
        "tests/test_objectives.py::test_gradient_of_the_importance_weighted_bound",
    ),
    Mistake(
        "closed-form KL inside the weights",
        (
            (
                "npvae/importance.py",
                "from .ratio import log_ratio\n",
                "from .kl import gaussian_kl\n",
            ),
            (
                "npvae/importance.py",
                "return output, log_px_z - log_ratio(z, logvar, noise)",
                "return output, log_px_z - gaussian_kl(mu, logvar)",
            ),
        ),
        "tests/test_importance.py::test_it_is_the_evidence_within_its_standard_error",
        ("clementchadebec/benchmark_VAE", "scverse/scvi-tools"),
    ),
    # The loop
    Mistake(
        "loss summed over the batch",
        ((STEP, "np.full(len(x), -counts / size, vae.dtype)", "np.full(len(x), -1, vae.dtype)"),),
        "tests/test_training.py::test_a_step_descends_minus_the_mean_bound",
        (
            "SeldonIO/alibi-detect",
            "jaanaltosaar/variational-autoencoder",
        ),
    ),
    Mistake(
        "batches shuffled, not rows",
        (
            (LOOP, "order = rng.permutation(n)", "order = np.arange(n)"),
            (LOOP, STARTS, "for start in rng.permutation(np.arange(0, n, batch_size)):"),
        ),
        "tests/test_training.py::test_rows_are_shuffled_not_batches",
        ("joelgrus/joelnet", "y0ast/Variational-Autoencoder"),
    ),
    Mistake(
        "last partial batch dropped",
        ((LOOP, STARTS, "for start in range(0, n - batch_size + 1, batch_size):"),),
        "tests/test_training.py::test_every_row_gets_as_many_draws_as_asked",
        ("kwj2104/Simple-Variational-Autoencoder",),
    ),
    Mistake(
        "Adam's correction counted in epochs",
        (("npvae/optimizers.py", "self.steps += 1", "self.steps = 1"),),
        "tests/test_optimizers.py::"
        "test_adam_takes_a_steady_gradient_in_equal_steps_from_the_first_on",
        ("y0ast/Variational-Autoencoder",),
    ),
    Mistake(
        "training goes on past inf",
        ((STEP, "if not np.isfinite(a).all():", "if False:"),),
        "tests/test_training.py::test_a_loss_that_overflows_stops_before_it_is_learned_from",
        ("AppliedDataSciencePartners/WorldModels", "vanderschaarlab/synthcity"),
    ),
    # What is shown, and what is kept
    Mistake(
        "z = mu in the evaluation",
        (
            (
                "npvae/evaluation.py",
                "rng.standard_normal((samples, len(batch), vae.latent_dim), vae.dtype)",
                "np.zeros((samples, len(batch), vae.latent_dim), vae.dtype)",
            ),
        ),
        "tests/test_evaluation.py::test_the_bound_at_z_equal_mu_is_another_number",
        ("pytorch/examples",),
    ),
    Mistake(
        "evaluation drawing from the training stream",
        (
            (
                RUN,
                "evaluate(run.vae, x_val, rng=progress.streams.evaluation)",
                "evaluate(run.vae, x_val, rng=progress.streams.noise)",
            ),
        ),
        "tests/test_training.py::test_watching_changes_nothing",
        ("HIPS/autograd",),
    ),
    Mistake(
        "logits shown as pixels",
        ((BERNOULLI, "return kernels.sigmoid(logits)", "return logits"),),
        "tests/test_likelihoods.py::test_bernoulli_mean_is_the_mean_over_every_image",
        ("google/flax", "jax-ml/jax"),
    ),
    Mistake(
        "a run that goes on without the optimizer's memory",
        (
            (
                "npvae/training/checkpoint.py",
                """    optimizer.recall(vae.params.rows, _under("optimizer/", arrays))\n""",
                "",
            ),
        ),
        "tests/test_checkpoint.py::test_what_was_cut_may_be_cut_again",
        (),
    ),
    Mistake(
        "the best weights kept without a copy",
        (
            (
                "npvae/params.py",
                "row.astype(dtype)",
                "row.astype(dtype, copy=False)",
            ),
        ),
        "tests/test_vae.py::test_astype_copies",
    ),
    # Autoencoders
    Mistake(
        "the denoiser asked for the noisy image",
        (
            (
                "npvae/relatives/autoencoder.py",
                "model.likelihood.log_prob(x, decoder_output",
                "model.likelihood.log_prob(seen, decoder_output",
            ),
            (
                "npvae/relatives/autoencoder.py",
                "inputs = dlog_px_z, x, trace.decoder_output",
                "inputs = dlog_px_z, seen, trace.decoder_output",
            ),
        ),
        "tests/test_autoencoder.py::test_a_denoiser_knows_the_slope_of_the_density",
    ),
    Mistake(
        "squared error averaged over pixels",
        (
            (
                "npvae/relatives/autoencoder_training.py",
                'return np.einsum("bd,bd->b", error, error)',
                "return np.mean(error * error, axis=1)",
            ),
        ),
        "tests/test_autoencoder.py::"
        "test_a_reconstruction_is_judged_by_sums_over_entries_and_means_over_rows",
    ),
    Mistake(
        "test images centred by their own mean",
        (
            (
                "npvae/relatives/pca.py",
                "return (rows - self.mean) @ self.axes.T",
                "return (rows - rows.mean(axis=0)) @ self.axes.T",
            ),
        ),
        "tests/test_pca.py::test_the_mean_is_that_of_the_rows_it_was_fitted_to",
    ),
    # Mixtures
    Mistake(
        "the log of a sum that underflows",
        (
            (
                "npvae/relatives/mixtures/posterior.py",
                "largest = log_joint.max(axis=1, keepdims=True)",
                "largest = np.zeros((len(log_joint), 1), log_joint.dtype)",
            ),
        ),
        "tests/test_mixtures.py::test_the_posterior_neither_overflows_nor_underflows",
    ),
    Mistake(
        "weights left out of the posterior",
        (
            (
                "npvae/relatives/mixtures/mixture.py",
                "(b + self.log_weights).astype(dtype)",
                "b.astype(dtype)",
            ),
        ),
        "tests/test_mixtures.py::test_probabilities_of_every_image_sum_to_one",
    ),
    Mistake(
        "a number added to every variance",
        (
            (
                "npvae/relatives/mixtures/gaussians.py",
                "np.maximum(squares - np.square(mean), self.min_sigma**2)",
                "squares - np.square(mean) + self.min_sigma**2",
            ),
        ),
        "tests/test_mixtures.py::test_one_gaussian_has_the_moments_of_the_data_and_a_floor",
    ),
    Mistake(
        "α scaled, β not",
        (("npvae/relatives/chains.py", "emission[t] /= c", "pass"),),
        "tests/test_hmm.py::test_all_answers_are_those_of_every_path",
    ),
    # Chains
    Mistake(
        "acceptance by the potential alone",
        (
            (
                "npvae/posterior/hmc.py",
                "energy, energy_there = kinetic(momentum) - state[1], "
                "kinetic(momentum_there) - there[1]",
                "energy, energy_there = -state[1], -there[1]",
            ),
        ),
        "tests/test_hmc.py::test_one_step_leaves_the_density_as_it_is",
    ),
    Mistake(
        "every proposal accepted",
        (("npvae/posterior/hmc.py", "accept = uniform < probability", "accept = uniform < 1"),),
        "tests/test_hmc.py::test_one_step_leaves_the_density_as_it_is",
    ),
    Mistake(
        "the step adapted while sampling",
        (
            (
                "npvae/posterior/hmc.py",
                "if n <= 0:\n"
                "            log_step = adapt_step(log_step, probability, acceptance, "
                "(n + warm_up) ** -DECAY)\n"
                "        else:",
                "log_step = adapt_step(log_step, probability, acceptance, 0.5)\n        if n > 0:",
            ),
        ),
        "tests/test_hmc.py::test_the_step_is_fixed_after_the_warm_up",
    ),
    Mistake(
        "annealing that starts at the posterior",
        (
            (
                "npvae/posterior/bracket.py",
                "if start is None:\n                z = rng.standard_normal(shape, vae.dtype)\n",
                "if start is None:\n"
                "                mu, logvar = vae.encode(batch)\n"
                "                z = mu + np.exp(logvar / 2) * "
                "rng.standard_normal(shape, vae.dtype)\n",
            ),
        ),
        "tests/test_annealing.py::test_a_linear_models_log_likelihood_lies_between",
    ),
    # Two networks
    Mistake(
        "a generator that learns through a detached sample",
        (("npvae/relatives/gan/network.py", "return dh", "return 0 * dh"),),
        "tests/test_gan.py::test_the_generators_gradient_goes_through_the_discriminator",
        ("nikhilsinghmus/image2reverb",),
    ),
    Mistake(
        "the generator's step left in the discriminator's gradient",
        (
            (
                "npvae/relatives/gan/steps.py",
                "dlogits = np.concatenate(discriminator_loss_backward(dloss, real_logits, "
                "fake_logits))",
                "dreal, dfake = discriminator_loss_backward(dloss, real_logits, fake_logits)\n"
                "    left, _ = discriminator_loss_backward(dloss, fake_logits, real_logits)\n"
                "    dlogits = np.concatenate([dreal, dfake + left])",
            ),
        ),
        "tests/test_gan.py::test_the_discriminators_gradient_is_that_of_its_loss_alone",
        ("Lightning-AI/pytorch-lightning",),
    ),
    Mistake(
        "both networks seeded alike",
        (
            (
                "npvae/relatives/gan/model.py",
                "generator_rng, discriminator_rng = rng.spawn(2)",
                "generator_rng, discriminator_rng = np.random.default_rng(0), "
                "np.random.default_rng(0)",
            ),
        ),
        "tests/test_gan.py::test_no_two_weight_arrays_of_the_two_networks_start_alike",
    ),
    # Restoring
    Mistake(
        "a mask applied to the mean and not to the likelihood",
        (
            (
                "npvae/posterior/observed.py",
                "return terms.sum(axis=-1, where=self.observation.mask)",
                "return terms.sum(axis=-1)",
            ),
        ),
        "tests/test_observations.py::test_it_is_the_sum_over_all_that_could_be_hidden",
    ),
    Mistake(
        "zeros fed to the encoder",
        (
            (
                "npvae/posterior/restoring.py",
                "density = posterior_density(seen, some)",
                "mu, logvar = vae.encode(observation.apply(some))\n"
                "            log_q = lambda z: "
                "-np.sum((z - mu) ** 2 / np.exp(logvar), axis=-1) / 2\n"
                "            density = lambda z: (log_q(z), (mu - z) / np.exp(logvar))",
            ),
        ),
        "tests/test_restoring.py::test_a_linear_models_answer_is_wieners",
    ),
    # Conditions
    Mistake(
        "the condition forgotten at z",
        (
            (
                "npvae/relatives/conditional/bound.py",
                "decoder_input = beside(reparameterize(m, log_s2, z), condition)",
                "decoder_input = beside(reparameterize(m, log_s2, z), 0 * condition)",
            ),
        ),
        "tests/test_conditional.py::test_the_bound_is_its_definition_in_plain_loops",
    ),
    Mistake(
        "the conditional prior's KL taken against N(0, I)",
        (
            (
                "npvae/relatives/conditional/bound.py",
                "kl = gaussian_kl(mu, logvar)",
                "kl = gaussian_kl(heads[:, :Z], heads[:, Z:])",
            ),
        ),
        "tests/test_conditional.py::test_the_bound_is_its_definition_in_plain_loops",
    ),
    # Few labels
    Mistake(
        "the entropy of q(y|x) forgotten",
        (
            (
                FEW_LABELS,
                "return np.where(log_q > -np.inf, with_class.T - log_q, 0)",
                "return with_class.T",
            ),
        ),
        "tests/test_semi_supervised.py::test_what_the_bound_loses_is_the_divergence_from_bayes_rule",
    ),
    Mistake(
        "α multiplied by the batch",
        (
            (
                FEW_LABELS,
                "values = passed.with_label, passed.unlabelled, passed.log_q_y",
                "values = passed.with_label, passed.unlabelled, "
                "len(passed.log_q_y) * passed.log_q_y",
            ),
            (
                FEW_LABELS,
                "np.full_like(passed.log_q_y, -weights.alpha / len(passed.log_q_y))",
                "np.full_like(passed.log_q_y, -weights.alpha)",
            ),
        ),
        "tests/test_semi_supervised.py::test_the_loss_of_a_batch_taken_twice_is_that_of_the_batch",
    ),
    # Tables
    Mistake(
        "units left out",
        (
            (
                f"{LIKELIHOODS}/standardized.py",
                "return self.likelihood.log_prob(self.standardize(x), output, **learned) "
                "- log_scale",
                "return self.likelihood.log_prob(self.standardize(x), output, **learned)",
            ),
        ),
        "tests/test_tables.py::test_a_standardised_density_integrates_to_one",
    ),
    Mistake(
        "a hole scored as a zero",
        (
            (
                f"{LIKELIHOODS}/holes.py",
                "return self.likelihood.terms(filled, output, **learned).sum(axis=-1, where=seen)",
                "return self.likelihood.terms(filled, output, **learned).sum(axis=-1)",
            ),
            (
                f"{LIKELIHOODS}/holes.py",
                "return self.likelihood.terms_backward(dterms * seen, filled, output, **learned)",
                "return self.likelihood.terms_backward(dterms, filled, output, **learned)",
            ),
            (
                f"{LIKELIHOODS}/holes.py",
                "terms_backward_learned(dterms * seen, filled, output, **learned)",
                "terms_backward_learned(dterms, filled, output, **learned)",
            ),
        ),
        "tests/test_tables.py::test_what_is_hidden_is_integrated_out",
    ),
    Mistake(
        "the shares of a count exchanged",
        (
            (
                f"{LIKELIHOODS}/counts.py",
                "np.logaddexp(0, -odds), np.logaddexp(0, odds)",
                "np.logaddexp(0, odds), np.logaddexp(0, -odds)",
            ),
            (
                f"{LIKELIHOODS}/counts.py",
                "(x * of_r - np.exp(log_r) * of_m)",
                "(np.exp(log_r) * of_r - x * of_m)",
            ),
        ),
        "tests/test_tables.py::test_negative_binomial_is_scipys",
    ),
    Mistake(
        "holes filled without weights",
        (
            (
                "npvae/posterior/imputing.py",
                "w = np.exp(log_w - log_w.max(axis=0), dtype=np.float64)",
                "w = np.ones(log_w.shape)",
            ),
        ),
        "tests/test_tables.py::test_imputing_in_a_linear_model_is_regression",
    ),
    # Uses
    Mistake(
        "a score with its sign flipped",
        ((SCORES, "Scores(-bound, -log_px,", "Scores(bound, log_px,"),),
        "tests/test_scores.py::test_a_larger_score_is_an_odder_row",
    ),
    Mistake(
        "each row scaled by its own largest entry",
        (
            (
                SCORES,
                "mu, _ = vae.encode(batch)",
                "batch = batch / batch.max(axis=1, keepdims=True)\n"
                "        mu, _ = vae.encode(batch)",
            ),
        ),
        "tests/test_scores.py::test_a_rows_score_is_its_own_and_rows_are_taken_as_they_are",
    ),
    Mistake(
        "a direction that is not calibrated",
        ((DIRECTIONS, "np.linalg.solve(A @ W, A)", "A"),),
        "tests/test_directions.py::test_what_is_asked_is_read",
    ),
    Mistake(
        "differences of means where properties go together",
        (
            (
                DIRECTIONS,
                "return np.linalg.lstsq(properties, codes, rcond=None)[0]",
                "return properties.T @ codes / np.sum(properties**2, axis=0)[:, None]",
            ),
        ),
        "tests/test_directions.py::test_a_mean_shift_of_both_is_right_however_the_rows_were_chosen",
    ),
)


def copy_tree(destination):
    """What the mutated library and its tests need, without pictures."""
    ignore = shutil.ignore_patterns("__pycache__", "*.png", ".*")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, destination / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, destination / name)


def make(mistake, root):
    """Put the mistake into the tree at root."""
    for path, right, wrong in mistake.edits:
        source = (root / path).read_text(encoding="utf-8")
        assert source.count(right) == 1, f"{right!r} stands {source.count(right)} times in {path}"
        (root / path).write_text(source.replace(right, wrong), encoding="utf-8")
