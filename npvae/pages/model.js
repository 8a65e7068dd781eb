// The model: encoder, decoder and bound, an equation a function, in 64 bits. What stands in
// brackets is the equation's tag in npvae's chapters. A vector is a Float64Array, and a row is
// one: x (D,), z and noise (Z,). All that is random comes from `random(seed)`.
"use strict";

// ---- Arrays from text ----

const bytes = (data) => Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));

// The number whose sixteen bits are h: a sign, five bits of exponent, ten of fraction.
function half(h) {
  const exponent = (h >> 10) & 31;
  const fraction = (h & 1023) / 1024;
  const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return h & 0x8000 ? -size : size;
}

function array({ dtype, data }) {
  const { buffer } = bytes(data);
  if (dtype === "float16") return Float32Array.from(new Uint16Array(buffer), half);
  const kinds = { int8: Int8Array, uint8: Uint8Array, float32: Float32Array };
  return new kinds[dtype](buffer);
}

// W_ij = q_ij scale_j, in float32; without a scale, W = q.
function weights(q, scale) {
  if (!scale) return Float32Array.from(q);
  return Float32Array.from(q, (entry, i) => entry * scale[i % scale.length]);
}

// ---- The network ----

const sigmoid = (a) => 1 / (1 + Math.exp(-a)); //                                 [activations.5]
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))); //  [activations.11]

const ACTIVATIONS = {
  identity: (a) => a, //                                                         [activations.1]
  tanh: Math.tanh, //                                                            [activations.3]
  sigmoid,
  relu: (a) => Math.max(a, 0), //                                                [activations.7]
  leaky_relu: (a) => (a > 0 ? a : 0.01 * a), //                                  [activations.9]
  softplus,
};

// y = x W + b.                                                                       [dense.1]
function dense(x, { W, b }) {
  const y = Float64Array.from(b);
  const width = y.length;
  for (let i = 0; i < x.length; i++) {
    const x_i = x[i];
    if (x_i === 0) continue; // a black pixel, or a unit at rest
    for (let j = 0, k = i * width; j < width; j++, k++) y[j] += x_i * W[k];
  }
  return y;
}

// h = activation(h W + b), layer by layer, and the last one linear.                  [dense.4]
function stack(x, layers, activation) {
  let h = x;
  for (const layer of layers.slice(0, -1)) h = dense(h, layer).map(activation);
  return dense(h, layers[layers.length - 1]);
}

// ---- The bound's pieces ----

// z = mu + σ noise,  σ = e^(logvar/2).                                  [reparameterization.1]
const reparameterize = ({ mu, logvar }, noise) =>
  mu.map((mu_j, j) => mu_j + Math.exp(logvar[j] / 2) * noise[j]);

// KL(N(μ, σ²) ‖ N(0, 1)) = ½ (μ² + σ² − 1 − log σ²), unit by unit, in nats.             [kl.1]
const klPerDim = ({ mu, logvar }) =>
  mu.map((mu_j, j) => (mu_j * mu_j + (Math.expm1(logvar[j]) - logvar[j])) / 2);

// log q(z|x) − log p(z) = ½ Σ_j (z_j² − noise_j² − logvar_j).                        [ratio.1]
function logRatio(z, logvar, noise) {
  return sum(z.map((z_j, j) => z_j * z_j - noise[j] * noise[j] - logvar[j])) / 2;
}

function sum(values) {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

// ---- Likelihoods: the decoder's output, read as a distribution over x ----
// Each has logProb(x, output), mean(output) and draw(output, generator).

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

// ---- log p(x) by importance draws ----

// No draws yet.                                                                 [importance.2]
const noWeights = () => ({ draws: 0, largest: -Infinity, w: 0, w2: 0 });

// Σ ← Σ e^(largest − new) + e^(log_w − new), new the largest so far.            [importance.2]
function addWeight({ draws, largest, w, w2 }, logWeight) {
  const top = Math.max(largest, logWeight);
  const shrink = largest === -Infinity ? 0 : Math.exp(largest - top);
  const weight = Math.exp(logWeight - top);
  return {
    draws: draws + 1,
    largest: top,
    w: shrink * w + weight,
    w2: shrink ** 2 * w2 + weight ** 2,
  };
}

// log p(x) ≈ largest + log(Σw/K),  effective = (Σw)²/Σw²,                       [importance.3]
// error² = (K/effective − 1)/(K − 1).                                           [importance.4]
function estimate({ draws, largest, w, w2 }) {
  const effective = w ** 2 / w2;
  const error = Math.sqrt(Math.max(draws / effective - 1, 0) / (draws - 1));
  return { logPx: largest + Math.log(w / draws), effective, error };
}

// ---- Chance: xoshiro128** of Blackman & Vigna 2018, its state filled by splitmix32 ----

// The next 32 bits of the state s, which changes.
function xoshiro128(s) {
  const rotate = (bits, k) => (bits << k) | (bits >>> (32 - k));
  const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9);
  const t = s[1] << 9;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 11);
  return result >>> 0;
}

// Four words from a seed: 32-bit mixes of an evenly growing counter.
function fill(seed) {
  return Uint32Array.from({ length: 4 }, (_, i) => {
    let word = (seed + Math.imul(i + 1, 0x9e3779b9)) | 0;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  });
}

// uniform() in (0, 1), normal() from N(0, 1), noise(n) a vector of normals.
function random(seed) {
  const state = fill(seed);
  const uniform = () => (xoshiro128(state) + 0.5) / 2 ** 32;
  // Box & Muller 1958: of the two normals that two uniforms make, the one.
  const normal = () =>
    Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal, noise: (n) => Float64Array.from({ length: n }, normal) };
}

// ---- The model ----

function makeModel(content) {
  const layer = ({ W, b, scale }) => ({
    W: weights(array(W), scale && array(scale)),
    b: array(b),
  });
  const encoder = content.encoder.map(layer);
  const decoder = content.decoder.map(layer);
  const activation = ACTIVATIONS[content.activation];
  const likelihood = LIKELIHOODS[content.likelihood](content.options, content.learned);
  const D = encoder[0].W.length / encoder[0].b.length;
  const Z = encoder[encoder.length - 1].b.length / 2;

  // q(z|x) = N(mu, diag(e^logvar)).
  function encode(x) {
    const heads = stack(x, encoder, activation);
    return { mu: heads.slice(0, Z), logvar: heads.slice(Z) };
  }

  const output = (z) => stack(z, decoder, activation);
  const decode = (z) => likelihood.mean(output(z)); // E[x|z]
  const draw = (z, generator) => likelihood.draw(output(z), generator);
  const logPxz = (x, z) => likelihood.logProb(x, output(z)); // log p(x|z)

  // bound = (1/L) Σ_l log p(x|z_l) − KL(q(z|x) ‖ p(z)), noise L vectors.            [elbo.1]
  function bound(x, noise, q = encode(x)) {
    const reconstruction =
      sum(noise.map((draw) => logPxz(x, reparameterize(q, draw)))) / noise.length;
    const kl = sum(klPerDim(q)); //                                                   [kl.3]
    return { reconstruction, kl, bound: reconstruction - kl };
  }

  // log w = log p(x|z) + log p(z) − log q(z|x).                               [objectives.10]
  function logWeight(x, noise, q = encode(x)) {
    const z = reparameterize(q, noise);
    return logPxz(x, z) - logRatio(z, q.logvar, noise);
  }

  return { D, Z, encode, output, decode, draw, logPxz, bound, logWeight };
}
