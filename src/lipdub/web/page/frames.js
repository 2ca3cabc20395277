// When each frame of a video is shown, and how to show exactly one.
//
// A browser shows the frame at or before `currentTime`, but times are rounded on the way, so a seek to the time stamp of a
// frame often shows the one before. A seek to the middle of the frame does not. Where frames last differently and are
// coded out of order, even that may fail; so the browser is asked which frame it shows (requestVideoFrameCallback). If it is
// another one, a later place in the frame is tried, and then the film is played up to the frame.
//
// A table is { pts, frames, rate, constant, timecode, start, shift }: `pts` (Float64Array, frames + 1) are seconds from where
// players begin, and end with the end of the last frame; `rate` is in frames per second; `timecode` is { first, base, drop }.
// Where the file's own clock begins later (`start`, s), browsers differ in what `currentTime` counts from: `shift` is what
// they add, found out by the first seek.

const CLOSE = 5e-6; // s; browsers round time stamps to microseconds
const SETTLE = 250; // ms after "seeked" within which the new picture is announced
const LONGEST = 4000; // ms that a film is played to reach a frame
// Frames before the wanted one from which the film is played up to it, and how long (s) that one lasts then.
const RUNS = [[1, 0.15], [2, 0.15], [3, 0.15], [4, 0.15], [2, 0.3], [5, 0.3]];
const PLACES = [0.5, 0.99]; // where in a frame to seek to, the best place first

// The table from what the server or the page of a review tells: { pts: [s, ...] } or { unit: [num, den], first, steps }
// with steps in units, [step, count] where a step repeats; and { rate: "30000/1001", timecode: "01:00:00;00", drop, start }.
export function tableOf(told) {
  const pts = told.pts ? Float64Array.from(told.pts) : unpacked(told);
  const [num, den] = String(told.rate || "25").split("/").map(Number);
  const rate = num / (den || 1), base = Math.max(1, Math.round(rate)), drop = Boolean(told.drop);
  const constant = told.constant === undefined ? isEven(pts) : told.constant;
  const timecode = { first: counted(told.timecode, base, drop), base, drop }, start = told.start || 0;
  return { pts, frames: Math.max(pts.length - 1, 0), rate, constant, timecode, start, shift: start ? null : 0 };
}

function unpacked({ unit: [num, den], first, steps }) {
  const units = [first];
  for (const entry of steps) {
    const [step, count] = Array.isArray(entry) ? entry : [entry, 1];
    for (let i = 0; i < count; i += 1) units.push(units[units.length - 1] + step);
  }
  return Float64Array.from(units, at => at * num / den);
}

function isEven(pts) {
  let [least, most] = [Infinity, 0];
  for (let i = 1; i + 1 < pts.length; i += 1) {
    const step = pts[i] - pts[i - 1];
    [least, most] = [Math.min(least, step), Math.max(most, step)];
  }
  return most - least <= 0.0011;
}

// The frame that is shown at `seconds`: the first or the last one outside.
export function frameAt(table, seconds) {
  let [low, high] = [0, table.frames - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (table.pts[middle] <= seconds + CLOSE) low = middle; else high = middle - 1;
  }
  return Math.max(low, 0);
}

// The middle of a frame (s): what to seek to. A number outside means the first or the last frame.
export function middleOf(table, frame) {
  const at = inside(table, frame);
  return (table.pts[at] + table.pts[at + 1]) / 2;
}

function inside(table, frame) {
  return Math.min(Math.max(Math.round(frame), 0), Math.max(table.frames - 1, 0));
}

// The timecode of a frame (SMPTE ST 12-1). Where frames last differently: of the nearest frame at the table's rate.
export function timecodeOf(table, frame) {
  const { first, base, drop } = table.timecode, at = inside(table, frame);
  let count = first + (table.constant ? at : Math.round((table.pts[at] - table.pts[0]) * table.rate));
  if (drop) {
    const left = Math.floor(base / 15), ten = base * 600 - 9 * left, rest = count % ten;
    count += 9 * left * Math.floor(count / ten);
    if (rest >= left) count += left * Math.floor((rest - left) / (base * 60 - left));
  }
  const seconds = Math.floor(count / base), two = number => String(number).padStart(2, "0");
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(":");
  return clock + (drop ? ";" : ":") + two(count % base);
}

function counted(text, base, drop) {
  const found = /^(\d+):(\d\d):(\d\d)[:;.,](\d+)$/.exec(text || "");
  if (!found) return 0;
  const [hours, minutes, seconds, frames] = found.slice(1).map(Number), whole = hours * 60 + minutes;
  const left = drop ? Math.floor(base / 15) * (whole - Math.floor(whole / 10)) : 0;
  return (whole * 60 + seconds) * base + frames - left;
}

const seeks = new WeakMap();
const asks = "requestVideoFrameCallback" in HTMLVideoElement.prototype;

// Pause `video`, show one frame, and tell which one is shown then. While a seek is under way, only the newest wish
// counts: all promises tell its frame.
export function seekTo(video, table, frame) {
  const state = seeks.get(video) || { wanted: 0, table: null, running: null, shown: -1, at: -1 };
  if (!seeks.has(video)) video.addEventListener("play", () => { state.shown = -1; });
  seeks.set(video, state);
  if (!isStill(video, table)) state.shown = -1;
  Object.assign(state, { wanted: inside(table, frame), table });
  if (!state.running) state.running = untilShown(video, state).finally(() => { state.running = null; });
  return state.running;
}

// True while `video` is on its way to a frame. It may play then for a moment, which is not the user's playing.
export function isSeeking(video) {
  return Boolean(seeks.get(video)?.running);
}

