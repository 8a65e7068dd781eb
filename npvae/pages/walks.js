// Walks through z: a plane of two units, the line from one x to another, and samples.
"use strict";

const SIDE = 9; // pictures a side of the plane
const PLANE = 3; // of z, from its middle to its edge
const FRAMES = 9; // of a morph
const SAMPLES = 24;

// ---- The plane of two units ----

const plane = { sheet: document.createElement("canvas"), next: 0, key: "" };
const toPlane = (value) => ((value + PLANE) / (2 * PLANE)) * element("plane").width;
const fromPlane = (pixel) => (pixel / element("plane").width) * 2 * PLANE - PLANE;

// Its pictures are drawn anew only if a unit outside it has moved.
function showPlane() {
  const [a, b] = state.plane;
  const key = `${a} ${b} ${now.z.map((value, j) => (j === a || j === b ? 0 : value)).join()}`;
  if (key !== plane.key) Object.assign(plane, { key, next: 0 });
  const where = `z[${a}] = ${fixed(now.z[a])}, z[${b}] = ${fixed(now.z[b])}`;
  element("plane").setAttribute("aria-label", `The plane of z[${a}] and z[${b}]; ${where}`);
  paintPlane();
}

function nextPlanePicture() {
  const [a, b] = state.plane;
  const [column, row] = [plane.next % SIDE, Math.floor(plane.next / SIDE)];
  const cell = plane.sheet.width / SIDE;
  const z = now.z.slice();
  z[a] = fromPlane((column + 0.5) * cell);
  z[b] = -fromPlane((row + 0.5) * cell);
  const picture = pictures.picture(model.decode(z));
  const scale = (cell - (pictures.isImage ? 0 : 4)) / Math.max(picture.width, picture.height);
  const context = plane.sheet.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.clearRect(column * cell, row * cell, cell, cell);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.drawImage(
    picture,
    column * cell + (cell - width) / 2,
    row * cell + (cell - height) / 2,
    width,
    height,
  );
  plane.next += 1;
}

function paintPlane() {
  const [a, b] = state.plane;
  const context = element("plane").getContext("2d");
  context.clearRect(0, 0, plane.sheet.width, plane.sheet.height);
  context.drawImage(plane.sheet, 0, 0);
  for (const mu of now.mus) disc(context, mu[a], mu[b], 3);
  disc(context, now.z[a], now.z[b], 9, true);
}

function disc(context, right, up, radius, ring = false) {
  context.beginPath();
  context.arc(toPlane(right), toPlane(-up), radius, 0, 2 * Math.PI);
  context.lineWidth = ring ? 7 : 2;
  context.strokeStyle = "#ffffff";
  context.stroke();
  context.lineWidth = 3;
  context.fillStyle = context.strokeStyle = ring ? "#d55e00" : "#cc79a7";
  if (ring) context.stroke();
  else context.fill();
}

function walkTo(event) {
  const box = element("plane").getBoundingClientRect();
  const at = (pixel, size) => (pixel / size) * 2 * PLANE - PLANE;
  const [a, b] = state.plane;
  moveZ(a, at(event.clientX - box.left, box.width), b, -at(event.clientY - box.top, box.height));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function walkBy(event) {
  const step = ARROWS[event.key];
  if (!step) return;
  event.preventDefault();
  const size = event.shiftKey ? 0.5 : 0.1;
  const [a, b] = state.plane;
  moveZ(a, now.z[a] + size * step[0], b, now.z[b] + size * step[1]);
}

// ---- Morphs and samples ----

const muOf = (end) => (end < 0 ? now.q.mu : now.mus[end]); // −1 stands for the x above
const morphZ = (t) => {
  const [from, to] = state.morph.slice(0, 2).map(muOf);
  return from.map((value, j) => value + t * (to[j] - value));
};

function showFrames() {
  const frames = Array.from({ length: FRAMES }, (_, i) =>
    pictures.picture(model.decode(morphZ(i / (FRAMES - 1)))),
  );
  element("frames").replaceChildren(...frames);
  showBetween();
}

function showBetween() {
  pictures.show(element("between"), model.decode(morphZ(state.morph[2])));
  element("between").setAttribute("aria-label", `E[x|z] at t = ${state.morph[2]}`);
}

function showSamples() {
  const chance = generator(PRIOR, state.samples);
  const buttons = Array.from({ length: SAMPLES }, (_, i) => {
    const z = chance.noise(Z);
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Take the z of sample ${i + 1}`);
    button.append(pictures.picture(state.as === "draw" ? model.draw(z, chance) : model.decode(z)));
    button.addEventListener("click", () => choose({ z: rounded(z) }));
    return button;
  });
  element("samples").replaceChildren(...buttons);
}
