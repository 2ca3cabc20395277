// What is drawn of the time line: ruler, shots, waveforms, marks. Lines and spans are elements (timeline.js).
import { clock } from "./words.js";
import { drawWave } from "./waves.js";

export const RULER = 24, SHOTS = 7, LANE = 42, WAVE = 46;
export const lanesTop = RULER + SHOTS;

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

let colours = null;
// The colours of the style sheet, for drawing; to be called again after a change of theme.
export function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink-2", "ink-3", "line", "line-2", "panel", "raised", "wave-source", "wave-dub", "accent", "shot-a", "shot-b", "bad"];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue("--" + name).trim()]));
}

// view: {start, scale, width, height, lanes, duration, shots, peaks, marks}
export function draw(canvas, view) {
  if (!colours) readColours();
  const ratio = devicePixelRatio || 1, context = canvas.getContext("2d");
  const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = view.width + "px";
    canvas.style.height = view.height + "px";
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, view.height);
  drawRuler(context, view);
  drawShots(context, view);
  drawRows(context, view);
  drawMarks(context, view);
}

function drawRuler(context, { start, scale, width, height, duration }) {
  const step = STEPS.find((one) => one * scale >= 74) ?? 7200, small = step / (step * scale > 150 ? 10 : 5);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  const last = Math.min(start + width / scale, duration);
  for (let n = Math.max(0, Math.floor(start / small)); n * small <= last + 1e-9; n += 1) {
    const at = n * small, x = Math.round((at - start) * scale) + 0.5;
    const large = Math.abs(at / step - Math.round(at / step)) < 1e-6;
    context.fillStyle = large ? colours["line-2"] : colours.line;
    context.fillRect(x - 0.5, large ? RULER - 9 : RULER - 4, 1, large ? 9 : 4);
    if (!large) continue;
    context.fillStyle = colours.line;
    context.fillRect(x - 0.5, lanesTop, 1, height - lanesTop);
    context.fillStyle = colours["ink-3"];
    context.fillText(clock(at, step < 1 ? 1 : 0), x + 4, RULER / 2 - 2);
  }
}

function drawShots(context, { start, scale, width, shots }) {
  shots.forEach((shot, number) => {
    const from = (shot.start - start) * scale, to = (shot.end - start) * scale;
    if (to < 0 || from > width) return;
    context.fillStyle = number % 2 ? colours["shot-b"] : colours["shot-a"];
    context.beginPath();
    context.roundRect(from + 0.5, RULER, Math.max(to - from - 1, 1), SHOTS - 2, 2);
    context.fill();
  });
}

function drawRows(context, { start, scale, width, lanes, peaks, duration }) {
  const end = Math.min(width, (duration - start) * scale);
  context.fillStyle = colours.line;
  for (let row = 0; row <= lanes; row += 1) context.fillRect(0, lanesTop + row * LANE, width, 1);
  context.fillRect(0, lanesTop + lanes * LANE + WAVE, width, 1);
  ["source", "film"].forEach((which, row) => {
    const top = lanesTop + lanes * LANE + row * WAVE;
    if (!peaks[which]) return;
    const colour = colours[which === "source" ? "wave-source" : "wave-dub"];
    drawWave(context, peaks[which], { start, scale, top, height: WAVE, width: end, colour });
  });
}

function drawMarks(context, { start, scale, marks, height, duration }) {
  if (marks.start === null && marks.end === null) return;
  const from = ((marks.start ?? 0) - start) * scale, to = ((marks.end ?? duration) - start) * scale;
  context.globalAlpha = 0.16;
  context.fillStyle = colours.accent;
  context.fillRect(from, 0, Math.max(to - from, 1), height);
  context.globalAlpha = 1;
  if (marks.start !== null) context.fillRect(from - 1, 0, 2, height);
  if (marks.end !== null) context.fillRect(to - 1, 0, 2, height);
}
