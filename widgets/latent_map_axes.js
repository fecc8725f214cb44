// The frame of the map. Ticks and a scale bar only where the map keeps distances:
// on latent axes and PCA, not on t-SNE and UMAP.
const axes = (() => {
  function nice(span, pieces) {
    const raw = span / pieces;
    const power = 10 ** Math.floor(Math.log10(raw));
    return power * ([1, 2, 5, 10].find((step) => step * power >= raw) ?? 10);
  }

  // Grid, ticks, titles and a scale bar in u, over the points but faint.
  function draw(context, frame, view, width, height, theme) {
    context.font = `11px ${theme.font}`;
    context.textBaseline = "alphabetic";
    const measured = frame.method === "axes" || frame.method === "pca";
    const label = (value, step) => value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))).replace("-", "−");
    if (measured) {
      const step = nice(width / view.pixelsPerUnit, Math.max(3, width / 90));
      const [left, bottom] = view.from(0, height);
      const [right, top] = view.from(width, 0);
      context.lineWidth = 1;
      context.strokeStyle = theme.line;
      context.fillStyle = theme.faint;
      context.beginPath();
      for (let v = Math.ceil(left / step) * step; v <= right; v += step) {
        const x = Math.round(view.at(v, 0)[0]) + 0.5;
        context.moveTo(x, 0);
        context.lineTo(x, height);
        context.textAlign = "center";
        if (x > 34 && x < width - 80) context.fillText(label(Math.abs(v) < step / 2 ? 0 : v, step), x, height - 4);
      }
      for (let v = Math.ceil(bottom / step) * step; v <= top; v += step) {
        const y = Math.round(view.at(0, v)[1]) + 0.5;
        context.moveTo(0, y);
        context.lineTo(width, y);
        context.textAlign = "left";
        if (y > 26 && y < height - 22) context.fillText(label(Math.abs(v) < step / 2 ? 0 : v, step), 4, y - 3);
      }
      context.stroke();
    }
    context.fillStyle = theme.text;
    context.font = `600 12px ${theme.font}`;
    context.textAlign = "right";
    if (frame.axes[0]) context.fillText(`${frame.axes[0]} →`, width - 6, height - 5);
    context.textAlign = "left";
    if (frame.axes[1]) context.fillText(`↑ ${frame.axes[1]}`, 5, 15);
    if (!frame.axes[0]) {
      context.font = `11px ${theme.font}`;
      context.fillStyle = theme.faint;
      context.fillText(`${frame.map}: neighbors stay together; distances and directions are not kept`, 5, height - 5);
    }
    if (frame.u > 0) {
      const units = nice((width * 0.1) / (view.pixelsPerUnit * frame.u), 1);
      const length = units * frame.u * view.pixelsPerUnit;
      const x = width - 10;
      context.font = `11px ${theme.font}`;
      context.fillStyle = theme.text;
      context.strokeStyle = theme.text;
      context.lineWidth = 1.5;
      context.beginPath();
      context.moveTo(x - length, height - 27);
      context.lineTo(x - length, height - 23);
      context.lineTo(x, height - 23);
      context.lineTo(x, height - 27);
      context.stroke();
      context.textAlign = "center";
      context.fillText(`${sw.number(units)} u`, x - length / 2, height - 29);
    }
  }

  return { draw };
})();
