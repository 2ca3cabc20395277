// Where faces are in the picture, and the mouth of the one who speaks, enlarged.
import { at, get } from "./api.js";
import { now, onTime, videoOf } from "./playback.js";
import { lineOf, state } from "./store.js";

const kept = new Map(); // "project@seconds" -> promise of boxes
const MOST = 400;

// The boxes of the faces at `seconds`: [{person, box: [x, y, width, height]}] as parts of the picture. Never fails.
export function faces(seconds) {
  if (!state.project) return Promise.resolve([]);
  const key = `${state.project.id}@${seconds.toFixed(2)}`;
  if (!kept.has(key)) {
    if (kept.size > MOST) kept.clear();
    const asked = get(`${at.project(state.project.id)}/faces?at=${seconds.toFixed(3)}`);
    kept.set(key, asked.then((answer) => answer.data ?? answer, () => []));
  }
  return kept.get(key);
}

// Who speaks now: the person of the line under the playhead, else of the selected line.
function speaker(seconds) {
  const line = state.dub?.segments.find((one) => one.start <= seconds && seconds < one.end && one.person);
  return line?.person ?? lineOf(state.selected)?.person ?? null;
}

// Draws the mouth into the canvases in `box` at each new picture. Gives a function that ends it.
export function followMouths(box) {
  let place = null, target = null, asked = 0, ended = false, frame = 0;
  const look = async (seconds) => {
    const turn = ++asked, boxes = await faces(Math.round(seconds * 10) / 10);
    if (turn !== asked || ended) return;
    const one = boxes.find((face) => face.person === speaker(seconds)) ?? boxes[0];
    if (!one) target = null;
    else {
      const [x, y, w, h] = one.box;
      target = { x: x + w / 2, y: y + h * 0.78, w: w * 0.72 };
    }
    if (!state.playing) place = target;
    paint();
  };
  const paint = () => {
    if (place && target) for (const name of ["x", "y", "w"]) place[name] += (target[name] - place[name]) * 0.35;
    else place = target ? { ...target } : null;
    for (const canvas of box.querySelectorAll("canvas")) drawMouth(canvas, videoOf(canvas.dataset.which), place);
  };
  const stop = onTime(look);
  const videos = ["source", "film"].map(videoOf).filter(Boolean);
  for (const video of videos) video.addEventListener("seeked", paint);
  const follow = () => {
    if (state.playing) paint();
    frame = requestAnimationFrame(follow);
  };
  follow();
  look(now());
  return () => {
    ended = true;
    stop();
    cancelAnimationFrame(frame);
    for (const video of videos) video.removeEventListener("seeked", paint);
  };
}

function drawMouth(canvas, video, place) {
  const context = canvas.getContext("2d"), ratio = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [180 * ratio, 120 * ratio];
  if (canvas.width !== width) [canvas.width, canvas.height] = [width, height];
  context.clearRect(0, 0, width, height);
  if (!video || !place || video.readyState < 2) return;
  const w = place.w * video.videoWidth, h = (w * height) / width;
  const x = Math.min(Math.max(place.x * video.videoWidth - w / 2, 0), video.videoWidth - w);
  const y = Math.min(Math.max(place.y * video.videoHeight - h / 2, 0), video.videoHeight - h);
  context.imageSmoothingQuality = "high";
  context.drawImage(video, x, y, w, h, 0, 0, width, height);
}
