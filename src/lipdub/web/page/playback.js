// Plays source and dub together, frame by frame: two videos, the tables of their frames, one clock.
// Times are seconds of the source, as in the plan; a film whose picture was slowed has a clock of its own (media.clock).
import { bytes, get } from "./api.js";
import { frameAt, frameNow, seekTo, tableOf, timecodeOf } from "./frames.js";
import { lineOf, set, setView, state } from "./store.js";

const AROUND = 2; // s before and after a line in a loop
const videos = { source: null, film: null };
const urls = { source: "", film: "" };
const tables = { source: null, film: null };
export const peaks = { source: null, film: null }; // {pairs: Int8Array, perSecond}
const told = new Set();
const heard = new Audio();
let wish = null; // where a seek goes that is under way
let stopAt = null; // where playing ends by itself

export const SPEEDS = [0.25, 0.5, 1, 1.5, 2];

// Calls tell(seconds) at each new picture and after each seek. Gives a function that ends it.
export function onTime(tell) {
  told.add(tell);
  tell(now());
  return () => told.delete(tell);
}

const tellTime = () => {
  const seconds = now();
  for (const tell of told) tell(seconds);
};

export const hasFilm = () => Boolean(urls.film);
const usable = (which) => Boolean(urls[which] && videos[which] && !videos[which].error);
const masterName = () => (usable("film") && state.view.mode !== "source" ? "film" : usable("source") ? "source" : "film");
const master = () => videos[masterName()];
const otherName = () => (masterName() === "film" && usable("source") && state.view.mode !== "dub" ? "source" : null);

// [[film, source], ...] between which both run evenly; outside, the film is `outside` times as long.
const points = () => state.media?.languages?.[state.dub?.language]?.film?.clock?.points ?? null;
function mapped(seconds, from, to) {
  const all = points();
  if (!all || all.length < 2) return seconds;
  let i = all.findIndex((point) => point[from] > seconds);
  i = i < 0 ? all.length - 1 : Math.max(i, 1);
  const [a, b] = [all[i - 1], all[i]], span = b[from] - a[from];
  return span > 0 ? a[to] + ((seconds - a[from]) * (b[to] - a[to])) / span : a[to];
}
const inVideo = (which, seconds) => (which === "film" ? mapped(seconds, 1, 0) : seconds);
const inSource = (which, seconds) => (which === "film" ? mapped(seconds, 0, 1) : seconds);

export const duration = () => state.project?.source?.duration ?? 0;

export function now() {
  if (wish !== null) return wish;
  const video = master();
  return video ? Math.min(inSource(masterName(), video.currentTime), duration() || Infinity) : 0;
}

// Frame number, timecode and count of frames of what is shown.
export function readout() {
  const which = masterName(), table = tables[which] ?? tables.source;
  if (!table) return { frame: 0, timecode: "", frames: 0 };
  const frame = wish !== null || !videos[which] ? frameAt(table, inVideo(which, now())) : frameNow(videos[which], table);
  return { frame, timecode: timecodeOf(table, frame), frames: table.frames };
}

function attach(which, video) {
  if (videos[which] === video) return;
  videos[which] = video;
  if (!video) return;
  video.disablePictureInPicture = true;
  if (urls[which]) video.src = urls[which];
  apply();
}

// For the ``ref`` of the two elements; they stay the same functions, or each drawing would load the videos again.
export const filmElement = (video) => attach("film", video);
export const sourceElement = (video) => attach("source", video);

async function loadTables(which, media) {
  const [frames, sound] = await Promise.all([
    get(media.frames).catch(() => null),
    bytes(media.peaks).catch(() => null),
  ]);
  if (urls[which] && !urls[which].startsWith(media.video)) return; // another one was opened meanwhile
  tables[which] = frames && (frames.pts || frames.unit) ? tableOf(frames) : null;
  const perSecond = Number(sound?.headers.get("X-Per-Second") ?? 100);
  peaks[which] = sound ? { pairs: new Int8Array(sound.data), perSecond } : null;
  set({ tables: (state.tables ?? 0) + 1 });
}

