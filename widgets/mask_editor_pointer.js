// Hands of the editor: mouse, pen, fingers and keys become strokes on the map.
function editorHands({ stage, screen, editor, aspectOf }) {
  const CLOSE = 10;           // CSS pixels within which a polygon is closed
  const FREEHAND = 12;        // a line longer than this, drawn with the button down, closes itself
  const fingers = new Map();  // id → [x, y] of what touches the stage
  let owner = null;           // {id, touch}: the pointer that draws; others are ignored meanwhile
  let stroke = null;          // {value, size, last}: the brush is down
  let drag = null;            // the picture is moved, or its window
  let pinch = null;
  let points = [];            // corners of a polygon
  let drawn = 0;              // CSS pixels of its line drawn with the button down
  let held = false;
  let laid = "";              // the tool that was laid down while the other end of a pen erases
  let space = null;           // {used} while the space bar is down
  let at = null;              // pixel under the pointer, or the cursor of the keys
  let keyed = false;
  let lifted = true;          // the brush of the keys

  const pixel = ([x, y]) => [Math.floor(x), Math.floor(y)];
  const brushing = () => ["brush", "eraser", "superpixels", "scribbles"].includes(editor.tool);
  const value = () => (editor.tool === "eraser" ? 0 : editor.label);
  const inside = ([x, y]) => x >= 0 && y >= 0 && x < screen.state.map.width && y < screen.state.map.height;

  function paint() {
    editor.follow(at && inside(at) ? at : null);
    screen.paintMarks({ at: at && inside(at) ? at : null, brush: brushing() ? editor.size : 0, keyed, points });
  }

  // ------------------------------------------------------------ the brush
  function press(where) {
    if (!editor.begin()) return;
    stroke = { value: value(), size: editor.size, last: where };
    sweep(where);
  }
  function sweep(to) {
    editor.touched(editor.brush(stroke.last, to, stroke.size, stroke.value));
    stroke.last = to;
  }
  function lift() {
    if (!stroke) return;
    stroke = null;
    lifted = true;
    editor.finish(editor.tool);
  }
  function takeUp() { // the tool again that was chosen before the pen was turned around
    if (!laid) return;
    editor.hold(laid);
    laid = "";
  }
  function drop() { // leave nothing of what is being drawn
    if (stroke) { stroke = null; editor.cancel(); }
    takeUp();
    points = [];
    lifted = true;
    held = false;
    paint();
  }

  // ------------------------------------------------------------ polygon, fill, a click for the kernel
  function close() {
    const corners = points;
    points = [];
    held = false;
    if (corners.length >= 3 && editor.begin()) {
      editor.touched(painting.polygon(screen.state.map, corners, editor.label));
      editor.finish("polygon");
    } else if (corners.length) editor.say("A polygon needs three corners");
    paint();
  }
  function apart([ax, ay], [bx, by]) {
    const [a, b] = [screen.toScreen(ax, ay), screen.toScreen(bx, by)];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  }
  function corner(where) {
    if (!points.length && !editor.ready()) return; // it says why not
    if (points.length >= 3 && apart(where, points[0]) < CLOSE) { close(); return; }
    points.push(where);
    editor.say(sw.count(points.length, "corner", "corners"));
    paint();
  }
  function fill(where) {
    if (!inside(where) || !editor.begin()) return;
    editor.touched(painting.flood(screen.state.map, where, editor.label));
    editor.finish("fill");
  }
  function use(where) { // one click, or Enter
    const here = pixel(where);
    if (editor.tool === "polygon") corner(where);
    else if (editor.tool === "fill") fill(here);
    else if (editor.tool === "smart fill" && inside(here)) editor.smartFill(here);
  }

  // ------------------------------------------------------------ pointers
  function down(event) {
    editor.active();
    const touch = event.pointerType === "touch";
    if (owner && owner.id !== event.pointerId) {
      if (owner.touch && event.pointerType === "pen") drop(); // the palm came before the pen
      else if (!owner.touch || !touch) return;
    }
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    const here = [event.clientX, event.clientY];
    keyed = false;
    if (touch) {
      fingers.set(event.pointerId, here);
      if (pinch) return;
      if (fingers.size === 2) { // two fingers move the picture; what the first began is undone
        drop();
        owner = null;
        const [a, b] = [...fingers.values()];
        pinch = { apart: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
        return;
      }
    }
    if (stroke) lift(); // of the keys, or of a pointer that was never seen to leave
    takeUp();
    owner = { id: event.pointerId, touch };
    if (event.button === 2) drag = { window: [...screen.state.window], from: here };
    else if (event.button === 1 || space) { drag = { last: here }; if (space) space.used = true; }
    else if (event.button === 0 || event.button === 5) {
      const where = screen.place(...here);
      at = pixel(where);
      if (event.button === 5) { laid = editor.tool; editor.hold("eraser"); } // the other end of a pen
      if (brushing()) press(at);
      else { held = editor.tool === "polygon"; drawn = 0; use(where); }
    }
    event.preventDefault();
  }
  function move(event) {
    editor.active();
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pinch) { if (fingers.size === 2) squeeze(); return; }
    if (owner && owner.id !== event.pointerId) return;
    if (owner && event.buttons === 0) up(event); // it left the stage and was lifted elsewhere
    if (drag) { shift(event); return; }
    const steps = event.getCoalescedEvents?.() ?? [];
    const byKeys = stroke && !lifted;
    if (!byKeys && (!keyed || event.buttons || event.movementX || event.movementY)) {
      keyed = false;
      for (const each of steps.length ? steps : [event]) {
        const where = screen.place(each.clientX, each.clientY);
        at = pixel(where);
        if (stroke && lifted) sweep(at);
        else if (held && points.length && apart(where, points.at(-1)) >= 2) {
          drawn += apart(where, points.at(-1));
          points.push(where);
        }
      }
    }
    paint();
  }
  function up(event) {
    fingers.delete(event.pointerId);
    if (pinch) { if (!fingers.size) pinch = null; return; }
    if (owner?.id !== event.pointerId) return;
    owner = null;
    if (drag) { drag = null; return; }
    if (stroke && lifted) lift();
    else if (held) {
      held = false;
      if (drawn > FREEHAND) close();
    }
    takeUp();
  }
  function lost(event) {
    fingers.delete(event.pointerId);
    if (!fingers.size) pinch = null;
    if (owner?.id !== event.pointerId) return;
    owner = drag = null;
    held = false;
    if (stroke && lifted) drop();
    takeUp();
  }
  function shift(event) {
    if (drag.window) {
      const width = drag.window[1] - drag.window[0];
      screen.level(widened(drag.window, (event.clientX - drag.from[0]) / 120, (event.clientY - drag.from[1]) / 160 * width));
      return;
    }
    screen.pan(event.clientX - drag.last[0], event.clientY - drag.last[1]);
    drag.last = [event.clientX, event.clientY];
  }
  function widened([low, high], wider, upward) {
    const middle = (low + high) / 2 + upward;
    const half = Math.max((high - low) / 2 * Math.exp(wider), 1e-6);
    return [middle - half, middle + half];
  }
  function squeeze() {
    const [a, b] = [...fingers.values()];
    const [now, middle] = [Math.hypot(a[0] - b[0], a[1] - b[1]), [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]];
    const box = stage.getBoundingClientRect();
    screen.pan(middle[0] - pinch.middle[0], middle[1] - pinch.middle[1]);
    if (pinch.apart > 0) screen.zoom(now / pinch.apart, middle[0] - box.left, middle[1] - box.top);
    pinch = { apart: now, middle };
  }
  function wheel(event) {
    event.preventDefault();
    editor.active();
    const box = stage.getBoundingClientRect();
    const turned = event.deltaMode === 0 ? event.deltaY : event.deltaY * 40;
    screen.zoom(Math.exp(-Math.max(-120, Math.min(turned, 120)) / 400), event.clientX - box.left, event.clientY - box.top);
  }

  // ------------------------------------------------------------ keys on the stage
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  // What a key does while the stage has the focus; true if it was one of its keys.
  function stageKey(event) {
    const arrow = ARROWS[event.key];
    if (arrow && event.altKey) {
      const width = screen.state.window[1] - screen.state.window[0];
      screen.level(widened(screen.state.window, 0.15 * arrow[0], 0.05 * arrow[1] * width));
    } else if (arrow && !event.ctrlKey && !event.metaKey) step(arrow, event.shiftKey ? 8 : 1);
    else if (event.key === " ") { if (!event.repeat) space = { used: false }; }
    else if (event.key === "Enter") enter();
    else if (event.key === "Escape" && (stroke || points.length)) drop();
    else if (event.key === "Backspace" && points.length) { points.pop(); paint(); }
    else return false;
    return true;
  }
  function stageKeyUp(event) {
    if (event.key !== " " || !space) return;
    const { used } = space;
    space = null;
    if (!used) enter();
  }
  function step([dx, dy], by) {
    const { width, height } = screen.state.map;
    if (!width) return;
    const from = at && inside(at) ? at : [width >> 1, height >> 1];
    at = keyed || at ? [Math.min(Math.max(from[0] + dx * by, 0), width - 1), Math.min(Math.max(from[1] + dy * by, 0), height - 1)] : from;
    keyed = true;
    if (stroke) sweep(at);
    screen.reveal(...at);
    paint();
    tell();
  }
  function tell() {
    const name = editor.nameOf(screen.state.map.data[at[1] * screen.state.map.width + at[0]]);
    editor.say(`column ${at[0] + 1}, row ${at[1] + 1}: ${name}${stroke ? ", brush down" : ""}`);
  }
  function enter() {
    if (!at || !inside(at)) { step([0, 0], 0); return; }
    keyed = true;
    const center = [at[0] + 0.5, at[1] + 0.5];
    if (!brushing()) {
      const last = points.at(-1);
      if (editor.tool === "polygon" && last && last[0] === center[0] && last[1] === center[1]) close();
      else if (editor.tool === "polygon" && points.length >= 3 && points[0].every((v, i) => Math.floor(v) === at[i])) close();
      else use(center);
    } else if (stroke) lift();
    else {
      press(at);
      lifted = !stroke;
    }
    paint();
    if (at) tell();
  }

  const listeners = {
    pointerdown: down, pointermove: move, pointerup: up, pointercancel: lost, lostpointercapture: up,
    pointerleave: () => { if (!keyed && !stroke) { at = null; paint(); } },
    contextmenu: (event) => { event.preventDefault(); event.stopPropagation(); },
    dblclick: () => { if (editor.tool === "polygon" && points.length) close(); },
    auxclick: (event) => event.preventDefault(),
    keyup: stageKeyUp,
    blur: () => { space = null; if (stroke && !lifted) lift(); },
  };
  for (const [name, listener] of Object.entries(listeners)) stage.addEventListener(name, listener);
  stage.addEventListener("wheel", wheel, { passive: false });
  screen.state.onmove = paint;
  return { stageKey, drop, paint, get drawing() { return Boolean(stroke || points.length); } };
}
