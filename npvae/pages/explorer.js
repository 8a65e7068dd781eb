// The page: what is chosen (`state`, kept in the address), what follows from it (`now`), and the
// elements that show it. What takes long, draws of z and the plane's pictures, is done a few
// milliseconds a frame.
"use strict";

const content = JSON.parse(document.getElementById("content").textContent);
const model = makeModel(content);
const pictures = makePictures(content);
const { D, Z } = model;
const data = readRows(content);
const order = content.kl.map((_, j) => j).sort((i, j) => content.kl[j] - content.kl[i] || i - j);
const element = (id) => document.getElementById(id);

const BUDGET = 9; // ms of work a frame
const REACH = 4; // of a unit's slider
// What each stream of random numbers is for: `random(STREAMS · seed + stream)`.
const STREAMS = 8;
const [WEIGHTS, BINARY, JUMPS, PRIOR] = [0, 1, 2, 3];

const state = {
  row: 0, // of data, or
  drawn: null, // bytes (D,)
  binary: false,
  z: null, // (Z,), or null where it follows mu
  most: 1000, // draws of z for the bound and log p(x)
  seed: 0,
  plane: [order[0], order[1] ?? order[0]],
  morph: [0, Math.min(1, data.length - 1), 0.5],
  samples: 0, // how often they were drawn again
  as: "mean",
};
const now = { jumps: 0 }; // x, q, z, mean, and the draws; jumps is how often z was drawn

function readRows({ x, unit }) {
  const numbers = array(x);
  const width = numbers.length / content.rows.length;
  return content.rows.map((_, n) =>
    Float64Array.from(numbers.subarray(n * width, (n + 1) * width), (value) => value / unit),
  );
}

const generator = (stream, turn = 0) => random(STREAMS * (state.seed + 65537 * turn) + stream);

// ---- From what is chosen to what follows ----

function drawnX(drawn) {
  const { low, high } = content;
  const x = Float64Array.from(drawn, (byte) => low + (byte / 255) * (high - low));
  const top = content.likelihood === "Categorical" ? content.options.levels - 1 : 0;
  return top ? x.map((value) => Math.round(value * top) / top) : x;
}

function chosenX() {
  const x = state.drawn ? drawnX(state.drawn) : data[state.row];
  if (!state.binary) return x;
  const { uniform } = generator(BINARY);
  return x.map((value) => (uniform() < value ? 1 : 0));
}

function newX() {
  now.x = chosenX();
  now.q = model.encode(now.x);
  now.kl = klPerDim(now.q);
  restartDraws();
  newZ();
}

function restartDraws() {
  now.noise = generator(WEIGHTS).noise;
  now.weights = noWeights();
  now.logPxz = { sum: 0, squares: 0, first: 0 };
}

function newZ() {
  now.z = state.z ?? now.q.mu;
  now.mean = model.decode(now.z);
}

// One more draw of z from q(z|x), for the bound and for log p(x).
function drawOnce() {
  const noise = now.noise(Z);
  const z = reparameterize(now.q, noise);
  const logPxz = model.logPxz(now.x, z);
  now.weights = addWeight(now.weights, logPxz - logRatio(z, now.q.logvar, noise));
  if (now.weights.draws === 1) now.logPxz.first = logPxz;
  const excess = logPxz - now.logPxz.first; // small numbers, whose squares keep their digits
  now.logPxz.sum += excess;
  now.logPxz.squares += excess * excess;
}

// What the draws so far say, in nats.
function numbers() {
  const { sum: total, squares, first } = now.logPxz;
  const K = now.weights.draws;
  const kl = sum(now.kl);
  const reconstruction = first + total / K;
  const error = Math.sqrt(Math.max(0, squares - total ** 2 / K) / (K - 1) / K);
  return { K, kl, reconstruction, bound: reconstruction - kl, error, ...importance() };
}

function importance() {
  const { logPx, effective, error } = estimate(now.weights);
  return { logPx, effective, logPxError: error };
}

// ---- Showing it ----

const signed = (text) => text.replace(/-/g, "−");
const fixed = (value, digits = 2) =>
  Number.isFinite(value) ? signed(value.toFixed(digits)) : "not finite";
const count = (n) => n.toLocaleString("en");
const plusMinus = (error) => (Number.isFinite(error) ? ` ± ${fixed(error)}` : "");
const say = (id, text) => {
  if (element(id).textContent !== text) element(id).textContent = text;
};
const sayAll = (name, text) =>
  document.querySelectorAll(`.${name}`).forEach((place) => (place.textContent = text));
const rowName = (n) => `row ${content.rows[n]}`;

function showX() {
  const name = state.drawn ? "drawn" : rowName(state.row);
  sayAll("x-name", state.binary ? `${name}, made binary` : name);
  if (pictures.isImage) {
    pictures.show(element("x"), now.x);
    element("x").setAttribute("aria-label", `x, ${name}`);
  }
  element("grey").hidden = content.likelihood !== "Bernoulli" || now.x.every((v) => v === 0 || v === 1);
  document.querySelectorAll("#rows input").forEach((input, n) => {
    input.checked = !state.drawn && n === state.row;
  });
  for (const j of order) showPosterior(units[j], j);
}

