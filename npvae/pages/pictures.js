// Rows as pictures: an image, or bars. `low` and `high` are the ends of the scale, one for all
// pixels of an image, and one for each column of a table.
"use strict";

const THUMBNAIL = { width: 192, height: 128 }; // of a table's row, in pixels

function makePictures({ shape, low, high }) {
  const isImage = shape.length > 0;
  const [rows, columns, colours = 1] = shape;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();

  // Where v lies between the ends of d's scale, in [0, 1].
  function place(v, d) {
    const [from, to] = isImage ? [low, high] : [low[d], high[d]];
    return to > from ? Math.min(1, Math.max(0, (v - from) / (to - from))) : 0.5;
  }

  function image(canvas, x) {
    resize(canvas, columns, rows);
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) {
      for (let c = 0; c < 3; c++) {
        const d = i * colours + (colours === 3 ? c : 0);
        pixels.data[4 * i + c] = Math.round(255 * place(x[d], d));
      }
      pixels.data[4 * i + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  }

  // Each bar from 0, or from the end that is nearest to it.
  function bars(canvas, x) {
    const { width, height } = THUMBNAIL;
    resize(canvas, width, height);
    const context = canvas.getContext("2d");
    context.fillStyle = colour("--paper");
    context.fillRect(0, 0, width, height);
    context.fillStyle = colour("--blue");
    x.forEach((v, d) => {
      const [top, bottom] = [place(v, d), place(0, d)].map((p) => (1 - p) * (height - 2) + 1);
      const left = (d * width) / x.length;
      const thickness = Math.max(1, (0.8 * width) / x.length);
      context.fillRect(left, Math.min(top, bottom) - 0.5, thickness, Math.abs(top - bottom) + 1);
    });
  }

  function resize(canvas, width, height) {
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
  }

  const show = isImage ? image : bars;
  function picture(x) {
    const canvas = document.createElement("canvas");
    show(canvas, x);
    return canvas;
  }
  return { isImage, rows, columns, colours, place, show, picture };
}