// Show the media of the open project and language.
export async function load() {
  const film = state.media?.languages?.[state.dub?.language]?.film ?? null;
  const wanted = { source: state.media?.source ?? null, film };
  const loads = [], at = now(); // before one of them begins anew
  for (const which of ["source", "film"]) {
    const one = wanted[which], stamp = one?.made ? `v=${encodeURIComponent(one.made)}` : "";
    const url = one?.ready && one.video ? [one.video, stamp].filter(Boolean).join(one.video.includes("?") ? "&" : "?") : "";
    if (url === urls[which]) continue;
    urls[which] = url;
    tables[which] = peaks[which] = null;
    pause();
    if (videos[which]) show(videos[which], url, which, at);
    if (url) loads.push(loadTables(which, one));
  }
  if (!urls.film && state.view.mode !== "source") setView({ mode: "source", before: state.view.mode });
  else if (urls.film && state.view.mode === "source" && state.view.before) setView({ mode: state.view.before, before: null });
  apply();
  set({ tables: (state.tables ?? 0) + 1 });
  await Promise.all(loads);
  tellTime();
}

function show(video, url, which, at) {
  if (!url) {
    video.removeAttribute("src");
    video.load();
    return;
  }
  video.src = url;
  video.addEventListener("loadedmetadata", () => (video.currentTime = inVideo(which, at) || 1e-4), { once: true });
}

const UNSEEN = 20_000; // ms after which a page that nobody sees stops loading its videos
let released = null, unseen = 0; // where it was then
document.addEventListener("visibilitychange", () => {
  clearTimeout(unseen);
  if (document.hidden) {
    unseen = setTimeout(() => {
      if (state.playing) return;
      released = now();
      for (const video of Object.values(videos)) if (video) show(video, "");
    }, UNSEEN);
  } else if (released !== null) {
    for (const which of ["source", "film"]) if (videos[which] && urls[which]) show(videos[which], urls[which], which, released);
    released = null;
  }
});

export function unload() {
  pause();
  for (const which of ["source", "film"]) {
    urls[which] = "";
    tables[which] = peaks[which] = null;
  }
  wish = null;
}

// Mute, speed, and which video leads, as the view says.
export function apply() {
  const ear = state.view.mode === "source" || !urls.film ? "source" : state.view.mode === "dub" ? "film"
    : state.view.ear === "dub" ? "film" : "source";
  for (const which of ["source", "film"]) {
    const video = videos[which];
    if (!video) continue;
    video.muted = !heard.paused || which !== ear || (which === "source" && masterName() === "film" && state.view.mode === "dub");
    video.playbackRate = video.defaultPlaybackRate = state.view.rate;
    if (which !== masterName() && which !== otherName() && !video.paused) video.pause();
  }
  heard.playbackRate = state.view.rate;
}

let stepper = 0; // only the newest seek tells where it ended
// Show the frame that is there at `seconds`. Gives the frame's number.
export async function seek(seconds) {
  const at = Math.min(Math.max(seconds, 0), Math.max(duration() - 1e-4, 0));
  const which = masterName(), other = otherName();
  stopAt = null;
  return showFrames(which, other, at, tables[which] ? frameAt(tables[which], inVideo(which, at)) : null);
}

async function showFrames(which, other, at, frame) {
  const turn = ++stepper, table = tables[which], video = videos[which];
  if (!video) return 0;
  silence();
  wish = at;
  tellTime();
  const seeks = [];
  if (table) seeks.push(seekTo(video, table, frame));
  else video.currentTime = inVideo(which, at);
  if (other && tables[other]) seeks.push(seekTo(videos[other], tables[other], frameAt(tables[other], inVideo(other, at))));
  else if (other) videos[other].currentTime = inVideo(other, at);
  set({ playing: false });
  const [shown] = await Promise.all(seeks);
  if (turn === stepper) {
    wish = null;
    tellTime();
  }
  return shown ?? 0;
}

