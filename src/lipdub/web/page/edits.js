// Everything that changes a project: edits of lines, each gesture one step of undo, and the jobs that make things.
import { at, post } from "./api.js";
import { catchUp, complain, ended, loadTakes, refreshDub, takeIn } from "./session.js";
import { announce, guessed, isStale, lineOf, set, state, toast, unanswered } from "./store.js";
import { t } from "./words.js";

let queue = Promise.resolve(); // edits are sent one after the other

// Lines with what the server answered: changed ones replaced, removed ones gone, in the order of time.
function mixed(segments, answer) {
  const gone = new Set(answer.removed ?? []), fresh = new Map((answer.segments ?? []).map((line) => [line.id, line]));
  const kept = segments.filter((line) => !gone.has(line.id)).map((line) => {
    const now = fresh.get(line.id);
    fresh.delete(line.id);
    return now ?? line;
  });
  return [...kept, ...fresh.values()].sort((a, b) => a.start - b.start || a.end - b.end);
}

async function send(edits, revision) {
  const { project, dub } = state;
  return post(at.language(project.id, dub.language) + "/edits", { revision, edits });
}

// The lines that edits name, as they are, to see later whether somebody else changed them.
const touched = (edits) => [...new Set(edits.flatMap((edit) => [edit.segment, edit.with]).filter((id) => typeof id === "string"))];
const EDITABLE = ["text", "start", "end", "offset", "voice", "person", "leave", "seed", "engine", "note", "verdict"];
const sameLine = (a, b) => Boolean(a && b) && EDITABLE.every((name) => a[name] === b[name]);

async function sendOrAsk(edits, base) {
  try {
    return await send(edits, state.dub.revision);
  } catch (error) {
    if (error.status !== 412) throw error;
  }
  const ids = touched(edits);
  const there = new Map((await refreshDub()).map((line) => [line.id, line]));
  if (ids.every((id) => sameLine(base.get(id), there.get(id)))) return send(edits, state.dub.revision);
  set({ conflict: { edits, line: ids[0] } });
  announce(t("conflict"));
  return null;
}

// Does edits as one gesture. Gives true if they were done. options.tag: a gesture with the tag of the one before it belongs to it,
// such as the letters of one text. options.stack: "undo" (as usual), "redo" while undoing.
export function gesture(edits, options = {}) {
  const base = new Map(touched(edits).map((id) => [id, lineOf(id)]));
  const before = state.dub;
  unanswered.push(edits);
  set({ dub: { ...before, segments: guessed(before.segments, edits) }, saving: state.saving + 1 });
  const run = async () => {
    try {
      const answer = await sendOrAsk(edits, base);
      unanswered.splice(unanswered.indexOf(edits), 1);
      if (answer) taken(answer, options);
      else await refreshDub(); // what the user wanted is not shown any more
      return Boolean(answer);
    } catch (error) {
      unanswered.splice(unanswered.indexOf(edits), 1);
      await refreshDub().catch(() => {});
      complain(error);
      return false;
    } finally {
      const { dub } = state;
      set({ dub: dub && { ...dub, segments: guessed(dub.segments, unanswered.flat()) }, saving: state.saving - 1 });
      if (!state.saving) catchUp();
    }
  };
  const done = queue.then(run);
  queue = done.catch(() => {});
  return done;
}

function taken(answer, { tag = "", stack = "undo", name = "" }) {
  if (!state.dub) return undefined;
  const segments = mixed(state.dub.segments, answer);
  const selected = lineOf(state.selected) && !(answer.removed ?? []).includes(state.selected) ? state.selected
    : answer.segments?.[0]?.id ?? segments[0]?.id ?? "";
  set({ dub: { ...state.dub, segments, revision: answer.revision }, selected, answers: state.answers + 1 });
  if (answer.ranges) set({ project: { ...state.project, ranges: answer.ranges } });
  const step = { edits: answer.undo, tag, name };
  if (stack === "redo") return set({ redo: [...state.redo, step] });
  const last = state.undo.at(-1);
  const joined = tag && last?.tag === tag;
  set({ undo: joined ? state.undo : [...state.undo, step].slice(-200), redo: stack === "again" ? state.redo : [] });
  return undefined;
}

async function back(from, to) {
  await queue;
  const step = state[from].at(-1);
  if (!step) return;
  set({ [from]: state[from].slice(0, -1) });
  const ranges = step.edits.find((edit) => edit.op === "ranges");
  if (ranges) set({ project: { ...state.project, ranges: ranges.ranges } });
  if (await gesture(step.edits, { stack: to, name: step.name })) announce(t(from === "undo" ? "undone" : "done_again", { name: step.name }));
}
export const undo = () => back("undo", "redo");
export const redo = () => back("redo", "again");

export function setFields(id, fields, options = {}) {
  const line = lineOf(id);
  if (!line || Object.entries(fields).every(([name, value]) => line[name] === value)) return Promise.resolve(true);
  return gesture([{ op: "set", segment: id, fields }], options);
}

