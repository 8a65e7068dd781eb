// What moves the page: choices, the address, and work a few milliseconds a frame.
"use strict";

const TALLEST = 26; // rem, of an image

let frame = 0;
const waiting = new Set();

// Which parts are to be done again, by what of the state has changed.
const PARTS = {
  row: "x", drawn: "x", binary: "x", seed: "all", z: "z", most: "draws", plane: "plane",
  morph: "frames", samples: "samples", as: "samples",
};

function choose(change) {
  Object.assign(state, change);
  for (const name of Object.keys(change)) waiting.add(PARTS[name] ?? "draws");
  keepAddress();
  wake();
}

function wake() {
  frame ||= requestAnimationFrame(work);
}

function work() {
  frame = 0;
  const deadline = performance.now() + BUDGET;
  const due = (...parts) => parts.some((part) => waiting.has(part));
  if (due("x", "all")) newX(), showX(), showZ();
  else if (due("z")) newZ(), showZ();
  if (due("plane")) showPlane();
  if (due("frames", "all") || (due("x") && state.morph.includes(-1))) showFrames();
  if (due("samples", "all")) showSamples();
  if (due("draws") && now.weights.draws > state.most) restartDraws();
  waiting.clear();
  do {
    if (now.weights.draws < state.most) drawOnce();
    if (plane.next < SIDE * SIDE) nextPlanePicture();
  } while (performance.now() < deadline && unfinished());
  showNumbers();
  paintPlane();
  if (unfinished()) wake();
}

const unfinished = () => now.weights.draws < state.most || plane.next < SIDE * SIDE;

// ---- The address: a link gives the same page ----

let keeping = 0;

// Later, for a browser allows few changes of the address a second.
function keepAddress() {
  clearTimeout(keeping);
  keeping = setTimeout(() => history.replaceState(null, "", `#${address()}`), 250);
}

function address() {
  const parts = new URLSearchParams();
  if (state.drawn) parts.set("drawn", toText(state.drawn));
  else parts.set("row", content.rows[state.row]);
  if (state.binary) parts.set("binary", 1);
  if (state.z) parts.set("z", Array.from(state.z).join(" "));
  parts.set("seed", state.seed);
  parts.set("draws", state.most);
  parts.set("plane", state.plane.join(" "));
  parts.set("morph", state.morph.join(" "));
  parts.set("samples", `${state.samples} ${state.as}`);
  return parts.toString();
}

// What the address says, where it makes sense; the rest stays as it is.
function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const numbersOf = (name, n) => {
    const values = (parts.get(name) ?? "").split(" ").map(Number);
    return parts.has(name) && values.length === n && values.every(Number.isFinite) ? values : null;
  };
  const whole = (value, high) => Number.isInteger(value) && value >= 0 && value < high;
  const [row] = numbersOf("row", 1) ?? [];
  const drawn = pictures.isImage ? fromText(parts.get("drawn")) : null;
  if (content.rows.includes(row)) Object.assign(state, { row: content.rows.indexOf(row), drawn: null });
  if (drawn) state.drawn = drawn;
  state.binary = content.likelihood === "Bernoulli" && parts.get("binary") === "1";
  const z = numbersOf("z", Z);
  state.z = z && Float64Array.from(z);
  const [seed] = numbersOf("seed", 1) ?? [];
  if (whole(seed, 1e7)) state.seed = seed;
  const [most] = numbersOf("draws", 1) ?? [];
  if ([10, 100, 1000, 10000].includes(most)) state.most = most;
  const axes = numbersOf("plane", 2);
  if (axes?.every((j) => whole(j, Z))) state.plane = axes;
  const morph = numbersOf("morph", 3);
  if (morph && morph.slice(0, 2).every((n) => whole(n + 1, data.length + 1)) && Math.abs(morph[2] - 0.5) <= 0.5) {
    state.morph = morph;
  }
  const [turn, as] = (parts.get("samples") ?? "").split(" ");
  if (parts.has("samples") && whole(Number(turn), 1e6)) state.samples = Number(turn);
  if (["mean", "draw"].includes(as)) state.as = as;
}

