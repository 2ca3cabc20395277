// Dragging a line or one of its edges on the time line: one gesture, one step of undo, snapping to speech.
import { moveLine } from "./edits.js";
import { duration, now, peaks, seek } from "./playback.js";
import { announce, lineOf, set, state } from "./store.js";
import { clock, t } from "./words.js";
import { nearest, onsets } from "./waves.js";

const SHORTEST = 0.08, REACH = 7; // s; px within which an edge snaps

// What edges snap to: speech in the source, other lines, cuts, the playhead.
function targets(line) {
  const others = state.dub.segments.filter((one) => one.id !== line.id).flatMap((one) => [one.start, one.end]);
  const cuts = state.dub.shots.flatMap((shot) => [shot.start, shot.end]);
  return [...(peaks.source ? onsets(peaks.source) : []), ...others, ...cuts, now()];
}

// Where the line is when the pointer has moved by `by` seconds: {start, end, snapped}. `edge`: "start", "end" or "both".
export function dragged(line, edge, by, snaps, reach, length) {
  let { start, end } = line, snapped = null;
  if (edge === "both") {
    start += by;
    const first = nearest(snaps, start, reach), last = nearest(snaps, end + by, reach);
    const further = first === null || (last !== null && Math.abs(last - end - by) < Math.abs(first - start));
    if (further && last !== null) [start, snapped] = [last - (end - line.start), last];
    else if (first !== null) [start, snapped] = [first, first];
    start = Math.min(Math.max(start, 0), Math.max(length - (end - line.start), 0));
    return { start, end: start + (end - line.start), snapped };
  }
  const wanted = (edge === "start" ? start : end) + by;
  snapped = nearest(snaps, wanted, reach);
  const at = snapped ?? wanted;
  if (edge === "start") start = Math.min(Math.max(at, 0), end - SHORTEST);
  else end = Math.max(Math.min(at, length), start + SHORTEST);
  return { start, end, snapped };
}

export function beginDrag(event, line, view) {
  if (event.button !== 0) return;
  set({ selected: line.id });
  const target = event.currentTarget, from = event.clientX, startScroll = view.box.scrollLeft;
  const edge = event.target.classList.contains("edge") ? (event.target.classList.contains("start") ? "start" : "end") : "both";
  if (event.pointerType === "touch" && edge === "both") return; // a finger scrolls; edges can be dragged
  target.setPointerCapture(event.pointerId);
  const snaps = targets(line);
  let moved = false, place = null;
  const move = (at) => {
    const px = at.clientX - from + view.box.scrollLeft - startScroll;
    if (!moved && Math.abs(px) < 4) return;
    moved = true;
    place = dragged(line, edge, px / view.scale, at.altKey ? [] : snaps, REACH / view.scale, duration());
    set({ drag: { id: line.id, ...place } });
    seek(edge === "end" ? place.end - 0.001 : place.start);
  };
  const stop = (cancelled) => {
    target.removeEventListener("pointermove", move);
    document.removeEventListener("keydown", escape, true);
    set({ drag: null });
    if (!moved) return;
    if (!cancelled && lineOf(line.id)) {
      moveLine(line.id, place.start, place.end);
      announce(t("line_is", { start: clock(place.start, 2), end: clock(place.end, 2) }));
    }
  };
  const escape = (key) => {
    if (key.key !== "Escape") return;
    key.stopPropagation();
    moved = false;
    stop(true);
  };
  target.addEventListener("pointermove", move);
  target.addEventListener("pointerup", () => stop(false), { once: true });
  target.addEventListener("pointercancel", () => stop(true), { once: true });
  document.addEventListener("keydown", escape, true);
}
