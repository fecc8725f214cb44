// The time of work: kept for each annotator and slice, and sent with what it led to.
function editorClock({ slot }) {
  const IDLE = 10_000;       // ms; a longer pause is not counted as work
  const worked = new Map();  // annotator and slice → ms of work since the last entry of the ledger
  const booked = new Map();  // ticket → [annotator and slice, ms] that were sent with it
  let last = 0;

  const add = (where, ms) => worked.set(where, (worked.get(where) ?? 0) + ms);
  function count() {
    const now = performance.now();
    if (now - last < IDLE) add(slot(), now - last);
    last = now;
  }
  function active() { if (document.hasFocus()) count(); } // a pointer that only passes over the page works elsewhere
  function returned() { last = performance.now(); }
  window.addEventListener("blur", count);
  window.addEventListener("focus", returned);
  return {
    active, returned,
    spent(ticket) { // seconds
      const ms = worked.get(slot()) ?? 0;
      booked.set(ticket, [slot(), ms]);
      worked.delete(slot());
      return Math.round(ms) / 1000;
    },
    answered(ticket, taken) {
      const [where, ms] = booked.get(ticket) ?? [];
      booked.delete(ticket);
      if (where && !taken) add(where, ms);
    },
    stop() {
      window.removeEventListener("blur", count);
      window.removeEventListener("focus", returned);
    },
  };
}