// The user decides what holds after a conflict.
export async function settle(mine) {
  const { edits } = state.conflict;
  set({ conflict: null });
  if (mine) await gesture(edits);
}

const ms = (seconds) => Math.round(seconds * 1000) / 1000;

export const nudge = (id, by) => {
  const line = lineOf(id);
  if (!line) return undefined;
  announce(t("offset_is", { ms: Math.round((line.offset + by) * 1000) }));
  return setFields(id, { offset: ms(line.offset + by) }, { tag: `offset:${id}`, name: t("step_nudge") });
};

export const moveLine = (id, start, end) => setFields(id, { start: ms(start), end: ms(end) }, { name: t("step_move") });

export function verdict(id, value) {
  const line = lineOf(id);
  if (!line) return undefined;
  const next = line.verdict === value ? "unchecked" : value;
  announce(t("verdict_" + next));
  return setFields(id, { verdict: next }, { name: t("step_verdict") });
}

export function split(id, seconds) {
  const line = lineOf(id);
  if (!line) return undefined;
  if (seconds <= line.start + 0.05 || seconds >= line.end - 0.05) return toast(t("split_where"), "bad");
  return gesture([{ op: "split", segment: id, at: ms(seconds) }], { name: t("step_split") });
}

export function merge(id) {
  const { segments } = state.dub, line = lineOf(id);
  if (!line) return undefined;
  const next = segments.slice(segments.indexOf(line) + 1).find((one) => one.person === line.person);
  if (!next) return toast(t("merge_none"), "bad");
  return gesture([{ op: "merge", segment: id, with: next.id }], { name: t("step_merge") });
}

export function setRanges(ranges) {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  set({ project: { ...state.project, ranges: sorted }, marks: { start: null, end: null } });
  return gesture([{ op: "ranges", ranges: sorted }], { name: t("step_ranges") });
}

// "Do not dub" from mark in to mark out; without marks, the selected line.
export function excludeMarked() {
  const { marks, project } = state, line = lineOf(state.selected);
  const start = marks.start ?? line?.start, end = marks.end ?? line?.end;
  if (start == null || end == null || end <= start) return toast(t("range_where"), "bad");
  return setRanges([...project.ranges, { start: ms(start), end: ms(end) }]);
}

// --- jobs

async function ask(path, body = {}) {
  try {
    const job = await post(path, body);
    takeIn(job);
    return job;
  } catch (error) {
    if (error.status === 409 && error.body.job) toast(t("in_work_already"));
    else complain(error);
    return null;
  }
}

const language = () => at.language(state.project.id, state.dub.language);

// The speech of a line alone. Gives {audio, start, end, rate, missing}, or null.
export async function hear(id) {
  await queue;
  const job = await ask(`${at.line(state.project.id, state.dub.language, id)}/hear`);
  if (!job) return null;
  set({ heard: { ...state.heard, [id]: { waiting: true } } });
  const done = await ended(job);
  const result = done.status === "completed" ? done.result : null;
  set({ heard: { ...state.heard, [id]: result } });
  return result;
}

async function make(path, body) {
  await queue;
  const job = await ask(language() + path, body);
  if (job) await refreshDub().catch(complain); // its lines wait now
  return job;
}

// Makes lines again ("stale": all that changed), then the film. changes: for all of them, {seed}.
export const redoLines = (ids, changes = {}) => make("/redo", { segments: ids, film: true, changes });
export const makeFilm = () => make("/render");

// Makes a line again; if nothing of it changed, with another seed, or the take would be the same.
export function anotherTake(id) {
  const line = lineOf(id), seeds = (state.takes[id] ?? []).map((take) => take.recipe?.seed ?? 0);
  if (!line || line.leave || ["queued", "running"].includes(line.status)) return undefined;
  return redoLines([id], isStale(line) ? {} : { seed: Math.max(line.seed ?? 0, ...seeds) + 1 });
}

export async function choose(id, number) {
  await queue;
  try {
    await post(`${at.line(state.project.id, state.dub.language, id)}/takes/${number}/choose`);
    await Promise.all([refreshDub(), loadTakes(id)]);
    toast(t("take_chosen", { n: number }));
  } catch (error) {
    complain(error);
  }
}

export const cancel = (job) => ask(`/v1/jobs/${encodeURIComponent(job.id)}/cancel`);

// Gives a file to the user; some are made by a job first.
export async function exportAs(format) {
  await queue;
  try {
    let answer = await post(language() + "/export", { format });
    if (answer.status) answer = (await ended(answer)).result;
    if (!answer?.url) return;
    const link = document.createElement("a");
    link.href = answer.url;
    link.download = "";
    document.body.append(link);
    link.click();
    link.remove();
    toast(t("exported"));
  } catch (error) {
    complain(error);
  }
}

export async function addLanguage(body) {
  return ask(at.project(state.project.id) + "/languages", body);
}
