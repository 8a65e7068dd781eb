// Likelihoods: the decoder's output, read as a distribution over x. Each has logProb(x, output) in
// nats, mean(output) = E[x|z], and draw(output, generator).
"use strict";

const LOG_2PI = Math.log(2 * Math.PI);

const bernoulli = () => ({
  // log p(x|z) = Σ_d [x_d a_d − softplus(a_d)].                                [likelihoods.1]
  logProb: (x, a) => sum(a.map((a_d, d) => x[d] * a_d - softplus(a_d))),
  mean: (a) => a.map(sigmoid), //                                               [likelihoods.3]
  draw: (a, { uniform }) => a.map((a_d) => (uniform() < sigmoid(a_d) ? 1 : 0)), // [likelihoods.4]
});

// log ∫₀¹ e^−ry dy = log((1 − e^−r)/r).                                       [likelihoods.22]
const logMass = (r) => (r > 0 ? Math.log(-Math.expm1(-r) / r) : 0);

// E[y] = 1/r − 1/(e^r − 1), which is ½ − r/12 where the two nearly cancel.    [likelihoods.23]
const meanDistance = (r) => (r < 1e-4 ? 0.5 - r / 12 : 1 / r - 1 / Math.expm1(r));

const continuousBernoulli = () => ({
  // log p(x|z) = −Σ_d [r_d y_d + log ∫₀¹ e^−r_d y dy],  r = |a|.              [likelihoods.21]
  logProb(x, a) {
    const term = (a_d, d) => Math.abs(a_d) * (a_d < 0 ? x[d] : 1 - x[d]) + logMass(Math.abs(a_d));
    return -sum(a.map(term));
  },
  mean: (a) => a.map((a_d) => fromEnd(a_d, meanDistance(Math.abs(a_d)))), //   [likelihoods.24]
  // y = −log(1 − u (1 − e^−r))/r.                                             [likelihoods.26]
  draw: (a, { uniform }) =>
    a.map((a_d) => {
      const r = Math.max(Math.abs(a_d), 1e-12); // there y = u
      return fromEnd(a_d, Math.min(-Math.log1p(uniform() * Math.expm1(-r)) / r, 1));
    }),
});

// x at the distance y from the end of [0, 1] that a_d leans to.
const fromEnd = (a_d, y) => (a_d < 0 ? y : 1 - y);

function categorical({ levels }) {
  const pixels = (a) => Array.from({ length: a.length / levels }, (_, d) => levelsOf(a, d));
  const levelsOf = (a, d) => a.subarray(d * levels, (d + 1) * levels);
  return {
    // log p(x|z) = Σ_d [a_dk − log Σ_j e^a_dj],  k = (levels − 1) x_d.         [likelihoods.27]
    logProb: (x, a) =>
      sum(pixels(a).map((a_d, d) => a_d[Math.round(x[d] * (levels - 1))] - logSumExp(a_d))),
    // E[x_d|z] = Σ_k p_dk k/(levels − 1).                                      [likelihoods.30]
    mean: (a) =>
      Float64Array.from(pixels(a), (a_d) => sum(softmax(a_d).map((p, k) => p * k)) / (levels - 1)),
    // k = the number of j with p_0 + … + p_j ≤ u.                              [likelihoods.31]
    draw: (a, { uniform }) =>
      Float64Array.from(pixels(a), (a_d) => firstAbove(softmax(a_d), uniform()) / (levels - 1)),
  };
}

function logSumExp(a) {
  const largest = a.reduce((most, value) => Math.max(most, value), -Infinity);
  return largest + Math.log(sum(a.map((value) => Math.exp(value - largest))));
}

// p_k = e^a_k / Σ_j e^a_j.                                                     [likelihoods.28]
function softmax(a) {
  const log = logSumExp(a);
  return a.map((value) => Math.exp(value - log));
}

function firstAbove(p, u) {
  let total = 0;
  for (let k = 0; k < p.length - 1; k++) if ((total += p[k]) > u) return k;
  return p.length - 1;
}

// log N(x; mean, e^logvar), summed over d.                    [likelihoods.8, likelihoods.13]
function gaussianLogProb(x, mean, logvar) {
  let total = 0;
  for (let d = 0; d < x.length; d++) {
    const error = x[d] - mean[d];
    total += error * error * Math.exp(-logvar(d)) + logvar(d) + LOG_2PI;
  }
  return -total / 2;
}

// One width for all d.
const gaussian = (logvar) => ({
  logProb: (x, mean) => gaussianLogProb(x, mean, () => logvar),
  mean: (mean) => mean, //                                                     [likelihoods.10]
  draw: (mean, { normal }) => mean.map((m) => m + Math.exp(logvar / 2) * normal()), // [likelihoods.11]
});

// The decoder emits mean and a, side by side: σ² = min_sigma² + e^a.          [likelihoods.12]
function heteroscedastic({ min_sigma }) {
  const mean = (output) => output.subarray(0, output.length / 2);
  const logvar = (output) => (d) => {
    const a = output[output.length / 2 + d];
    const floor = 2 * Math.log(min_sigma);
    return Math.max(a, floor) + Math.log1p(Math.exp(-Math.abs(a - floor)));
  };
  return {
    logProb: (x, output) => gaussianLogProb(x, mean(output), logvar(output)),
    mean,
    // x = mean + σ noise.                                                     [likelihoods.15]
    draw: (output, { normal }) =>
      mean(output).map((m, d) => m + Math.exp(logvar(output)(d) / 2) * normal()),
  };
}

const LIKELIHOODS = {
  Bernoulli: bernoulli,
  ContinuousBernoulli: continuousBernoulli,
  Categorical: categorical,
  Gaussian: ({ sigma }) => gaussian(2 * Math.log(sigma)),
  LearnedGaussian: (_, { logvar }) => gaussian(logvar[0]), //                  [likelihoods.18]
  HeteroscedasticGaussian: heteroscedastic,
};
