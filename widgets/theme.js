// Shared by every view: this text is put in front of each view's script.
// Everything lives in one constant, `sw`, so that no name can collide.
const sw = (() => {
  // Okabe–Ito: the same values as workbench/reports/figures.py.
  const PALETTE = {
    black: "#000000", orange: "#E69F00", sky: "#56B4E9", green: "#009E73",
    yellow: "#F0E442", blue: "#0072B2", vermilion: "#D55E00", purple: "#CC79A7",
  };

  // Untrusted text only ever becomes a text node.
  function element(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  }

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  // Replace what a node holds; what is null is left out.
  function put(node, ...children) {
    node.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
  }

  // Bytes of a trait as a typed array; copied, so that the alignment is right.
  function array(kind, view) {
    if (!view || !view.byteLength) return new kind(0);
    return new kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  }

  // A picture with 16 bits a pixel (widgets.pictures.deep_png) as values; range: those of 0 and 65,535.
  async function picture(bytes, [low, high]) {
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const values = new Float32Array(width * height);
    for (let i = 0; i < values.length; i += 1) values[i] = low + (high - low) * (data[4 * i] * 256 + data[4 * i + 1]) / 65535;
    bitmap.close();
    return { values, width, height };
  }

  // Closed lines over a picture (widgets.pictures.contours); x, y: where its corner lies, kx, ky: size of a pixel.
  function outline(context, points, { x = 0, y = 0, kx, ky, ratio, color, dash = [] }) {
    context.strokeStyle = color;
    context.lineWidth = 1.5 * ratio;
    context.setLineDash(dash.map((d) => d * ratio));
    context.beginPath();
    let pen = false;
    for (let i = 0; i < points.length; i += 2) {
      if (Number.isNaN(points[i])) { pen = false; continue; }
      if (pen) context.lineTo(x + points[i] * kx, y + points[i + 1] * ky);
      else context.moveTo(x + points[i] * kx, y + points[i + 1] * ky);
      pen = true;
    }
    context.stroke();
    context.setLineDash([]);
  }

  const parser = typeof document === "undefined" ? null : document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  // Any CSS color as [r, g, b], 0…255.
  function rgb(color) {
    parser.clearRect(0, 0, 1, 1);
    parser.fillStyle = "#888888";
    parser.fillStyle = color;
    parser.fillRect(0, 0, 1, 1);
    return [...parser.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  function luminance([r, g, b]) {
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  }

  // The theme's colors as a canvas needs them.
  function theme(node) {
    const style = getComputedStyle(node.isConnected ? node : document.body); // a view is drawn before it is attached
    const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
    const background = read("--jp-layout-color1", "#ffffff");
    const dark = luminance(rgb(background)) < 0.5;
    return {
      dark,
      background,
      ink: dark ? "#ffffff" : "#000000",
      text: read("--jp-ui-font-color1", dark ? "rgba(255,255,255,.87)" : "rgba(0,0,0,.87)"),
      faint: dark ? "rgba(255,255,255,.62)" : "rgba(0,0,0,.58)",
      line: dark ? "rgba(255,255,255,.13)" : "rgba(0,0,0,.10)",
      font: read("--jp-ui-font-family", "system-ui, sans-serif"),
    };
  }

  // Call back when JupyterLab's theme or the system's changes; returns how to stop.
  function onTheme(callback) {
    const later = () => { for (const wait of [60, 600]) setTimeout(callback, wait); }; // the new sheet needs a moment
    const observer = new MutationObserver(later);
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", later);
    return () => { observer.disconnect(); system.removeEventListener("change", later); };
  }

  // JupyterLab takes keys for itself unless it is told not to.
  function shield(node) {
    node.setAttribute("data-lm-suppress-shortcuts", "true");
    for (const type of ["keydown", "keyup", "keypress"]) {
      node.addEventListener(type, (event) => event.stopPropagation());
    }
    return node;
  }

  // Send wishes to Python with at most one on its way: what comes meanwhile is
  // merged, so that the newest value wins and nothing queues up.
  function latest(model, name) {
    let waiting = null;
    let ticket = 0;
    let flying = 0;
    let watchdog = 0;
    function arrived(message) {
      if (!message || message.done !== flying || !flying) return;
      clearTimeout(watchdog);
      flying = 0;
      if (waiting) depart();
    }
    function depart() {
      const wish = waiting;
      waiting = null;
      ticket += 1;
      flying = ticket;
      // A kernel that was restarted never answers: do not wait for ever.
      watchdog = setTimeout(() => { flying = 0; if (waiting) depart(); }, 5000);
      model.send({ do: name, ticket, ...wish });
    }
    model.on("msg:custom", arrived);
    return {
      send(wish) {
        waiting = { ...waiting, ...wish };
        if (!flying) depart();
      },
      get idle() { return !flying && !waiting; },
      stop() { clearTimeout(watchdog); model.off("msg:custom", arrived); },
    };
  }

  // Digits that a number deserves: 2.0, 36, 0.35, 2·10⁻⁶.
  function number(value, digits = 2) {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size < 1e-3 || size >= 1e6) {
      let power = Math.floor(Math.log10(size));
      let lead = value / 10 ** power;
      if (Math.abs(lead) >= 9.95) { lead /= 10; power += 1; }
      const raised = [...String(power)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)])).join("");
      const shown = lead.toFixed(1).replace(/\.0$/, "").replace("-", "−");
      return shown === "1" ? `10${raised}` : `${shown}·10${raised}`;
    }
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    // 2.0 keeps its zero, 0.0010 does not
    const text = places ? value.toFixed(Math.min(places, 4)).replace(size < 0.1 ? /0+$/ : /$^/, "") : Math.round(value).toLocaleString("en-US");
    return text.replace("-", "−");
  }

  function count(n, one, many) {
    return `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
  }

  return { PALETTE, element, svg, put, array, picture, outline, rgb, theme, onTheme, shield, latest, number, count };
})();