const toText = (drawn) =>
  btoa(String.fromCharCode(...drawn)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

function fromText(text) {
  try {
    const drawn = bytes((text ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    return drawn.length === D ? drawn : null;
  } catch {
    return null; // no base64
  }
}

// ---- The elements ----

function start() {
  now.mus = data.map((x) => model.encode(x).mu);
  plane.sheet.width = plane.sheet.height = element("plane").width;
  const change = content.precision === 32 ? "" : ` Rounding them changes the bound of the rows below by up to ${content.change.toPrecision(2)} nats (at z = mu).`;
  say("about", `${content.precision} bits a weight.${change} All numbers are in nats, and all of it is in this file.`);
  say("rows-title", `Rows of ${content.source}`);
  order.forEach(makeUnit);
  element("pictures").hidden = !pictures.isImage;
  document.body.classList.toggle("pixels", pictures.isImage);
  if (!pictures.isImage) makeTable();
  else {
    makePen();
    const widest = `${(TALLEST * pictures.columns) / pictures.rows}rem`; // of a tall image
    for (const id of ["x", "mean"]) element(id).style.maxWidth = widest;
    element("between").style.maxWidth = `min(12rem, ${widest})`;
  }
  element("walk").hidden = Z === 1;
  element("binary-choice").hidden = content.likelihood !== "Bernoulli";
  const unitNames = order.map((j) => [j, `z[${j}]${content.active[j] ? "" : ", dead"}`]);
  for (const id of ["across", "up"]) fillSelect(id, unitNames);
  const ends = [[-1, "the x above"], ...data.map((_, n) => [n, rowName(n)])];
  for (const id of ["from", "to"]) fillSelect(id, ends);
  listen();
  readAddress();
  repaint();
}

function showState() {
  element("binary").checked = state.binary;
  element("most").value = state.most;
  element("seed").value = state.seed;
  [element("across").value, element("up").value] = state.plane;
  [element("from").value, element("to").value, element("t").value] = state.morph;
  element("as").value = state.as;
  waiting.add("all");
  wake();
}

function repaint() {
  element("rows").replaceChildren(...data.map(makeRow));
  plane.key = "";
  showState();
}

function fillSelect(id, choices) {
  element(id).replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
}

function makeRow(x, n) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "row" });
  input.addEventListener("change", () => choose({ row: n, drawn: null, z: null }));
  label.append(input, pictures.picture(x), rowName(n).replace("row ", ""));
  input.setAttribute("aria-label", rowName(n));
  return label;
}

function listen() {
  const on = (id, event, act) => element(id).addEventListener(event, () => act(element(id)));
  on("binary", "change", ({ checked }) => choose({ binary: checked }));
  on("most", "change", ({ value }) => choose({ most: Number(value) }));
  on("seed", "change", (input) => {
    if (input.value !== "" && input.checkValidity()) choose({ seed: Number(input.value) });
  });
  on("across", "change", ({ value }) => choose({ plane: [Number(value), state.plane[1]] }));
  on("up", "change", ({ value }) => choose({ plane: [state.plane[0], Number(value)] }));
  const morph = () => ["from", "to", "t"].map((id) => Number(element(id).value));
  on("from", "change", () => choose({ morph: morph() }));
  on("to", "change", () => choose({ morph: morph() }));
  on("t", "input", () => choose({ morph: morph() }));
  on("take", "click", () => choose({ z: rounded(morphZ(state.morph[2])) }));
  on("again", "click", () => choose({ samples: state.samples + 1 }));
  on("as", "change", ({ value }) => choose({ as: value }));
  for (const button of document.querySelectorAll("[data-z]")) {
    button.addEventListener("click", () => choose({ z: JUMP[button.dataset.z]() }));
  }
  const walk = element("plane");
  walk.addEventListener("pointerdown", (event) => {
    walk.setPointerCapture(event.pointerId);
    walkTo(event);
  });
  walk.addEventListener("pointermove", (event) => event.buttons && walkTo(event));
  walk.addEventListener("keydown", walkBy);
  addEventListener("hashchange", () => (readAddress(), showState()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

start();
window.npvae = {
  ...model, reparameterize, klPerDim, logRatio, noWeights, addWeight, estimate, random, state, numbers,
};
