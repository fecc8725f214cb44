// Tools that the kernel computes: smart fill, superpixels (parted there, painted here), scribbles
// that grow, and what the neighbors tell.
function editorComputed({ model, ask, editor, screen, aspectOf }) {
  const { element } = sw;
  const { state } = screen;
  const NONE = 255; // workbench.annotation.tools.UNMARKED
  const past = [];  // scribbles before each stroke of them
  let pixelsOf = []; // of each superpixel
  let partedFor = "";

  // ------------------------------------------------------------ what can be set
  const number = (label, title, value, [min, max, step], unit, oninput) => {
    const input = element("input", { type: "number", min, max, step, value, "aria-label": title, title, oninput: () => { if (input.checkValidity() && input.value) oninput?.(); } });
    return { input, node: element("label", { class: "sw-editor-option", hidden: true }, label, input, unit) };
  };
  const tolerance = number("range ±", "Largest difference of intensity from the pixel that is clicked, in standard deviations", "0.4", [0.05, 5, 0.05], " sd");
  const side = number("regions of", "Pixels along a side of a superpixel, about", "8", [3, 80, 1], " px", () => part());
  const growing = element("span", { class: "sw-editor-option", hidden: true },
    element("button", { title: "Let the scribbles grow to where the picture changes (G)", onclick: () => grow() }, "Grow", element("kbd", { "aria-hidden": "true" }, "G")),
    element("button", { class: "sw-quiet", title: "Remove all scribbles", onclick: () => clear() }, "Clear"));
  const beside = editorMenu("Neighbors", "Draw what the nearest annotated slices of the case tell");
  beside.fill([["Copy the one before", "V", () => fromNeighbors("copy", "before")], ["Copy the one after", "Shift+V", () => fromNeighbors("copy", "after")], ["Interpolate between them", "M", () => fromNeighbors("interpolate")]]);
  const options = element("span", { class: "sw-editor-options" }, tolerance.node, side.node, growing);

  function chosen(tool) {
    tolerance.node.hidden = tool !== "smart fill";
    side.node.hidden = tool !== "superpixels";
    growing.hidden = tool !== "scribbles";
    if (tool !== "scribbles") clear();
    if (tool === "superpixels") part();
    else { state.regions = null; screen.paintPicture(); }
  }

  function fromNeighbors(name, from) {
    if (editor.ready()) ask("tool", { name, ...(from ? { side: from } : {}) });
  }

  // ------------------------------------------------------------ smart fill
  function smartFill([column, row]) {
    if (editor.ready()) ask("tool", { name: "smart fill", row, column, label: editor.label, tolerance: Number(tolerance.input.value) });
  }

  // ------------------------------------------------------------ superpixels
  const wish = () => `${model.get("info").key} ${model.get("channel")} ${side.input.value}`;
  function part() {
    if (editor.tool !== "superpixels" || !editor.open()) return;
    if (partedFor === wish() && state.regions) return;
    partedFor = wish();
    pixelsOf = [];
    state.regions = null;
    editor.say("parting the slice");
    model.send({ do: "superpixels", size: Number(side.input.value), wish: partedFor });
  }
  async function parted() {
    const found = model.get("segments");
    if (found.wish !== partedFor || editor.tool !== "superpixels") return;
    const bytes = await editor.inflated(found.data);
    const data = new Int32Array(bytes.buffer);
    if (found.wish !== partedFor || data.length !== state.map.data.length) return;
    pixelsOf = [];
    data.forEach((region, i) => (pixelsOf[region] ??= []).push(i));
    state.regions = { data, width: state.map.width, height: state.map.height };
    screen.paintPicture();
    editor.say(`${pixelsOf.length} superpixels`);
  }
  function paintRegions(from, to, size, value) {
    if (!state.regions) return null;
    const { width, height, data } = state.map;
    const under = { data: new Uint8Array(data.length), width, height };
    const touched = painting.sweep(under, from, to, size, aspectOf(), 1);
    if (!touched) return null;
    const regions = new Set();
    for (let y = touched[1]; y < touched[3]; y += 1) {
      for (let x = touched[0]; x < touched[2]; x += 1) if (under.data[y * width + x]) regions.add(state.regions.data[y * width + x]);
    }
    let [left, top, right, bottom] = [width, height, 0, 0];
    for (const region of regions) {
      for (const at of pixelsOf[region] ?? []) {
        data[at] = value;
        const x = at % width;
        const y = (at - x) / width;
        left = Math.min(left, x);
        right = Math.max(right, x + 1);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y + 1);
      }
    }
    return right > left ? [left, top, right, bottom] : null;
  }

  // ------------------------------------------------------------ scribbles
  function scribble(from, to, size, value) {
    return painting.sweep(state.scribbles, from, to, size, aspectOf(), value);
  }
  function beginScribble() {
    const { width, height } = state.map;
    if (state.scribbles?.data.length !== width * height) state.scribbles = { data: new Uint8Array(width * height).fill(NONE), width, height };
    past.push(state.scribbles.data.slice());
  }
  function undoScribble() {
    if (!past.length) return false;
    state.scribbles.data.set(past.pop());
    screen.paintMask();
    return true;
  }
  function clear() {
    past.length = 0;
    if (!state.scribbles) return;
    state.scribbles = null;
    screen.paintMask();
  }
  function grow() {
    if (!state.scribbles || !past.length) { editor.say("Nothing is scribbled yet"); return; }
    if (!editor.ready()) return;
    ask("tool", { name: "scribbles" }, [state.scribbles.data.slice().buffer]);
    editor.say("the scribbles grow");
  }
  // What was scribbled goes when its label map has come, and stays where it was refused.
  function answered(problem) { if (!problem) clear(); }

  model.on("change:segments", parted);
  return {
    options, beside: beside.node, chosen, fromNeighbors, smartFill, paintRegions, scribble, beginScribble, undoScribble, grow, answered,
    opened() { clear(); partedFor = ""; pixelsOf = []; state.regions = null; part(); },
    get scribbled() { return past.length > 0; },
    stop() { model.off("change:segments", parted); },
  };
}
