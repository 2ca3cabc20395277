// The keyboard: every key of a project, in one table that the help shows as well.
import { html } from "./vendor/preact-htm.js";
import { anotherTake, excludeMarked, merge, moveLine, nudge, redo, split, undo, verdict } from "./edits.js";
import { listen } from "./line_panel.js";
import { go } from "./lines.js";
import { Dialog } from "./pieces.js";
import { duration, faster, now, play, playLine, seek, setMode, step, swap, toggle } from "./playback.js";
import { announce, isFlagged, isStale, lineOf, set, setView, state } from "./store.js";
import { fit, zoom } from "./timeline.js";
import { clock, t } from "./words.js";

const flip = (name) => setView({ [name]: !state.view[name] });
const selected = () => state.selected;

function write(id) {
  const focus = () => {
    const field = document.getElementById(id);
    if (!field?.checkVisibility()) return false;
    field.focus();
    if (id === "dub-text") field.setSelectionRange(field.value.length, field.value.length);
    return true;
  };
  set({ pane: "line" });
  if (!focus()) setTimeout(focus, 30); // a narrow window has to draw the pane first
}

function trim(edge) {
  const line = lineOf(selected()), at = now();
  if (!line) return;
  if (edge === "start" && at < line.end - 0.08) moveLine(line.id, at, line.end);
  if (edge === "end" && at > line.start + 0.08) moveLine(line.id, line.start, at);
}

function mark(which) {
  const marks = { ...state.marks, [which]: now() };
  if (marks.start !== null && marks.end !== null && marks.end <= marks.start) marks[which === "start" ? "end" : "start"] = null;
  set({ marks });
  announce(t("mark_" + which, { time: clock(now(), 2) }));
}

const line = (act) => () => selected() && act(selected());

// [keys as the browser calls them, keys as people read them, name, action]; a group begins with a string.
export const TABLE = [
  "keys_play",
  ["Space|k", "Space  K", "key_toggle", toggle],
  ["j", "J", "key_back", () => seek(now() - 1)],
  ["l", "L", "key_faster", () => (state.playing ? faster(1) : play())],
  ["ArrowLeft", "←", "key_frame_back", () => step(-1)],
  ["ArrowRight", "→", "key_frame_next", () => step(1)],
  ["Shift+ArrowLeft", "Shift ←", "key_ten_back", () => step(-10)],
  ["Shift+ArrowRight", "Shift →", "key_ten_next", () => step(10)],
  ["Home", "Home", "key_home", () => seek(0)],
  ["End", "End", "key_end", () => seek(duration())],
  ["\\", "\\", "key_play_line", line(playLine)],
  ["/", "/", "key_loop", () => (flip("loop"), state.view.loop && !state.playing && play())],
  ["[", "[", "key_slower", () => faster(-1)],
  ["]", "]", "key_quicker", () => faster(1)],
  "keys_picture",
  ["1", "1", "mode_wipe", () => setMode("wipe")],
  ["2", "2", "mode_side", () => setMode("side")],
  ["3", "3", "mode_difference", () => setMode("difference")],
  ["4", "4", "mode_source", () => setMode("source")],
  ["5", "5", "mode_dub", () => setMode("dub")],
  ["a", "A", "key_swap", swap],
  ["z", "Z", "key_mouth", () => flip("mouth")],
  ["p", "P", "key_faces", () => flip("faces")],
  "keys_lines",
  ["ArrowUp", "↑", "key_line_up", () => go(-1)],
  ["ArrowDown", "↓", "key_line_down", () => go(1)],
  ["Shift+ArrowUp", "Shift ↑", "key_flag_up", () => go(-1, isFlagged)],
  ["Shift+ArrowDown", "Shift ↓", "key_flag_down", () => go(1, isFlagged)],
  ["y", "Y", "accept", line((id) => verdict(id, "accepted"))],
  ["n", "N", "reject", line((id) => verdict(id, "rejected"))],
  ["h", "H", "key_hear", line(listen)],
  ["r", "R", "key_redo_line", line(anotherTake)],
  ["Shift+R", "Shift R", "key_redo_stale", () => state.dub?.segments.some(isStale) && document.querySelector(".make > button")?.click()],
  ["Enter|e", "Enter  E", "key_text", () => write("dub-text")],
  ["t", "T", "key_note", () => write("line-note")],
  "keys_time",
  [",", ",", "key_earlier", line((id) => nudge(id, -0.01))],
  [".", ".", "key_later", line((id) => nudge(id, 0.01))],
  ["Shift+,|<|Shift+;", "Shift ,", "key_much_earlier", line((id) => nudge(id, -0.1))],
  ["Shift+.|>|Shift+:", "Shift .", "key_much_later", line((id) => nudge(id, 0.1))],
  ["q", "Q", "key_trim_start", () => trim("start")],
  ["w", "W", "key_trim_end", () => trim("end")],
  ["s", "S", "key_split", line((id) => split(id, now()))],
  ["m", "M", "key_merge", line(merge)],
  ["i", "I", "key_mark_in", () => mark("start")],
  ["o", "O", "key_mark_out", () => mark("end")],
  ["Shift+E", "Shift E", "key_exclude", excludeMarked],
  ["Shift+X", "Shift X", "key_unmark", () => set({ marks: { start: null, end: null } })],
  ["+|=", "+", "zoom_in", () => zoom(1.5)],
  ["-", "−", "zoom_out", () => zoom(1 / 1.5)],
  ["0", "0", "zoom_fit", fit],
  "keys_all",
  ["Mod+z", "Ctrl Z", "undo", undo],
  ["Mod+Shift+Z|Mod+y", "Ctrl Shift Z", "redo", redo],
  ["?", "?", "help", () => set({ dialog: "help" })],
];

