// Tiles of the page: embedded as base64, or served by `geoseg view` where the page
// says so. A tile of a map is two planes of bytes, one after the other, deflated: class
// and confidence, or the classes of two dates.
export const SIDE = 256;
const KEPT = 256; // unpacked tiles in memory, 128 kB each

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream();
  const open = stream.pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(open).arrayBuffer());
}

export class Tiles {
  /**
   * @param {object} data What the page embeds: levels, embedded levels, tiles.
   * @param {DOMStringMap} told Of the page: `tiles` is where finer ones are asked for,
   *   `served` names the layers that have some.
   */
  constructor(data, { tiles: server, served = "" }) {
    this.data = data;
    this.served = served.split(" ");
    this.server = server;
    this.kept = new Map();
  }

  /** How many levels of a layer there are, from the coarsest on. */
  depth(layer) {
    const served = this.server && this.served.includes(layer);
    return served ? this.data.levels.length : this.data.embedded[layer];
  }

  /** The columns and rows of a tile that lie on the map. */
  size(z, x, y) {
    const level = this.data.levels[z];
    return [
      Math.min(SIDE, level.width - x * SIDE),
      Math.min(SIDE, level.height - y * SIDE),
    ];
  }

  async bytes(layer, z, x, y) {
    const level = this.data.levels[z];
    if (!level || x < 0 || y < 0 || x * SIDE >= level.width || y * SIDE >= level.height)
      return null;
    if (z < this.data.embedded[layer]) {
      const text = this.data.tiles[layer][`${z}/${y}/${x}`];
      return text === undefined ? null : bytesOf(text);
    }
    const answer = await fetch(`${this.server}/${layer}/${z}/${y}/${x}`);
    if (answer.status === 204) return null;
    if (!answer.ok) throw new Error(`tile ${layer}/${z}/${y}/${x}: ${answer.status}`);
    return new Uint8Array(await answer.arrayBuffer());
  }

  /** The two planes of a tile of the map, or null where there is nothing on it. */
  planes(z, x, y) {
    const key = `${z}/${y}/${x}`;
    let found = this.kept.get(key);
    if (found === undefined) {
      found = this.unpack(z, x, y);
      this.kept.set(key, found);
      if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value);
    }
    return found;
  }

  async unpack(z, x, y) {
    const bytes = await this.bytes("map", z, x, y);
    if (bytes === null) return null;
    const raw = await inflate(bytes);
    const half = raw.length / 2;
    return [raw.subarray(0, half), raw.subarray(half)];
  }

  /** The tile of the picture as an image, or null. */
  async image(z, x, y) {
    const bytes = await this.bytes("image", z, x, y);
    if (bytes === null) return null;
    const image = new Image();
    const url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    image.src = url;
    await image.decode();
    URL.revokeObjectURL(url);
    return image;
  }

  /** What the finest tiles say of a pixel of the map, counted from its corner. */
  async at(col, row) {
    const z = this.depth("map") - 1;
    const level = this.data.levels[z];
    const [x, y] = [Math.floor(col / level.factor), Math.floor(row / level.factor)];
    if (x < 0 || y < 0 || x >= level.width || y >= level.height) return null;
    const [tx, ty] = [Math.floor(x / SIDE), Math.floor(y / SIDE)];
    const planes = await this.planes(z, tx, ty);
    if (planes === null) return null;
    const [width] = this.size(z, tx, ty);
    const place = (y - ty * SIDE) * width + (x - tx * SIDE);
    return planes.map((plane) => plane[place]);
  }
}
