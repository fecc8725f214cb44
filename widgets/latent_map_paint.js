// How the map is painted; knows nothing of messages, mice or keys.
//
// Points are stamped into the pixels of the lower canvas: small antialiased
// masks, computed once for sixteen subpixel places, so that 40,000 points take
// a few milliseconds. Arrows, cones and picks are drawn on the upper canvas.
const paint = (() => {
  const CIVIDIS = ["#00224E", "#123570", "#3B496C", "#575D6D", "#707173", "#8A8678", "#A59C74", "#C3B369", "#E1CC55", "#FEE838"];
  const UNKNOWN = 256; // shade of a point whose value is not known
  const SHADES = 257;
  const SUBPIXELS = 4;

  // 256 colors for values; the end that would vanish in the theme is left out.
  function ramp(dark) {
    const anchors = CIVIDIS.map(sw.rgb);
    const [from, to] = dark ? [0.2, 1] : [0, 0.94];
    return Array.from({ length: 256 }, (_, i) => {
      const at = (from + ((to - from) * i) / 255) * (anchors.length - 1);
      const low = Math.min(Math.floor(at), anchors.length - 2);
      return anchors[low].map((c, k) => Math.round(c + (anchors[low + 1][k] - c) * (at - low)));
    });
  }

  function caseColors(dark) {
    const p = sw.PALETTE;
    return [dark ? p.sky : p.blue, p.vermilion, p.green, p.purple, p.orange, dark ? p.yellow : p.sky, dark ? "#dddddd" : p.black].map(sw.rgb);
  }

  // Is (x, y), in units of the radius, inside the shape?
  const SHAPES = {
    disc: (x, y) => x * x + y * y <= 1,
    square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.9,
    diamond: (x, y) => Math.abs(x) + Math.abs(y) <= 1.2,
    up: (x, y) => y <= 0.8 && Math.abs(x) <= (y + 1.1) * 0.58,
    down: (x, y) => y >= -0.8 && Math.abs(x) <= (1.1 - y) * 0.58,
    plus: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 1.1 && Math.min(Math.abs(x), Math.abs(y)) <= 0.36,
    ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.42,
    cross: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.95 && Math.abs(Math.abs(x) - Math.abs(y)) <= 0.45,
  };
  const CASE_SHAPES = ["disc", "square", "diamond", "up", "down", "plus", "cross"];

  const masks = new Map();
  // Coverage (0…255) of a shape at sixteen subpixel places; 4 × 4 samples a pixel.
  function stamp(shape, radius) {
    const key = `${shape}/${radius.toFixed(2)}`;
    if (masks.has(key)) return masks.get(key);
    const half = Math.ceil(radius * 1.2 + 1);
    const size = 2 * half + 1;
    const places = [];
    for (let oy = 0; oy < SUBPIXELS; oy += 1) {
      for (let ox = 0; ox < SUBPIXELS; ox += 1) {
        const mask = new Uint8Array(size * size);
        for (let y = 0; y < size; y += 1) {
          for (let x = 0; x < size; x += 1) {
            let hits = 0;
            for (let j = 0; j < 4; j += 1) {
              for (let i = 0; i < 4; i += 1) {
                const dx = x + (i + 0.5) / 4 - half - (ox + 0.5) / SUBPIXELS;
                const dy = y + (j + 0.5) / 4 - half - (oy + 0.5) / SUBPIXELS;
                if (SHAPES[shape](dx / radius, dy / radius)) hits += 1;
              }
            }
            mask[y * size + x] = Math.round((hits * 255) / 16);
          }
        }
        places.push(mask);
      }
    }
    const made = { size, half, places };
    if (masks.size > 60) masks.clear();
    masks.set(key, made);
    return made;
  }

  // How each class of points looks: [r, g, b], opacity, stamp, drawn after others.
  function looks(scale, theme, radius, n) {
    const crowded = Math.min(1, Math.max(0.5, 3000 / n));
    const grey = theme.dark ? [158, 158, 158] : [128, 128, 128];
    const blue = sw.rgb(theme.dark ? sw.PALETTE.sky : sw.PALETTE.blue);
    const marked = Math.max(radius * 1.3, 2.4 * devicePixelRatio);
    const byState = [
      { color: grey, opacity: 0.55 * crowded, stamp: stamp("disc", radius), late: false },
      { color: blue, opacity: 0.95, stamp: stamp("square", marked), late: true },
      { color: grey, opacity: 0.4 * crowded, stamp: stamp("ring", radius), late: false },
    ];
    const table = [];
    const shades = scale.kind === "state" ? [] : ramp(theme.dark);
    const few = scale.kind === "case" && scale.names?.length ? caseColors(theme.dark) : null;
    for (let state = 0; state < 3; state += 1) {
      for (let shade = 0; shade < SHADES; shade += 1) {
        const look = { ...byState[state] };
        if (scale.kind !== "state" && shade !== UNKNOWN) {
          look.color = few ? few[shade % 7] : shades[shade];
          look.opacity = state === 1 ? 1 : 0.85;
          if (few) look.stamp = stamp(CASE_SHAPES[shade % 7], state === 1 ? marked : Math.max(radius, 1.8));
        }
        table.push(look);
      }
    }
    return table;
  }

  // The class of every point: its state and its shade.
  function classes(states, shades, scale) {
    const result = new Uint16Array(states.length);
    const few = scale.kind === "case" && scale.names?.length > 0;
    const low = scale.kind === "case" ? 0 : scale.low;
    const span = (scale.kind === "case" ? scale.high - 1 : scale.high - scale.low) || 1;
    for (let i = 0; i < states.length; i += 1) {
      let shade = UNKNOWN;
      if (scale.kind !== "state" && i < shades.length && Number.isFinite(shades[i])) {
        shade = few ? shades[i] : Math.max(0, Math.min(255, Math.round(((shades[i] - low) / span) * 255)));
      }
      result[i] = states[i] * SHADES + shade;
    }
    return result;
  }

  // Stamp all points into the pixels of an opaque canvas.
  function points(context, background, xy, kinds, table, view) {
    const { width, height } = context.canvas;
    const image = context.createImageData(width, height);
    const data = image.data;
    const [r, g, b] = sw.rgb(background);
    new Uint32Array(data.buffer).fill(((255 << 24) | (b << 16) | (g << 8) | r) >>> 0);
    for (const late of [false, true]) {
      for (let i = 0; i < kinds.length; i += 1) {
        const look = table[kinds[i]];
        if (look.late !== late) continue;
        const px = view.ax + xy[2 * i] * view.sx;
        const py = view.ay + xy[2 * i + 1] * view.sy;
        const { size, half, places } = look.stamp;
        const fx = Math.floor(px);
        const fy = Math.floor(py);
        const left = fx - half;
        const top = fy - half;
        if (left < 0 || top < 0 || left + size > width || top + size > height) continue;
        const mask = places[Math.floor((py - fy) * SUBPIXELS) * SUBPIXELS + Math.floor((px - fx) * SUBPIXELS)];
        const [cr, cg, cb] = look.color;
        const opacity = look.opacity / 255;
        let from = 0;
        for (let y = 0; y < size; y += 1) {
          let to = ((top + y) * width + left) * 4;
          for (let x = 0; x < size; x += 1, from += 1, to += 4) {
            const cover = mask[from];
            if (cover === 0) continue;
            const a = cover * opacity;
            data[to] += (cr - data[to]) * a;
            data[to + 1] += (cg - data[to + 1]) * a;
            data[to + 2] += (cb - data[to + 2]) * a;
          }
        }
      }
    }
    context.putImageData(image, 0, 0);
  }

  // ------------------------------------------------------------ marks
  function star(context, x, y, r) {
    context.beginPath();
    for (let i = 0; i < 10; i += 1) {
      const angle = (i * Math.PI) / 5 - Math.PI / 2;
      const at = i % 2 ? r * 0.42 : r;
      context.lineTo(x + at * Math.cos(angle), y + at * Math.sin(angle));
    }
    context.closePath();
  }

  function suggestion(context, x, y, hollow, theme, r = 8) {
    star(context, x, y, r);
    context.lineJoin = "round";
    if (hollow) {
      context.strokeStyle = theme.background;
      context.lineWidth = 4;
      context.stroke();
      context.strokeStyle = theme.vermilion;
      context.lineWidth = 1.8;
      context.stroke();
      return;
    }
    context.strokeStyle = theme.background;
    context.lineWidth = 2;
    context.stroke();
    context.fillStyle = theme.vermilion;
    context.fill();
  }

  function ring(context, x, y, r, color, width, dash = []) {
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.setLineDash(dash);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
    context.setLineDash([]);
  }

  function cross(context, x, y, r, color, width) {
    context.beginPath();
    context.moveTo(x - r, y - r);
    context.lineTo(x + r, y + r);
    context.moveTo(x + r, y - r);
    context.lineTo(x - r, y + r);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }

  // An arrow that starts at the edge of its source's ring and ends before z'.
  function arrow(context, x0, y0, x1, y1, color, width, fixed) {
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length < 1e-6) return;
    const ux = (x1 - x0) / length;
    const uy = (y1 - y0) / length;
    const start = Math.min(6, length * 0.4);
    const end = length - (fixed ? 0 : Math.min(5, length * 0.2));
    const head = Math.min(8, Math.max(4, length * 0.4));
    context.strokeStyle = color;
    context.fillStyle = color;
    context.lineWidth = width;
    context.setLineDash(fixed ? [4, 3] : []);
    context.beginPath();
    context.moveTo(x0 + ux * start, y0 + uy * start);
    context.lineTo(x0 + ux * Math.max(start, end - head), y0 + uy * Math.max(start, end - head));
    context.stroke();
    context.setLineDash([]);
    const tx = x0 + ux * end;
    const ty = y0 + uy * end;
    context.beginPath();
    context.moveTo(tx, ty);
    context.lineTo(tx - ux * head - uy * head * 0.42, ty - uy * head + ux * head * 0.42);
    context.lineTo(tx - ux * head + uy * head * 0.42, ty - uy * head - ux * head * 0.42);
    context.closePath();
    context.fill();
  }

  // Everything that a slider moves. Returns how many z' lie outside the picture.
  function overlay(context, scene, theme) {
    const { width, height, at, xy, radius } = scene;
    const many = scene.sources.length > 60;
    context.clearRect(0, 0, width, height);
    context.lineCap = "round";
    const place = (row) => at(xy[2 * row], xy[2 * row + 1]);
    const sources = Array.from(scene.sources, (row) => ({ row, at: place(row) }));
    const numberOf = new Map(sources.map((source, i) => [source.row, i]));
    let outside = 0;
    sources.forEach((source, i) => {
      let [x, y] = at(scene.tips[2 * i], scene.tips[2 * i + 1]);
      if (scene.fixed) {
        const length = Math.hypot(x - source.at[0], y - source.at[1]) || 1;
        x = source.at[0] + ((x - source.at[0]) * 34) / length;
        y = source.at[1] + ((y - source.at[1]) * 34) / length;
      }
      source.tip = [x, y];
      source.apex = scene.fixed ? source.at : source.tip;
      if (x < 0 || y < 0 || x > width || y > height) outside += 1;
    });
    // points inside a cone
    if (scene.inside.length) {
      // Over colored points an open ring, so that their color stays visible.
      const r = Math.max(1.7, radius + (scene.colored ? 1.8 : 0.7));
      context.fillStyle = theme.dark ? "rgba(230,159,0,.62)" : "rgba(230,159,0,.55)";
      context.strokeStyle = theme.faint;
      context.lineWidth = 1;
      context.beginPath();
      for (let i = 0; i < xy.length / 2; i += 1) {
        if (!((scene.inside[i >> 3] >> (7 - (i & 7))) & 1)) continue;
        const [x, y] = place(i);
        if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
        context.moveTo(x + r, y);
        context.arc(x, y, r, 0, 2 * Math.PI);
      }
      if (scene.colored) context.stroke();
      else context.fill();
    }
    // wedges
    if (scene.wedge && scene.halfAngle < 180) {
      const half = (scene.halfAngle * Math.PI) / 180;
      context.fillStyle = theme.dark ? "rgba(230,159,0,.14)" : "rgba(230,159,0,.13)";
      context.strokeStyle = theme.dark ? "rgba(240,180,50,.75)" : "rgba(196,130,0,.75)";
      context.lineWidth = 1;
      sources.forEach((source, i) => {
        if (!scene.reach[i]) return;
        const length = Math.max(26, scene.reach[i] * scene.pixelsPerUnit);
        const axis = Math.atan2(source.tip[1] - source.at[1], source.tip[0] - source.at[0]);
        context.beginPath();
        context.moveTo(...source.apex);
        context.arc(...source.apex, length, axis - half, axis + half);
        context.closePath();
        context.fill();
        context.stroke();
      });
    }
    // which source led to which pick
    const chosen = new Set();
    const picks = Array.from(scene.picks, (row, i) => {
      const source = numberOf.get(scene.pickSources[i]);
      if (row === scene.current || row === scene.focused) chosen.add(source);
      return { row, at: place(row), source, hollow: scene.flags[i] > 0 };
    });
    if (numberOf.has(scene.current)) chosen.add(numberOf.get(scene.current));
    chosen.delete(undefined);
    for (const pick of picks) {
      if (pick.source === undefined) continue;
      const strong = chosen.has(pick.source);
      context.beginPath();
      context.moveTo(...sources[pick.source].apex);
      context.lineTo(...pick.at);
      context.strokeStyle = theme.vermilion;
      context.globalAlpha = strong ? 1 : many ? 0.25 : 0.75;
      context.lineWidth = strong ? 1.8 : 1.2;
      context.setLineDash([1.5, 3]);
      context.stroke();
      context.setLineDash([]);
    }
    sources.forEach((source, i) => {
      const strong = chosen.has(i);
      context.globalAlpha = strong || !many ? 1 : 0.5;
      arrow(context, ...source.at, ...source.tip, theme.ink, strong ? 2.2 : many ? 1 : 1.4, scene.fixed);
    });
    context.globalAlpha = 1;
    for (const source of sources) {
      ring(context, ...source.at, many ? 3.5 : 5.5, theme.background, 3.4);
      ring(context, ...source.at, many ? 3.5 : 5.5, theme.ink, 1.6);
    }
    if (!scene.fixed) {
      for (const source of sources) {
        cross(context, ...source.tip, many ? 2.5 : 4, theme.background, 3.8);
        cross(context, ...source.tip, many ? 2.5 : 4, theme.vermilion, 2);
      }
    }
    for (const pick of [...picks].reverse()) suggestion(context, ...pick.at, pick.hollow, theme, picks.length > 60 ? 6 : 8);
    if (scene.current >= 0 && 2 * scene.current < xy.length) {
      const [x, y] = place(scene.current);
      ring(context, x, y, 13, theme.background, 4.5);
      ring(context, x, y, 13, sw.PALETTE.purple, 2.6);
    }
    if (scene.focused >= 0 && 2 * scene.focused < xy.length) {
      ring(context, ...place(scene.focused), 17, theme.ink, 1.6, [4, 3]);
    }
    if (scene.lasso.length > 1) {
      context.beginPath();
      for (const [x, y] of scene.lasso) context.lineTo(x, y);
      context.closePath();
      context.fillStyle = theme.dark ? "rgba(255,255,255,.08)" : "rgba(0,0,0,.06)";
      context.fill();
      context.setLineDash([5, 4]);
      context.lineWidth = 1.3;
      context.strokeStyle = theme.ink;
      context.stroke();
      context.setLineDash([]);
    }
    return outside;
  }

  return { ramp, caseColors, CASE_SHAPES, looks, classes, points, overlay };
})();