// When the seeks of `video` that are under way have ended: wait for it before playing.
export function settled(video) {
  return seeks.get(video)?.running || Promise.resolve();
}

// True if `video` still shows the frame that the last seek showed.
function isStill(video, table) {
  const state = seeks.get(video);
  return Boolean(state && state.table === table && state.shown >= 0 && video.paused && video.currentTime === state.at);
}

// Seconds from where players begin that `video` is at.
export function timeNow(video, table) {
  return video.currentTime - (table.shift || 0);
}

// The frame that `video` shows; while a seek is under way, the one that it will show.
export function frameNow(video, table) {
  const state = seeks.get(video);
  if (state && state.running) return inside(table, state.wanted);
  return isStill(video, table) ? state.shown : frameAt(table, timeNow(video, table));
}

// Call `tell(frame)` for each new frame that is shown, until the function that is returned is called.
export function followFrames(video, table, tell) {
  let [going, handle] = [true, 0];
  const next = () => { handle = asks ? video.requestVideoFrameCallback(seen) : requestAnimationFrame(seen); };
  const seen = (now, picture) => {
    if (!going) return;
    tell(frameAt(table, asks ? picture.mediaTime - (table.shift || 0) : timeNow(video, table)));
    next();
  };
  next();
  return () => {
    going = false;
    if (asks) video.cancelVideoFrameCallback(handle); else cancelAnimationFrame(handle);
  };
}

async function untilShown(video, state) {
  if (!video.paused) video.pause();
  if (video.readyState < 1) await new Promise(go => ["loadedmetadata", "error"].forEach(e => video.addEventListener(e, go, { once: true })));
  for (;;) {
    const { wanted, table } = state, settled = () => state.shown === wanted || state.wanted !== wanted || video.error;
    if (table.shift === null) table.shift = await shiftOf(video, table);
    if (state.shown !== wanted) {
      for (const part of PLACES) {
        state.shown = await shownAt(video, table, wanted, part, state.shown);
        if (settled()) break;
      }
    }
    for (const [back, seconds] of RUNS) {
      if (!asks || document.hidden || settled()) break;
      state.shown = await shownAt(video, table, Math.max(wanted - back, 0), 0.5, state.shown);
      if (state.shown < wanted) state.shown = await playedTo(video, table, wanted, seconds);
    }
    state.at = video.currentTime;
    if (state.wanted === wanted) return state.shown;
  }
}

// What the browser adds to the times of `table`: the time stamp of the first picture tells.
async function shiftOf(video, table) {
  if (!asks || document.hidden) return 0;
  await pictureAt(video, table.pts[table.frames] / 2, () => true);
  const first = await pictureAt(video, 0, () => true), off = first - table.pts[0];
  return Math.abs(off - table.start) < Math.abs(off) ? table.start : 0;
}

// Seek to a place (0 to 1) in a frame and tell which one is shown then; `before` was shown before (-1: not known).
async function shownAt(video, table, frame, part, before) {
  const frameOf = mediaTime => frameAt(table, mediaTime - table.shift);
  const time = table.pts[frame] + part * (table.pts[frame + 1] - table.pts[frame]);
  const mediaTime = await pictureAt(video, time + table.shift, at => frameOf(at) === frame);
  if (!Number.isNaN(mediaTime)) return frameOf(mediaTime);
  return asks && !document.hidden && !video.error && before >= 0 ? before : frameAt(table, timeNow(video, table));
}

// Seek to `time` and tell the time stamp of the picture that is shown then; NaN if no new one is. As soon as one is
// `enough`, nothing more is waited for.
function pictureAt(video, time, enough) {
  return new Promise(resolve => {
    let [told, handle, timer] = [NaN, 0, 0];
    const finish = () => {
      clearTimeout(timer);
      if (asks) video.cancelVideoFrameCallback(handle);
      ["seeked", "error"].forEach(name => video.removeEventListener(name, seeked));
      resolve(told);
    };
    const pictured = (now, picture) => {
      told = picture.mediaTime;
      if (!video.seeking && enough(told)) finish();
      else handle = video.requestVideoFrameCallback(pictured);
    };
    const seeked = () => {
      const known = !Number.isNaN(told);
      if (!asks || document.hidden || video.error || (known && enough(told))) finish();
      else timer = setTimeout(finish, known ? SETTLE / 2 : SETTLE);
    };
    ["seeked", "error"].forEach(name => video.addEventListener(name, seeked));
    if (asks) handle = video.requestVideoFrameCallback(pictured);
    video.currentTime = time;
  });
}

// Play in silence, so slowly that the frame `wanted`, which no seek shows, lasts `seconds`; stop there, and tell which frame
// is shown then.
function playedTo(video, table, wanted, seconds) {
  const { muted, playbackRate } = video, long = table.pts[wanted + 1] - table.pts[wanted];
  return new Promise(resolve => {
    let [told, handle, timer] = [frameAt(table, timeNow(video, table)), 0, 0];
    const finish = () => {
      video.cancelVideoFrameCallback(handle);
      Object.assign(video, { muted, playbackRate });
      resolve(told);
    };
    const stop = () => {
      clearTimeout(timer);
      video.pause();
      timer = setTimeout(finish, SETTLE / 4); // one more picture may be on its way
    };
    const pictured = (now, picture) => {
      told = frameAt(table, picture.mediaTime - table.shift);
      if (told >= wanted && !video.paused) stop();
      handle = video.requestVideoFrameCallback(pictured);
    };
    handle = video.requestVideoFrameCallback(pictured);
    timer = setTimeout(stop, LONGEST);
    Object.assign(video, { muted: true, playbackRate: Math.min(Math.max(long / seconds, 1 / 16), 1) });
    video.play().catch(stop);
  });
}
