// The stage of the editor: the picture below, the mask above, the brush over both. Both canvases
// have the pixels of the screen; a stroke redraws only the part of the mask that it changed.
function editorScreen({ lower, upper, marks, aspectOf }) {
  const { svg } = sw;
  const SMOOTH = 4;   // beyond this zoom the picture shows its pixels
  const HATCH = [() => true, (x, y) => (x + y) % 3 > 0, (x, y) => (x - y + 3000) % 3 > 0, (x, y) => (x + y) % 2 > 0];
  const DASHES = [[], [9, 4], [9, 3, 2, 3], [2, 3]]; // of contours, as HATCH of fills
  const state = {
    picture: null,          // {values, width, height}
    map: { data: new Uint8Array(0), width: 0, height: 0 },
    scribbles: null,        // a map with 255 where nothing is scribbled
    regions: null,          // superpixels, as a map of their numbers; keeps its borders once they are drawn
    window: [0, 1], colors: [], dashes: [], opacity: 0.45, fills: true, hidden: false,
    scale: 1, x: 0, y: 0,   // CSS pixels for a unit, and where the corner of the picture lies
    untouched: true,
  };
  let grey = null;          // the picture with its window, at its own size
  let layer = null;         // the mask's colors, at its own size
  let scribbled = null;     // those of the scribbles
  let inks = [];
  let ratio = 1;

  const step = () => { const [ax, ay] = aspectOf(); return [state.scale * ax, state.scale * ay]; };
  const size = () => [upper.clientWidth, upper.clientHeight];

  // ------------------------------------------------------------ where things are
  function fit() {
    const [width, height] = size();
    const { picture } = state;
    if (!picture || !width || !height) return;
    const [ax, ay] = aspectOf();
    state.scale = Math.min(width / (picture.width * ax), height / (picture.height * ay));
    state.x = (width - picture.width * ax * state.scale) / 2;
    state.y = (height - picture.height * ay * state.scale) / 2;
    state.untouched = true;
  }
  function resize() {
    const [width, height] = size();
    ratio = window.devicePixelRatio || 1;
    for (const canvas of [lower, upper]) {
      const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    }
    if (state.untouched) fit();
    paintAll();
  }
  function place(clientX, clientY) { // continuous, in pixels of the picture
    const box = upper.getBoundingClientRect();
    const [kx, ky] = step();
    return [(clientX - box.left - state.x) / kx, (clientY - box.top - state.y) / ky];
  }
  function toScreen(x, y) {
    const [kx, ky] = step();
    return [state.x + x * kx, state.y + y * ky];
  }
  function zoom(factor, px = size()[0] / 2, py = size()[1] / 2) {
    const [ax, ay] = aspectOf();
    const lowest = 0.5 * Math.min(...size()) / Math.max(state.map.width * ax, state.map.height * ay, 1);
    const scale = Math.min(Math.max(state.scale * factor, lowest), 64);
    const by = scale / state.scale;
    Object.assign(state, { scale, x: px - (px - state.x) * by, y: py - (py - state.y) * by, untouched: false });
    paintAll();
  }
  function pan(dx, dy) {
    Object.assign(state, { x: state.x + dx, y: state.y + dy, untouched: false });
    paintAll();
  }
  // Bring a pixel into view, for a cursor that is moved by keys.
  function reveal(x, y) {
    const [width, height] = size();
    const [sx, sy] = toScreen(x + 0.5, y + 0.5);
    const by = (at, length) => (at < 12 ? 12 - at : at > length - 12 ? length - 12 - at : 0);
    if (by(sx, width) || by(sy, height)) pan(by(sx, width), by(sy, height));
  }

  // ------------------------------------------------------------ the picture
  // A canvas that can be written pixel by pixel; the one before if it has the size.
  function sheet(before, width, height) {
    if (before?.canvas.width === width && before.canvas.height === height) return before;
    const canvas = new OffscreenCanvas(width, height);
    const image = new ImageData(width, height);
    return { canvas, context: canvas.getContext("2d"), image, pixels: new Uint32Array(image.data.buffer) };
  }
  // A picture in grey, with the window that is chosen, at its own size.
  function shaded({ values, width, height }, before) {
    const into = sheet(before, width, height);
    const { pixels } = into;
    const { window: [low, high] } = state;
    const by = 255 / (high - low || 1);
    for (let i = 0; i < values.length; i += 1) {
      const level = Math.min(Math.max((values[i] - low) * by, 0), 255) | 0;
      pixels[i] = 0xff000000 | (level << 16) | (level << 8) | level;
    }
    into.context.putImageData(into.image, 0, 0);
    return into;
  }
  function shade() { grey = state.picture && shaded(state.picture, grey); } // once for each window and level
  function level(chosen) {
    state.window = chosen;
    shade();
    paintPicture();
    state.onlevel?.();
  }
  function paintPicture() {
    const context = lower.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, lower.width, lower.height);
    if (!grey) return;
    const [kx, ky] = step();
    context.imageSmoothingEnabled = state.scale <= SMOOTH;
    context.imageSmoothingQuality = "high";
    const { canvas } = grey;
    context.drawImage(canvas, state.x * ratio, state.y * ratio, canvas.width * kx * ratio, canvas.height * ky * ratio);
    if (state.regions && !state.hidden) borders(context);
  }

  // The lines between regions, in pixels of the picture; those that continue each other are one.
  function between({ data, width, height }) {
    const path = new Path2D();
    const lines = (long, many, step, across, line) => {
      for (let j = 1; j < many; j += 1) {
        let from = -1;
        for (let i = 0; i <= long; i += 1) {
          const at = j * across + i * step;
          const edge = i < long && data[at] !== data[at - across];
          if (edge && from < 0) from = i;
          else if (!edge && from >= 0) { line(j, from, i); from = -1; }
        }
      }
    };
    lines(width, height, 1, width, (y, from, to) => { path.moveTo(from, y); path.lineTo(to, y); });
    lines(height, width, width, 1, (x, from, to) => { path.moveTo(x, from); path.lineTo(x, to); });
    return path;
  }
  function borders(context) { // of superpixels, thin: what lies below is judged
    const { regions } = state;
    const [kx, ky] = step();
    regions.borders ??= between(regions);
    const path = new Path2D();
    path.addPath(regions.borders, { a: kx, d: ky, e: state.x, f: state.y });
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.lineWidth = 1;
    context.strokeStyle = "rgba(255, 255, 255, 0.35)";
    context.stroke(path);
    context.restore();
  }

  // ------------------------------------------------------------ the mask
  // Bring the colors of a map up to date in a box; returns its layer, made anew for another size.
  function colored(before, { data, width, height }, box, none) {
    const into = sheet(before, width, height);
    const [left, top, right, bottom] = into === before ? box : [0, 0, width, height];
    for (let y = top; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1) {
        const value = data[y * width + x];
        const ink = inks[value];
        into.pixels[y * width + x] = value !== none && ink && ink.hatch(x, y) ? ink.rgba : 0;
      }
    }
    into.context.putImageData(into.image, 0, 0, left, top, right - left, bottom - top);
    return into;
  }
  // Draw the part of the mask in a box, of pixels of the picture, anew.
  function paintMask(changed = null) {
    const { map } = state;
    const context = upper.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    const box = changed ? painting.clip([changed[0] - 1, changed[1] - 1, changed[2] + 1, changed[3] + 1], map) : map.width ? painting.whole(map) : null;
    if (!changed) context.clearRect(0, 0, upper.width, upper.height);
    if (!box) return;
    layer = colored(layer, map, box, 0);
    if (state.scribbles) scribbled = colored(scribbled, state.scribbles, box, 255);
    const [left, top] = toScreen(box[0], box[1]).map((v) => Math.floor(v * ratio) - 1);
    const [right, bottom] = toScreen(box[2], box[3]).map((v) => Math.ceil(v * ratio) + 1);
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    if (changed) context.clearRect(left, top, right - left, bottom - top);
    if (!state.hidden) {
      const seen = painting.clip([box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2], map);
      const [kx, ky] = step();
      const [sx, sy] = toScreen(seen[0], seen[1]);
      const [w, h] = [seen[2] - seen[0], seen[3] - seen[1]];
      const lay = ({ canvas }, opacity) => {
        context.globalAlpha = opacity;
        context.drawImage(canvas, seen[0], seen[1], w, h, sx * ratio, sy * ratio, w * kx * ratio, h * ky * ratio);
        context.globalAlpha = 1;
      };
      context.imageSmoothingEnabled = false;
      if (state.fills) lay(layer, state.opacity);
      else contours(context, map, seen);
      if (state.scribbles) lay(scribbled, 0.9);
    }
    context.restore();
  }
  // The drawn parts of a dashed line. They lie where they lie whichever part of a contour is drawn anew.
  function dashed(dash, from, to, line) {
    const period = dash.reduce((a, b) => a + b, 0);
    if (!period) { line(from, to); return; }
    for (let start = Math.floor(from / period) * period; start < to; start += period) {
      let at = start;
      for (let i = 0; i < dash.length; i += 2) {
        const [a, b] = [Math.max(at, from), Math.min(at + dash[i], to)];
        if (a < b) line(a, b);
        at += dash[i] + dash[i + 1];
      }
    }
  }
  function contours(context, map, box) {
    const [kx, ky] = step();
    const inset = 0.75;
    const paths = new Map();
    painting.outline(map, box, (value, x0, y0, x1, y1, side) => {
      if (!paths.has(value)) paths.set(value, new Path2D());
      const path = paths.get(value);
      const dash = state.dashes[value] ?? [];
      if (side < 2) {
        const y = state.y + y0 * ky + (side === 0 ? inset : ky - inset);
        dashed(dash, x0 * kx, x1 * kx, (from, to) => { path.moveTo(state.x + from, y); path.lineTo(state.x + to, y); });
      } else {
        const x = state.x + x0 * kx + (side === 2 ? inset : -inset);
        dashed(dash, y0 * ky, y1 * ky, (from, to) => { path.moveTo(x, state.y + from); path.lineTo(x, state.y + to); });
      }
    });
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.lineWidth = 1.5;
    for (const [value, path] of paths) {
      context.lineCap = state.dashes[value]?.length ? "butt" : "square";
      context.strokeStyle = state.colors[value] || "#fff";
      context.stroke(path);
    }
    context.restore();
  }

  // ------------------------------------------------------------ brush, cursor, polygon
  const ring = svg("ellipse", { class: "sw-editor-ring", visibility: "hidden" });
  const cross = svg("path", { class: "sw-editor-cross", visibility: "hidden" });
  const line = svg("polyline", { class: "sw-editor-line" });
  const start = svg("circle", { class: "sw-editor-start", r: 5, visibility: "hidden" });
  marks.append(line, start, ring, cross);

  function show(node, on) { node.setAttribute("visibility", on ? "visible" : "hidden"); }
  function paintMarks({ at, brush, keyed, points }) {
    show(ring, at && brush);
    if (at && brush) {
      const [kx, ky] = step();
      const [cx, cy] = toScreen(at[0] + 0.5, at[1] + 0.5);
      const { scale } = state;
      for (const [name, value] of [["cx", cx], ["cy", cy], ["rx", Math.max(brush * scale, kx) / 2], ["ry", Math.max(brush * scale, ky) / 2]]) ring.setAttribute(name, value.toFixed(1));
    }
    show(cross, at && keyed);
    if (at && keyed) {
      const [cx, cy] = toScreen(at[0] + 0.5, at[1] + 0.5);
      cross.setAttribute("d", `M${cx - 11} ${cy}h7m8 0h7M${cx} ${cy - 11}v7m0 8v7`);
    }
    const seen = points.map(([x, y]) => toScreen(x, y));
    line.setAttribute("points", seen.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "));
    show(start, seen.length > 0);
    if (seen.length) { start.setAttribute("cx", seen[0][0]); start.setAttribute("cy", seen[0][1]); }
  }

  function paintAll() {
    paintPicture();
    paintMask();
    state.onmove?.();
  }
  function setColors(classes) {
    state.colors = classes.map((each) => each.color);
    state.dashes = classes.map((each) => DASHES[each.pattern % DASHES.length]);
    inks = classes.map(({ color, pattern }) => {
      const [r, g, b] = sw.rgb(color);
      return { rgba: (0xff000000 | (b << 16) | (g << 8) | r) >>> 0, hatch: HATCH[pattern % HATCH.length] };
    });
    layer = scribbled = null;
  }
  return { state, fit, resize, place, toScreen, zoom, pan, reveal, shade, shaded, level, paintPicture, paintMask, paintMarks, paintAll, setColors, forget() { layer = scribbled = null; } };
}