export async function step(by) {
  const which = masterName(), table = tables[which];
  if (!table) return seek(now() + by / 25);
  const frame = Math.min(Math.max(readout().frame + by, 0), table.frames - 1);
  const middle = (table.pts[frame] + table.pts[frame + 1]) / 2;
  return showFrames(which, otherName(), inSource(which, middle), frame);
}

export async function play() {
  const video = master();
  if (!video || !urls[masterName()]) return;
  if (wish !== null) wish = null;
  const range = loopRange();
  if (range && (now() < range[0] - 0.05 || now() >= range[1])) jump(range[0]);
  else if (now() >= duration() - 0.05) jump(0);
  else jump(now(), true);
  apply();
  set({ playing: true });
  const other = otherName();
  await Promise.all([video, other && videos[other]].filter(Boolean).map((one) => one.play().catch(() => {})));
  run();
}

// Sets both videos to a time while they play.
function jump(seconds, onlyOther = false) {
  const which = masterName(), other = otherName();
  if (!onlyOther) videos[which].currentTime = inVideo(which, seconds);
  if (other) videos[other].currentTime = inVideo(other, seconds);
}

export function pause() {
  silence();
  for (const video of Object.values(videos)) video?.pause();
  stopAt = null;
  set({ playing: false });
}

export const toggle = () => (state.playing ? pause() : play());

function loopRange() {
  const line = state.view.loop ? lineOf(state.selected) : null;
  return line ? [Math.max(line.start - AROUND, 0), Math.min(line.end + AROUND, duration())] : null;
}

let running = false;
function run() {
  if (running) return;
  running = true;
  let jumped = 0;
  const tick = (time) => {
    const video = master();
    if (!state.playing || !video) {
      running = false;
      return;
    }
    const range = loopRange(), at = now();
    if (stopAt !== null && at >= stopAt) pause();
    else if (range && at >= range[1]) jump(range[0]);
    else if (video.ended) pause();
    else if (time - jumped > 400 && keepTogether()) jumped = time;
    tellTime();
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

// The source follows the dub: a little faster or slower for a small distance, a jump for a large one. True after a jump.
function keepTogether() {
  const other = otherName();
  if (!other || videos[other].readyState < 2 || videos[other].seeking) return false;
  const video = videos[other], late = inVideo(other, now()) - video.currentTime;
  if (video.paused) video.play().catch(() => {});
  if (Math.abs(late) > 0.15) {
    video.currentTime += late;
    return true;
  }
  const bend = Math.abs(late) < 0.012 ? 0 : Math.min(Math.max(late * 2, -0.15), 0.15);
  video.playbackRate = state.view.rate * (1 + bend);
  return false;
}

// Plays the picture from the line's start while `url` is heard instead of it.
export async function playSound(url, start) {
  pause();
  heard.src = url;
  await seek(start);
  apply();
  heard.currentTime = 0;
  try {
    await heard.play();
  } catch {
    return;
  }
  await play();
  heard.onended = () => pause();
}

function silence() {
  if (!heard.paused) heard.pause();
  heard.onended = null;
  apply();
}

export function playLine(id) {
  const line = lineOf(id);
  if (!line) return;
  seek(line.start).then(() => play()).then(() => (stopAt = line.end));
}

export const faster = (by) => {
  const next = SPEEDS[Math.min(Math.max(SPEEDS.indexOf(state.view.rate) + by, 0), SPEEDS.length - 1)];
  setView({ rate: next });
  apply();
};

// Shows the other one of source and dub, or lets it be heard where both are seen.
export function swap() {
  const { view } = state;
  if (!hasFilm()) return;
  const at = now(), playing = state.playing;
  if (["source", "dub"].includes(view.mode)) setMode(view.mode === "source" ? "dub" : "source");
  else setView({ ear: view.ear === "dub" ? "source" : "dub" });
  apply();
  if (!playing && at !== now()) seek(at);
}

export function setMode(mode) {
  const at = now(), playing = state.playing;
  if (playing) pause();
  setView({ mode, before: null });
  apply();
  seek(at).then(() => playing && play());
}

// The video that shows `which` ("source" | "film"), to draw from.
export const videoOf = (which) => (usable(which) ? videos[which] : null);
