// Painting on a label map: pure functions, no page. A map is {data, width, height} with one byte a
// pixel, row by row; a box is [left, top, right, bottom] in pixels, right and bottom left out.
const painting = (() => {
  const whole = ({ width, height }) => [0, 0, width, height];

  function join(a, b) {
    if (!a || !b) return a || b;
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
  }

  function clip([left, top, right, bottom], { width, height }) {
    const box = [Math.max(left, 0), Math.max(top, 0), Math.min(right, width), Math.min(bottom, height)];
    return box[0] < box[2] && box[1] < box[3] ? box : null;
  }

  // The brush: every pixel whose center is within half the size of the line between two pixels.
  // Size 1 is one pixel; aspect is the size of a pixel in units of its shorter side.
  function sweep(map, [x0, y0], [x1, y1], size, [ax, ay], value) {
    const reach = size / 2;
    const [across, down] = [Math.floor(reach / ax), Math.floor(reach / ay)];
    const box = clip([Math.min(x0, x1) - across, Math.min(y0, y1) - down, Math.max(x0, x1) + across + 1, Math.max(y0, y1) + down + 1], map);
    if (!box) return null;
    const [dx, dy] = [(x1 - x0) * ax, (y1 - y0) * ay];
    const squared = dx * dx + dy * dy;
    for (let y = box[1]; y < box[3]; y += 1) {
      const py = (y - y0) * ay;
      for (let x = box[0]; x < box[2]; x += 1) {
        const px = (x - x0) * ax;
        const t = squared ? Math.min(Math.max((px * dx + py * dy) / squared, 0), 1) : 0;
        const ex = px - t * dx;
        const ey = py - t * dy;
        if (ex * ex + ey * ey <= reach * reach) map.data[y * map.width + x] = value;
      }
    }
    return box;
  }

  // Every pixel whose center lies inside a closed line of [x, y] in pixels (even-odd rule).
  function polygon(map, points, value) {
    const rows = points.map(([, y]) => y);
    const [top, bottom] = [Math.max(0, Math.floor(Math.min(...rows))), Math.min(map.height, Math.ceil(Math.max(...rows)))];
    let box = null;
    for (let y = top; y < bottom; y += 1) {
      const crossings = [];
      for (let i = 0; i < points.length; i += 1) {
        const [ax, ay] = points[i];
        const [bx, by] = points[(i + 1) % points.length];
        if ((ay <= y + 0.5) !== (by <= y + 0.5)) crossings.push(ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax));
      }
      crossings.sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const from = Math.max(0, Math.ceil(crossings[i] - 0.5));
        const to = Math.min(map.width, Math.ceil(crossings[i + 1] - 0.5));
        if (from >= to) continue;
        map.data.fill(value, y * map.width + from, y * map.width + to);
        box = join(box, [from, y, to, y + 1]);
      }
    }
    return box;
  }

  // The connected pixels (over edges) of one class get another.
  function flood(map, [x, y], value) {
    const { data, width, height } = map;
    const old = data[y * width + x];
    if (old === value) return null;
    let [left, top, right, bottom] = [x, y, x, y];
    const stack = [y * width + x];
    const take = (at) => { if (data[at] === old) { data[at] = value; stack.push(at); } };
    data[stack[0]] = value;
    while (stack.length) {
      const at = stack.pop();
      const column = at % width;
      const row = (at - column) / width;
      left = Math.min(left, column);
      right = Math.max(right, column);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
      if (column > 0) take(at - 1);
      if (column + 1 < width) take(at + 1);
      if (row > 0) take(at - width);
      if (row + 1 < height) take(at + width);
    }
    return [left, top, right + 1, bottom + 1];
  }

  // Lines along the inner edges of every class in a box, drawn by `line(class, x0, y0, x1, y1)`;
  // edges in one row that continue each other are one line.
  function outline({ data, width, height }, [left, top, right, bottom], line) {
    for (let y = top; y < bottom; y += 1) {
      for (const [beyond, step, side] of [[y === 0, -width, 0], [y === height - 1, width, 1]]) {
        let [from, value] = [-1, 0];
        for (let x = left; x <= right; x += 1) {
          const at = y * width + x;
          const own = x < right ? data[at] : 0;
          const edge = own && (beyond || data[at + step] !== own) ? own : 0;
          if (edge === value) continue;
          if (value) line(value, from, y, x, y, side);
          [from, value] = [x, edge];
        }
      }
      for (let x = left; x < right; x += 1) {
        const at = y * width + x;
        const own = data[at];
        if (!own) continue;
        if (x === 0 || data[at - 1] !== own) line(own, x, y, x, y + 1, 2);
        if (x === width - 1 || data[at + 1] !== own) line(own, x + 1, y, x + 1, y + 1, 3);
      }
    }
  }

  return { whole, join, clip, sweep, polygon, flood, outline };
})();
