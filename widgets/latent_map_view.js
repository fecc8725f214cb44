// Which part of the map is shown: pure geometry, in map units and pixels.
const views = (() => {
  const PAD = { left: 20, right: 20, top: 24, bottom: 32 }; // room for marks and axis titles
  const STRAY = 0.01; // share of the points at each end of an axis that may lie outside

  // Extent of the points, of nearly all of them and of every one: [left, right, bottom, top].
  function extent(xy) {
    const n = xy.length / 2;
    if (!n) return null;
    const most = [];
    const all = [];
    for (const k of [0, 1]) {
      const values = new Float32Array(n);
      for (let i = 0; i < n; i += 1) values[i] = xy[2 * i + k];
      values.sort();
      const cut = Math.floor(STRAY * n);
      most.push(values[cut], values[n - 1 - cut]);
      all.push(values[0], values[n - 1]);
    }
    return { most, all };
  }

  function grow([left, right, bottom, top], x, y) {
    return [Math.min(left, x), Math.max(right, x), Math.min(bottom, y), Math.max(top, y)];
  }

  // Nearly all points, and every source, pick and z'; a z' that is farther away than the
  // points are wide is left out, or an enormous step would shrink everything else.
  function wanted(extent, xy, rows, tips) {
    let box = extent.most;
    for (const row of rows) box = grow(box, xy[2 * row], xy[2 * row + 1]);
    const [left, right, bottom, top] = extent.all;
    const [w, h] = [0.5 * (right - left), 0.5 * (top - bottom)];
    for (let i = 0; i < tips.length; i += 2) {
      const [x, y] = [tips[i], tips[i + 1]];
      if (x > left - w && x < right + w && y > bottom - h && y < top + h) box = grow(box, x, y);
    }
    return box;
  }

  // Center and scale that show a box; both axes have the same scale.
  function fit([left, right, bottom, top], [width, height], noted = false) {
    const above = PAD.top + (noted ? 14 : 0);
    const across = (width - PAD.left - PAD.right) / (right - left || 1);
    const up = (height - above - PAD.bottom) / (top - bottom || 1);
    const scale = Math.max(Math.min(across, up), 1e-9);
    const center = [
      (left + right) / 2 + (PAD.right - PAD.left) / 2 / scale,
      (bottom + top) / 2 - (PAD.bottom - above) / 2 / scale,
    ];
    return { center, scale };
  }

  // Two fingers: what lay between them stays between them.
  function pinch(start, [a, b], [width, height], low, high) {
    const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
    const scale = Math.min(high, Math.max(low, (start.scale * apart) / start.apart));
    const center = [start.held[0] - (x - width / 2) / scale, start.held[1] + (y - height / 2) / scale];
    return { center, scale };
  }

  return { extent, wanted, fit, pinch };
})();
