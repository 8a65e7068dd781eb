// The model: encoder, decoder and bound, an equation a function, in 64 bits. What stands in
// brackets is the equation's tag in npvae's chapters. A vector is a Float64Array, and a row is
// one: x (D,), z and noise (Z,). All that is random comes from `random(seed)`.
"use strict";

// ---- Arrays from text ----

function bytes(data) {
  const letters = atob(data);
  const numbers = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) numbers[i] = letters.charCodeAt(i);
  return numbers;
}

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
  const W = new Float32Array(q);
  if (scale) for (let i = 0; i < W.length; i++) W[i] *= scale[i % scale.length];
  return W;
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