const ACTIONS = new Map();
for (const entry of TABLE)
  if (Array.isArray(entry)) for (const name of entry[0].split("|")) ACTIONS.set(name, entry[3]);

function nameOf(event) {
  const key = event.key === " " ? "Space" : event.key;
  const mod = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph") ? "Mod+" : "";
  const letter = key.length === 1 && /[a-zA-Z]/.test(key);
  if (letter) return mod + (event.shiftKey ? "Shift+" + key.toUpperCase() : key.toLowerCase());
  return mod + (event.shiftKey && (key.length > 1 || ",.;:".includes(key)) ? "Shift+" : "") + key;
}

// Fields keep their own keys; sliders, tabs and menus have stopped theirs before they come here.
function isTyping(target) {
  if (target.closest("dialog, .panel")) return true;
  return target.matches("input, textarea, select, [contenteditable]");
}

export function onKey(event) {
  if (state.screen !== "project" || !state.project || event.defaultPrevented || isTyping(event.target)) return;
  if (event.altKey && !event.getModifierState("AltGraph")) return;
  const action = ACTIONS.get(nameOf(event));
  if (!action) return;
  const button = event.target.closest("button, [role=tab], a, summary");
  const own = event.key === " " || event.key === "Enter";
  if (own && button && !button.matches(".block")) return; // a button that has the focus is pressed
  event.preventDefault();
  action();
}

export function Help() {
  const groups = [];
  for (const entry of TABLE) {
    if (typeof entry === "string") groups.push({ name: entry, keys: [] });
    else groups.at(-1).keys.push(entry);
  }
  return html`<${Dialog} title=${t("help_title")} kind="help" close=${() => set({ dialog: "" })}>
    <p class="hint">${t("help_text")}</p>
    <div class="key-groups">${groups.map((group) => html`<section key=${group.name}><h3>${t(group.name)}</h3><dl>${group.keys.map(([, shown, name]) => html`<div key=${name}>
      <dt>${shown.split("  ").map((one, i) => html`${i ? html` <small>${t("or")}</small> ` : ""}${one.split(" ").map((key) => html`<kbd>${key}</kbd>`)}`)}</dt><dd>${t(name)}</dd></div>`)}</dl></section>`)}</div><//>`;
}

