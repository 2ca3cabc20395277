// What the page knows, in one object, and who is told when it changes.
import { useEffect, useState } from "./vendor/preact-htm.js";

export const state = {
  screen: "projects", // projects | project
  status: null, // answer of /v1/status
  projects: null, // list, or null until it came
  project: null, // the open project; stays the last one on the first screen
  opening: false, // another project is being loaded
  dub: null, // the language that is shown: segments, shots, left_as_filmed
  media: null, // where source and films can be played
  jobs: {}, // id -> Job
  selected: "", // id of a line
  filter: "all", // all | flagged | unchecked | stale
  search: "",
  marks: { start: null, end: null }, // of a range that is not to be dubbed
  takes: {}, // line -> list of takes
  heard: {}, // line -> result of the last "hear"
  undo: [], // gestures that can be undone, the last one is the newest
  redo: [],
  saving: 0, // edits on their way
  answers: 0, // how many edits were answered
  conflict: null, // {edits, theirs}: a line was changed in another window
  reachable: true,
  dialog: "", // which dialog is open
  toast: null, // {text, kind, action}
  pane: "lines", // which pane a narrow window shows
  playing: false,
  view: { mode: "wipe", faces: false, mouth: false, wipe: 50, loop: false, rate: 1, ear: "dub" },
  words: "en", // language of the page
};
const told = new Set();

// Changes the state and tells everybody who shows it, once per turn.
let waiting = false;
export function set(patch) {
  Object.assign(state, patch);
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    for (const tell of [...told]) tell();
  });
}

export function subscribe(tell) {
  told.add(tell);
  return () => told.delete(tell);
}

// A part of the state, in a component; it is drawn again when that part is another.
export function useStore(select) {
  const [, again] = useState(0);
  const value = select(state);
  useEffect(() => {
    let last = value;
    const check = () => {
      const now = select(state);
      if (now !== last) {
        last = now;
        again((n) => n + 1);
      }
    };
    check();
    return subscribe(check);
  });
  return value;
}

// Gestures that the studio has not answered yet, the oldest first; each is a list of edits.
export const unanswered = [];

// Lines as they will be after `edits`, as far as it can be known before the studio has answered.
export function guessed(segments, edits) {
  const fields = new Map();
  for (const edit of edits) if (edit.op === "set") fields.set(edit.segment, { ...fields.get(edit.segment), ...edit.fields });
  return segments.map((line) => (fields.has(line.id) ? { ...line, ...fields.get(line.id) } : line));
}

export const setView = (patch) => set({ view: { ...state.view, ...patch } });

let toastTimer = 0;
// A sentence at the foot of the page, read aloud by screen readers. kind: "info" | "bad".
export function toast(text, kind = "info", action = null) {
  clearTimeout(toastTimer);
  set({ toast: { text, kind, action } });
  announce(text);
  toastTimer = setTimeout(() => set({ toast: null }), kind === "bad" || action ? 9000 : 4000);
}

export function announce(text) {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}

export const lineOf = (id) => state.dub?.segments.find((line) => line.id === id);
export const personOf = (id) => state.project?.people.find((person) => person.id === id);
export const isFlagged = (line) => line.flags.length > 0 && line.verdict === "unchecked";
export const isStale = (line) => ["stale", "failed"].includes(line.status) || ["missing", "changed"].includes(line.state);
export const isUnchecked = (line) => line.verdict === "unchecked";

// The lines that the filter and the search leave.
export function shownLines(segments, filter, search) {
  const keep = { flagged: isFlagged, unchecked: isUnchecked, stale: isStale }[filter] ?? (() => true);
  const wanted = search.trim().toLocaleLowerCase();
  const has = (line) => !wanted || `${line.text}\n${line.source_text}\n${line.note}`.toLocaleLowerCase().includes(wanted);
  return segments.filter((line) => keep(line) && has(line));
}

// One word for how a line stands; it selects the colour everywhere.
export function standing(line) {
  if (line.status === "running" || line.status === "queued") return "running";
  if (line.status === "failed") return "failed";
  if (line.verdict === "rejected" || line.leave) return "left";
  if (isStale(line)) return "stale";
  if (line.verdict === "accepted") return "accepted";
  return line.flags.length ? "flagged" : "fresh";
}
