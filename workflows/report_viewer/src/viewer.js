// The map of report.html: what the page's elements do. Everything that is read stands in
// the page itself as HTML; this adds the map and wires the controls to it.
import Map from "ol/Map.js";
import View from "ol/View.js";
import Overlay from "ol/Overlay.js";
import TileLayer from "ol/layer/Tile.js";
import ImageTile from "ol/source/ImageTile.js";
import TileGrid from "ol/tilegrid/TileGrid.js";
import Projection from "ol/proj/Projection.js";
import ScaleLine from "ol/control/ScaleLine.js";
import Zoom from "ol/control/Zoom.js";
import { getRenderPixel } from "ol/render.js";
import { Tiles, SIDE } from "./tiles.js";
import { NODATA, paint, swatch, tables } from "./paint.js";
import { paintPaper } from "./paper.js";

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const tiles = new Tiles(data, document.documentElement.dataset);
const { plane, legend } = data;
const byId = new globalThis.Map(legend.map((each) => [each.id, each]));
const isChange = data.kind === "change";
const state = { hidden: new Set(), focus: null, patterns: false, mode: "classes", swipe: 0.5 };

// Pixels of the map in metres on the ground, from its upper left corner: whatever its
// CRS, it is shown on its own pixels and in their true proportions.
const size = [plane.width * plane.column_m, plane.height * plane.row_m];
const extent = [0, -size[1], size[0], 0];
const projection = new Projection({
  code: "geoseg:pixels",
  units: "m",
  extent,
  getPointResolution: (resolution) => resolution,
});
const toPixel = ([x, y]) => [x / plane.column_m, -y / plane.row_m];
const toPlace = (col, row) => [col * plane.column_m, -row * plane.row_m];

function source(layer, loader, interpolate) {
  const depth = tiles.depth(layer);
  const resolutions = data.levels.slice(0, depth).map((level) => level.factor * plane.row_m);
  const wide = (SIDE * plane.column_m) / plane.row_m;
  return new ImageTile({
    projection,
    interpolate,
    transition: 0,
    wrapX: false,
    loader,
    tileGrid: new TileGrid({ extent, resolutions, origin: [0, 0], tileSize: [wide, SIDE] }),
  });
}

const blank = paint(null, [0, 0]);
let how = null;
const retable = () => (how = { ...tables(legend, state), patterns: state.patterns });
retable();

const mapSource = (which) =>
  source(
    "map",
    async (z, x, y) => {
      const planes = await tiles.planes(z, x, y);
      return paint(planes, tiles.size(z, x, y), state.mode, which, how);
    },
    false,
  );
const imageSource = () =>
  source("image", async (z, x, y) => (await tiles.image(z, x, y)) ?? blank, true);

const left = new TileLayer({ extent, source: isChange ? mapSource(0) : null, className: "left" });
const right = new TileLayer({
  extent,
  source: mapSource(isChange ? 1 : 0),
  className: "right",
});
if (!isChange && data.embedded.image) left.setSource(imageSource());

// From a half of the fit to sixteen screen pixels a pixel.
const view = new View({
  projection,
  extent: [-size[0] / 2, -1.5 * size[1], 1.5 * size[0], size[1] / 2],
  showFullExtent: true,
  constrainOnlyCenter: true,
  minResolution: Math.min(plane.row_m / 16, data.levels[0].factor * plane.row_m),
  maxResolution: 2 * Math.max(...size) / 256,
  center: [size[0] / 2, -size[1] / 2],
  resolution: Math.max(...size) / 512,
});
const map = new Map({
  target: "map",
  layers: [left, right],
  view,
  controls: [new Zoom(), new ScaleLine({ minWidth: 80 })],
});
const fit = (duration = 250) => view.fit(extent, { padding: [12, 12, 12, 12], duration });
fit(0);

function repaint() {
  retable();
  for (const layer of isChange ? [left, right] : [right]) {
    const painted = layer.getSource();
    painted.setKey(JSON.stringify([state.mode, state.patterns, state.focus, [...state.hidden]]));
  }
  if (state.focus === null) repaintPaper();
}

// The swipe line.
function clip(event, from, to) {
  const context = event.context;
  const [width, height] = map.getSize();
  const corners = [
    [from * width, 0],
    [to * width, 0],
    [to * width, height],
    [from * width, height],
  ].map((pixel) => getRenderPixel(event, pixel));
  context.save();
  context.beginPath();
  corners.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.clip();
}
right.on("prerender", (event) => clip(event, state.swipe, 1));
right.on("postrender", (event) => event.context.restore());
if (isChange) {
  left.on("prerender", (event) => clip(event, 0, state.swipe));
  left.on("postrender", (event) => event.context.restore());
}

const handle = $("swipe");
function swipeTo(share) {
  state.swipe = Math.min(1, Math.max(0, share));
  handle.style.left = `${100 * state.swipe}%`;
  handle.setAttribute("aria-valuenow", Math.round(100 * state.swipe));
  map.render();
}
handle.addEventListener("pointerdown", (event) => {
  handle.setPointerCapture(event.pointerId);
  event.preventDefault();
  handle.focus();
});
handle.addEventListener("pointermove", (event) => {
  if (!handle.hasPointerCapture(event.pointerId)) return;
  const box = $("map").getBoundingClientRect();
  swipeTo((event.clientX - box.left) / box.width);
});
handle.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  event.stopPropagation();
  swipeTo(state.swipe + steps[event.key]);
});
swipeTo(0.5);

