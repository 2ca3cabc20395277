// When each frame of a video is shown, and how to show exactly one.
//
// A browser shows the frame at or before `currentTime`, but times are rounded on the way, so a seek to the time stamp of a
// frame often shows the one before. A seek to the middle of the frame does not. Where frames last differently and are
// coded out of order, even that may fail; so the browser is asked which frame it shows (requestVideoFrameCallback). If it is
// another one, a later place in the frame is tried, and then the film is played up to the frame.
//
// A table is { pts, frames, rate, constant, timecode }: `pts` (Float64Array, frames + 1) are seconds from where players
// begin, and end with the end of the last frame; `rate` is in frames per second; `timecode` is { first, base, drop }.

const CLOSE = 5e-6; // s; browsers round time stamps to microseconds
const SETTLE = 250; // ms after "seeked" within which the new picture is announced
const PLACES = [0.5, 0.99]; // where in a frame to seek to, the best place first

// The table from what the server or the page of a review tells: { pts: [s, ...] } or { unit: [num, den], first, steps }
// with steps in units, [step, count] where a step repeats; and { rate: "30000/1001", timecode: "01:00:00;00", drop }.
export function tableOf(told) {
  const pts = told.pts ? Float64Array.from(told.pts) : unpacked(told);
  const [num, den] = String(told.rate || "25").split("/").map(Number);
  const rate = num / (den || 1), base = Math.max(1, Math.round(rate)), drop = Boolean(told.drop);
  const constant = told.constant === undefined ? isEven(pts) : told.constant;
  return { pts, frames: Math.max(pts.length - 1, 0), rate, constant, timecode: { first: counted(told.timecode, base, drop), base, drop } };
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

function seekState(video) {
  if (!seeks.has(video)) seeks.set(video, { wanted: 0, table: null, running: null, shown: -1 });
  return seeks.get(video);
}

// Pause `video`, show one frame, and tell which one is shown then. While a seek is under way, only the newest wish
// counts: all promises tell its frame.
export function seekTo(video, table, frame) {
  const state = seekState(video);
  Object.assign(state, { wanted: inside(table, frame), table });
  if (!state.running) state.running = untilShown(video, state).finally(() => { state.running = null; });
  return state.running;
}

// The frame that `video` shows; while a seek is under way, the one that it will show.
export function frameNow(video, table) {
  const state = seeks.get(video);
  return state && state.running ? inside(table, state.wanted) : frameAt(table, video.currentTime);
}

// Call `tell(frame)` for each new frame that is shown, until the function that is returned is called.
export function followFrames(video, table, tell) {
  let [going, handle] = [true, 0];
  const exact = "requestVideoFrameCallback" in video;
  const next = () => { handle = exact ? video.requestVideoFrameCallback(seen) : requestAnimationFrame(seen); };
  const seen = (now, picture) => {
    if (!going) return;
    tell(frameAt(table, exact ? picture.mediaTime : video.currentTime));
    next();
  };
  next();
  return () => {
    going = false;
    if (exact) video.cancelVideoFrameCallback(handle); else cancelAnimationFrame(handle);
  };
}

async function untilShown(video, state) {
  if (!video.paused) video.pause();
  if (video.readyState < 1) await new Promise(go => ["loadedmetadata", "error"].forEach(e => video.addEventListener(e, go, { once: true })));
  for (;;) {
    const { wanted, table } = state, settled = () => state.shown === wanted || state.wanted !== wanted || video.error;
    for (const part of PLACES) {
      state.shown = await shownAt(video, table, placeIn(table, wanted, part), wanted, state.shown);
      if (settled()) break;
    }
    for (let from = wanted - 1; from >= Math.max(wanted - 4, 0) && !settled() && "requestVideoFrameCallback" in video && !document.hidden; from -= 1) {
      state.shown = await shownAt(video, table, placeIn(table, from, 0.5), from, state.shown);
      if (state.shown < wanted) state.shown = await playedTo(video, table, wanted);
    }
    if (state.wanted === wanted) return state.shown;
  }
}

function placeIn(table, frame, part) {
  return table.pts[frame] + part * (table.pts[frame + 1] - table.pts[frame]);
}

// Seek to `time` and tell which frame is shown then; `before` is the one that was shown before (-1: not known).
function shownAt(video, table, time, wanted, before) {
  return new Promise(resolve => {
    const exact = "requestVideoFrameCallback" in video;
    let [told, handle, timer] = [-1, 0, 0];
    const finish = frame => {
      clearTimeout(timer);
      if (exact) video.cancelVideoFrameCallback(handle);
      video.removeEventListener("seeked", seeked);
      video.removeEventListener("error", seeked);
      resolve(frame);
    };
    const pictured = (now, picture) => {
      told = frameAt(table, picture.mediaTime);
      if (told === wanted && !video.seeking) finish(told);
      else handle = video.requestVideoFrameCallback(pictured);
    };
    const seeked = () => {
      if (!exact || document.hidden || video.error) finish(frameAt(table, video.currentTime));
      else if (told === wanted) finish(told);
      else timer = setTimeout(() => finish(told >= 0 ? told : before >= 0 ? before : frameAt(table, video.currentTime)), told < 0 ? SETTLE : SETTLE / 4);
    };
    video.addEventListener("seeked", seeked);
    video.addEventListener("error", seeked);
    if (exact) handle = video.requestVideoFrameCallback(pictured);
    video.currentTime = time;
  });
}

// Play slowly and in silence until the frame `wanted`, which no seek shows, is shown; tell which frame is shown then.
function playedTo(video, table, wanted) {
  const { muted, playbackRate } = video, long = table.pts[wanted + 1] - table.pts[wanted];
  return new Promise(resolve => {
    let [told, handle, timer] = [frameAt(table, video.currentTime), 0, 0];
    const finish = () => {
      clearTimeout(timer);
      video.cancelVideoFrameCallback(handle);
      video.pause();
      Object.assign(video, { muted, playbackRate });
      resolve(told);
    };
    const pictured = (now, picture) => {
      told = frameAt(table, picture.mediaTime);
      if (told >= wanted) finish();
      else handle = video.requestVideoFrameCallback(pictured);
    };
    handle = video.requestVideoFrameCallback(pictured);
    timer = setTimeout(finish, 4000);
    Object.assign(video, { muted: true, playbackRate: Math.min(Math.max(long / 0.15, 1 / 16), 1) });
    video.play().catch(finish);
  });
}
