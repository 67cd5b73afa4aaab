// What is printed: both sides of the map as a whole, from coarse tiles that the page
// holds, whatever part of it is on the screen.
import { paint } from "./paint.js";
import { SIDE } from "./tiles.js";

const LEVEL = 1; // at most 1024 pixels a side

async function compose(tiles, layer, draw) {
  const z = Math.min(LEVEL, tiles.data.embedded[layer] - 1);
  const level = tiles.data.levels[z];
  const whole = document.createElement("canvas");
  [whole.width, whole.height] = [level.width, level.height];
  const context = whole.getContext("2d");
  for (let y = 0; y * SIDE < level.height; y++)
    for (let x = 0; x * SIDE < level.width; x++) {
      const tile = await draw(z, x, y);
      if (tile) context.drawImage(tile, x * SIDE, y * SIDE);
    }
  return whole;
}

/** A bar of a round length, and north, in the lower corners. */
function furnish(canvas, { bar, north }) {
  const context = canvas.getContext("2d");
  const unit = Math.max(canvas.width, canvas.height) / 100;
  const [x, y] = [1.6 * unit, canvas.height - 1.8 * unit];
  const long = bar.share * canvas.width;
  context.fillStyle = "rgb(255 255 255 / 85%)";
  context.fillRect(x - 0.8 * unit, y - 3 * unit, long + 1.6 * unit, 4 * unit);
  context.strokeStyle = context.fillStyle = "#1d2a2f";
  context.lineWidth = 0.3 * unit;
  context.beginPath();
  context.moveTo(x, y - unit);
  context.lineTo(x, y);
  context.lineTo(x + long, y);
  context.lineTo(x + long, y - unit);
  context.stroke();
  context.font = `${2 * unit}px sans-serif`;
  context.textAlign = "center";
  context.fillText(bar.text, x + long / 2, y - 0.7 * unit, long);
  if (north === null) return;
  context.translate(canvas.width - 3.5 * unit, canvas.height - 4.5 * unit);
  context.rotate((north * Math.PI) / 180);
  context.beginPath();
  for (const [px, py] of [[0, -3], [1.1, 1], [0, 0.3], [-1.1, 1]]) context.lineTo(px * unit, py * unit);
  context.closePath();
  context.strokeStyle = "#fff";
  context.stroke();
  context.fill();
  context.strokeText("N", 0, 3 * unit);
  context.fillText("N", 0, 3 * unit);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

/** Paint the paper's canvases: side 0 and 1. */
export async function paintPaper(canvases, tiles, how, state, isChange) {
  const drawMap = (which) => async (z, x, y) => {
    const planes = await tiles.planes(z, x, y);
    return planes && paint(planes, tiles.size(z, x, y), state.mode, which, how);
  };
  for (const [side, canvas] of canvases.entries()) {
    if (!canvas) continue;
    const isImage = side === 0 && !isChange;
    if (isImage && !tiles.data.embedded.image) continue;
    const whole = isImage
      ? await compose(tiles, "image", (z, x, y) => tiles.image(z, x, y))
      : await compose(tiles, "map", drawMap(isChange ? side : 0));
    [canvas.width, canvas.height] = [whole.width, whole.height];
    canvas.getContext("2d").drawImage(whole, 0, 0);
  }
  if (canvases[1]) furnish(canvases[1], tiles.data.plane);
}