$("opacity").addEventListener("input", (event) => {
  const share = event.target.value / 100;
  right.setOpacity(share);
  if (isChange) left.setOpacity(share);
});
$("fit").addEventListener("click", () => fit());

// What is under the cursor.
const percent = (value) => (value === NODATA ? "" : ` · ${value} %`);
const called = (id) => byId.get(id)?.name ?? "no data";
function told([first, second]) {
  if (!isChange) return first === NODATA ? "no data" : called(first) + percent(second);
  if (first === NODATA || second === NODATA) return "no data";
  return first === second ? `${called(first)}, no change` : `${called(first)} → ${called(second)}`;
}
function coordinates(col, row) {
  const [a, b, c, d, e, f] = plane.transform;
  const digits = plane.digits;
  const parts = [a * col + b * row + c, d * col + e * row + f].map((v) => v.toFixed(digits));
  const lonlat = plane.lonlat && onGrid(plane.lonlat, col / plane.width, row / plane.height);
  return `${plane.axes} ${parts.join(", ")}${lonlat ? ` · lon, lat ${lonlat.join(", ")}` : ""}`;
}
/** Between the nodes of a grid of (lon, lat), rows of the map first. */
function onGrid(nodes, across, down) {
  const last = nodes.length - 1;
  const [u, v] = [across * last, down * last];
  const [i, j] = [Math.min(last - 1, Math.floor(u)), Math.min(last - 1, Math.floor(v))];
  const [s, t] = [u - i, v - j];
  return [0, 1].map((axis) =>
    (
      nodes[j][i][axis] * (1 - s) * (1 - t) +
      nodes[j][i + 1][axis] * s * (1 - t) +
      nodes[j + 1][i][axis] * (1 - s) * t +
      nodes[j + 1][i + 1][axis] * s * t
    ).toFixed(4),
  );
}
const label = $("label");
const readout = $("readout");
const hint = readout.textContent;
let asked = 0;
async function look(event) {
  if (event.dragging) return;
  const turn = ++asked;
  const [col, row] = toPixel(event.coordinate);
  const found = await tiles.at(col, row);
  if (turn !== asked) return;
  if (found === null) return leave();
  label.textContent = told(found);
  const beyond = event.pixel[0] > map.getSize()[0] - label.offsetWidth - 24;
  label.style.left = `${event.pixel[0] + (beyond ? -12 - label.offsetWidth : 14)}px`;
  label.style.top = `${Math.max(4, event.pixel[1] - 34)}px`;
  label.hidden = false;
  readout.textContent = `${told(found)} · ${coordinates(col, row)}`;
}
function leave() {
  asked++;
  label.hidden = true;
  readout.textContent = hint;
}
map.on("pointermove", look);
map.on("click", look);
$("map").addEventListener("pointerleave", leave);

// The legend: a box hides a class, the pointer on a row brings it out.
const swatches = [...document.querySelectorAll("canvas[data-swatch]")];
function drawSwatches() {
  for (const canvas of swatches) {
    const order = legend.findIndex((each) => each.id === Number(canvas.dataset.swatch));
    if (order >= 0) swatch(canvas, legend[order], order, state.patterns);
  }
}
drawSwatches();
for (const box of document.querySelectorAll("input[data-class]")) {
  const id = Number(box.dataset.class);
  box.addEventListener("change", () => {
    if (box.checked) state.hidden.delete(id);
    else state.hidden.add(id);
    repaint();
  });
  const row = box.closest("tr");
  row.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "mouse" || !box.checked) return;
    state.focus = id;
    repaint();
  });
  row.addEventListener("pointerleave", () => {
    if (state.focus === null) return;
    state.focus = null;
    repaint();
  });
}
$("all")?.addEventListener("click", () => {
  const boxes = [...document.querySelectorAll("input[data-class]")];
  const show = boxes.some((box) => !box.checked);
  for (const box of boxes) {
    box.checked = show;
    if (show) state.hidden.delete(Number(box.dataset.class));
    else state.hidden.add(Number(box.dataset.class));
  }
  repaint();
});
$("patterns").addEventListener("change", (event) => {
  state.patterns = event.target.checked;
  drawSwatches();
  repaint();
});
for (const choice of document.querySelectorAll("input[name=mode]"))
  choice.addEventListener("change", () => {
    state.mode = choice.value;
    document.documentElement.dataset.mode = state.mode;
    repaint();
  });

// Places where the model is least sure.
for (const button of document.querySelectorAll("button[data-place]")) {
  const { col, row, side } = data.places[Number(button.dataset.place)];
  const at = toPlace(col, row);
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.textContent = Number(button.dataset.place) + 1;
  map.addOverlay(
    new Overlay({ element: mark, position: at, positioning: "center-center", stopEvent: false }),
  );
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll(".chosen")) other.classList.remove("chosen");
    button.classList.add("chosen");
    mark.classList.add("chosen");
    const half = 1.5 * side * plane.row_m;
    const box = [at[0] - half, at[1] - half, at[0] + half, at[1] + half];
    view.fit(box, { duration: 350 });
    $("map").scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
}

// What is printed follows what is shown; it must be there before anybody prints.
let painting = Promise.resolve();
function repaintPaper() {
  const papers = [$("paper-first"), $("paper-second")];
  painting = painting.then(() => paintPaper(papers, tiles, how, state, isChange));
  return painting;
}
Promise.all([repaintPaper(), new Promise((done) => map.once("rendercomplete", done))]).then(
  () => (document.documentElement.dataset.ready = ""),
);
globalThis.geosegMap = { map, view, toPlace }; // for whoever wants to script the page