function showPosterior({ row, band }, j) {
  const [mu, sigma] = [now.q.mu[j], Math.exp(now.q.logvar[j] / 2)];
  row.querySelector(".kl").textContent = fixed(now.kl[j]);
  row.querySelector(".mu").textContent = `${fixed(mu)} ± ${fixed(sigma)}`;
  const [left, right] = [mu - sigma, mu + sigma].map(
    (value) => (100 * (Math.min(REACH, Math.max(-REACH, value)) + REACH)) / (2 * REACH),
  );
  band.style.left = `${left}%`;
  band.style.width = `${right - left}%`;
}

function showZ() {
  sayAll("z-name", state.z ? "at the sliders’ z" : "at z = mu");
  if (pictures.isImage) {
    pictures.show(element("mean"), now.mean);
    element("mean").setAttribute("aria-label", "E[x|z], the decoder’s mean");
  } else showTable();
  document.querySelectorAll(".echo canvas").forEach((canvas) => pictures.show(canvas, now.mean));
  for (const j of order) {
    units[j].slider.value = now.z[j];
    units[j].value.textContent = fixed(now.z[j]);
  }
  say("log-pxz", `${fixed(model.logPxz(now.x, now.z))} nats, at this z`);
  showPlane();
}

function showNumbers() {
  const n = numbers();
  say(
    "bound",
    `${fixed(n.bound)}${plusMinus(n.error)} = ${fixed(n.reconstruction)} − KL ${fixed(n.kl)} nats`,
  );
  const few = n.effective < 10;
  say("log-px", `${fixed(n.logPx)}${few ? "" : plusMinus(n.logPxError)} nats${few ? ", likely too low" : ""}`);
  say("gap", `${fixed(n.logPx - n.bound)} nats${few ? " or more" : ""}, about KL(q(z|x) ‖ p(z|x))`);
  say("draws", `${count(n.K)} of ${count(state.most)}; effective samples ${fixed(n.effective, 0)}`);
}

// ---- The units of z ----

const units = [];

function makeUnit(j) {
  const dead = !content.active[j];
  const row = document.createElement("div");
  row.className = dead ? "unit dead" : "unit";
  row.innerHTML = `<span>${dead ? "dead " : ""}z[${j}]</span><span class="kl"></span>
    <span class="mu"></span><div class="track"><i><b></b></i>
    <input type="range" min="${-REACH}" max="${REACH}" step="0.01" aria-label="z[${j}]${dead ? ", dead" : ""}"></div>
    <span class="value" aria-hidden="true"></span>`;
  row.title = `z[${j}]: mean KL ${fixed(content.kl[j])} nats over the data`;
  const slider = row.querySelector("input");
  slider.addEventListener("input", () => moveZ(j, Number(slider.value)));
  units[j] = { row, slider, band: row.querySelector("b"), value: row.querySelector(".value") };
  element("units").append(row);
}

// z with one unit moved; the others are rounded, so that the address holds all of them.
function moveZ(...moves) {
  const z = rounded(now.z);
  for (let i = 0; i < moves.length; i += 2) z[moves[i]] = moves[i + 1];
  choose({ z: rounded(z) });
}

const rounded = (z) => z.map((value) => Math.round(value * 1000) / 1000);

const JUMP = {
  mu: () => null,
  zero: () => new Float64Array(Z),
  q: () => rounded(reparameterize(now.q, generator(JUMPS, now.jumps++).noise(Z))),
  prior: () => rounded(generator(JUMPS, now.jumps++).noise(Z)),
};

// ---- A table's row ----

function makeTable() {
  element("table").hidden = false;
  const body = element("table").querySelector("tbody");
  for (const name of content.names) {
    const row = body.insertRow();
    row.innerHTML = '<th scope="row"></th><td></td><td></td><td><span class="bars"><i></i><b></b></span></td>';
    row.cells[0].textContent = name;
  }
}

function showTable() {
  const body = element("table").querySelector("tbody");
  for (let d = 0; d < D; d++) {
    const { cells } = body.rows[d];
    const percent = (v) => 100 * pictures.place(v, d);
    cells[1].textContent = short(now.x[d]);
    cells[2].textContent = short(now.mean[d]);
    const ends = [percent(0), percent(now.x[d])].sort((a, b) => a - b);
    const [bar, tick] = cells[3].firstChild.children;
    bar.style.left = `${ends[0]}%`;
    bar.style.width = `${ends[1] - ends[0]}%`;
    tick.style.left = `${percent(now.mean[d])}%`;
  }
}

const short = (v) => signed(Math.abs(v) < 1e-4 || Math.abs(v) >= 1e6 ? v.toPrecision(3) : String(Number(v.toPrecision(4))));
