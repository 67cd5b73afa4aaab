// Bytes to colours. A class has a pattern as well, for whom colours do not tell apart.
import { SIDE } from "./tiles.js";

export const NODATA = 255;

// Each tells whether a pixel (x, y) of a tile is marked; all repeat after 8 pixels.
export const PATTERNS = [
  () => false,
  (x, y) => (x + y) % 8 < 2,
  (x, y) => x % 8 < 3 && y % 8 < 3,
  (x, y) => y % 8 < 2,
  (x, y) => x % 8 < 2,
  (x, y) => (x - y + 8) % 8 < 2,
  (x, y) => x % 8 < 2 || y % 8 < 2,
  (x, y) => ((x >> 2) + (y >> 2)) % 2 === 0,
  (x, y) => (x + y) % 8 < 1 || (x - y + 8) % 8 < 1,
  (x, y) => (x % 8 < 2 && y % 8 < 2) || (x % 8 > 3 && x % 8 < 6 && y % 8 > 3 && y % 8 < 6),
  (x, y) => (x + 2 * y) % 8 < 2,
  (x, y) => (y + 2 * x) % 8 < 2,
];
const MASKS = PATTERNS.map((marked) =>
  Uint8Array.from({ length: 64 }, (_, i) => (marked(i % 8, i >> 3) ? 1 : 0)),
);

// viridis: told apart by brightness alone.
const RAMP = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];

const rgba = (r, g, b, a) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

export function confidenceColour(percent) {
  const place = (Math.min(100, Math.max(0, percent)) / 100) * (RAMP.length - 1);
  const low = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[low].map((c, i) => Math.round(c + (RAMP[low + 1][i] - c) * (place - low)));
}

/** Black or white over a colour, whichever shows. */
export function ink([r, g, b]) {
  const dark = 0.299 * r + 0.587 * g + 0.114 * b < 140;
  return [r, g, b].map((c) => Math.round(c * 0.45 + (dark ? 255 : 0) * 0.55));
}

/** Colours by class id: plain and of the marks of its pattern. */
export function tables(legend, state) {
  const plain = new Uint32Array(256);
  const marks = new Uint32Array(256);
  const masks = new Array(256).fill(MASKS[0]);
  legend.forEach((each, order) => {
    if (state.hidden.has(each.id)) return;
    const alpha = state.focus === null || state.focus === each.id ? 255 : 40;
    const colour = parse(each.colour);
    plain[each.id] = rgba(...colour, alpha);
    marks[each.id] = rgba(...ink(colour), alpha);
    masks[each.id] = MASKS[order % MASKS.length];
  });
  return { plain, marks, masks };
}

const SURE = Uint32Array.from({ length: 256 }, (_, percent) =>
  percent === NODATA ? 0 : rgba(...confidenceColour(percent), 255),
);

const PALE = rgba(225, 228, 230, 255);

/** Colours of one pixel after the other: by class, by confidence, or where changed. */
const RULES = {
  classes: (planes, which, { plain, marks, masks, patterns }) => {
    const ids = planes[which];
    return (i, x, y) => {
      const id = ids[i];
      return patterns && masks[id][(y & 7) * 8 + (x & 7)] ? marks[id] : plain[id];
    };
  },
  confidence: ([ids, sure], _which, { plain }) => (i) => plain[ids[i]] ? SURE[sure[i]] : 0,
  changed: (planes, which, how) => {
    const [before, after] = planes;
    const colour = RULES.classes(planes, which, how);
    return (i, x, y) => {
      if (before[i] === NODATA || after[i] === NODATA) return 0;
      return before[i] === after[i] ? PALE : colour(i, x, y);
    };
  },
};

/** Paint a tile's planes on a canvas of a whole tile; what is not there is clear. */
export function paint(planes, [width, height], mode, which, how) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  if (planes === null) return canvas;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  const colours = new Uint32Array(pixels.data.buffer);
  const colour = RULES[mode](planes, which, how);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) colours[i] = colour(i, x, y);
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** Draw a class's swatch as it is on the map. */
export function swatch(canvas, each, order, patterns) {
  const context = canvas.getContext("2d");
  const colour = parse(each.colour);
  context.fillStyle = each.colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (!patterns) return;
  context.fillStyle = `rgb(${ink(colour)})`;
  const mask = MASKS[order % MASKS.length];
  for (let y = 0; y < canvas.height; y++)
    for (let x = 0; x < canvas.width; x++)
      if (mask[(y & 7) * 8 + (x & 7)]) context.fillRect(x, y, 1, 1);
}
