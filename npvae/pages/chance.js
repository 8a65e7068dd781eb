// Chance: xoshiro128** of Blackman & Vigna 2018, its state filled by splitmix32. A seed gives the
// same numbers in every browser, but for the last digits of its logarithms and cosines.
"use strict";

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
