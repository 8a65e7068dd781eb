// Drawing on an image x, and what MNIST's makers did to their digits. An x that is drawn is kept
// as bytes, 0 at the low end of the scale and 255 at the high one, so that a link can hold it.
"use strict";

const BOX = 20 / 28; // of the image's sides, that MNIST's digits fill
const FAINT = 0.05; // of full ink, which is no ink yet

// Ink of `colour` (one number a colour, in [0, 1]) along a stroke; `covered` (rows·columns,) is how
// much of it each pixel has had, and `before` the bytes under it.  -> bytes
function stroke({ rows, columns, colours }, before, covered, from, to, colour) {
  const radius = Math.max(1, Math.min(rows, columns) / 22);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const i = row * columns + column;
      const reach = radius + 0.5 - distance([column + 0.5, row + 0.5], from, to);
      covered[i] = Math.max(covered[i], Math.min(1, Math.max(0, reach)));
    }
  }
  return before.map((byte, d) => {
    const ink = 255 * colour[d % colours];
    return Math.round(byte + covered[Math.floor(d / colours)] * (ink - byte));
  });
}

// From a point to the segment between two others.
function distance([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
}

// The ink of grey bytes scaled to the box, its centre of mass in the middle.  -> bytes
function fit({ rows, columns }, drawn) {
  const ink = { top: rows, left: columns, bottom: -1, right: -1, mass: 0, x: 0, y: 0 };
  drawn.forEach((byte, i) => {
    if (byte < 255 * FAINT) return;
    const [row, column] = [Math.floor(i / columns), i % columns];
    ink.top = Math.min(ink.top, row);
    ink.bottom = Math.max(ink.bottom, row);
    ink.left = Math.min(ink.left, column);
    ink.right = Math.max(ink.right, column);
    ink.mass += byte;
    ink.x += byte * column;
    ink.y += byte * row;
  });
  if (!ink.mass) return drawn;
  const scale = Math.min(
    (BOX * rows) / (ink.bottom - ink.top + 1),
    (BOX * columns) / (ink.right - ink.left + 1),
  );
  return drawn.map((_, i) => {
    const row = (Math.floor(i / columns) - (rows - 1) / 2) / scale + ink.y / ink.mass;
    const column = ((i % columns) - (columns - 1) / 2) / scale + ink.x / ink.mass;
    return Math.round(between(drawn, rows, columns, row, column));
  });
}

// The image at a place between its pixels, bilinearly; 0 outside.
function between(image, rows, columns, y, x) {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  let value = 0;
  for (const [row, column] of [[top, left], [top, left + 1], [top + 1, left], [top + 1, left + 1]]) {
    const inside = row >= 0 && row < rows && column >= 0 && column < columns;
    const weight = (1 - Math.abs(y - row)) * (1 - Math.abs(x - column));
    if (inside) value += weight * image[row * columns + column];
  }
  return value;
}

// ---- The pen's events ----

function makePen() {
  const { rows, columns, colours } = pictures;
  const canvas = element("x");
  canvas.classList.add("pad");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  for (const id of ["pen", "pen-note"]) element(id).hidden = false;
  element("ink-choice").hidden = colours === 3;
  element("colour-choice").hidden = colours !== 3;
  element("fit").hidden = element("fit-note").hidden = colours === 3 || rows !== columns;

  const pen = { before: null, covered: null, at: null, cursor: [columns / 2, rows / 2] };
  const underlying = () => state.drawn ?? data[state.row].map((v, d) => 255 * pictures.place(v, d));
  const draw = (drawn) => choose({ drawn, z: null });
  const ink = () => {
    if (colours === 1) return [Number(element("ink").value)];
    return [1, 3, 5].map((i) => parseInt(element("colour").value.slice(i, i + 2), 16) / 255);
  };
  function down(at) {
    pen.before = Uint8Array.from(underlying(), Math.round);
    pen.covered = new Float64Array(rows * columns);
    pen.at = at;
    move(at);
  }
  function move(at) {
    draw(stroke(pictures, pen.before, pen.covered, pen.at, at, ink()));
    pen.at = at;
  }
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * columns,
      ((event.clientY - box.top) / box.height) * rows,
    ];
  };
  function showCursor() {
    element("cursor").style.left = `${(100 * pen.cursor[0]) / columns}%`;
    element("cursor").style.top = `${(100 * pen.cursor[1]) / rows}%`;
  }
  showCursor();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons || !pen.before) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) move(place(part));
  });
  canvas.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    const from = pen.cursor;
    if (step) {
      const [x, y] = [from[0] + step[0], from[1] - step[1]];
      pen.cursor = [Math.min(columns, Math.max(0, x)), Math.min(rows, Math.max(0, y))];
      showCursor();
    }
    if (event.key === " " || event.shiftKey) { // Shift draws along
      down(from);
      move(pen.cursor);
    }
  });
  element("blank").addEventListener("click", () => draw(new Uint8Array(D)));
  element("fit").addEventListener("click", () => {
    draw(fit(pictures, Uint8Array.from(underlying(), Math.round)));
  });
}
