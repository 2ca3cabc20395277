// Waveforms from peaks (int8 minimum and maximum per 10 ms), and where speech begins and ends in them.

// Draws the peaks from `start` on at `scale` pixels per second into a box of the canvas.
export function drawWave(context, peaks, { start, scale, top, height, width, colour }) {
  const { pairs, perSecond } = peaks, count = pairs.length / 2, middle = top + height / 2;
  const loudest = (peaks.loudest ??= Math.max(20, loudness(pairs))), unit = (height / 2 - 2) / loudest;
  context.fillStyle = colour;
  context.beginPath();
  const thick = 1 / devicePixelRatio, from = Math.max(0, Math.floor(-start * scale));
  for (let x = from; x < width; x += 1) {
    const first = Math.floor((start + x / scale) * perSecond);
    const last = Math.max(first + 1, Math.floor((start + (x + 1) / scale) * perSecond));
    if (first >= count) break;
    let low = 127, high = -127;
    for (let i = Math.max(first, 0); i < Math.min(last, count); i += 1) {
      low = Math.min(low, pairs[2 * i]);
      high = Math.max(high, pairs[2 * i + 1]);
    }
    const up = Math.max(high * unit, thick), down = Math.max(-low * unit, thick);
    context.rect(x, middle - Math.min(up, height / 2), 1, Math.min(up, height / 2) + Math.min(down, height / 2));
  }
  context.fill();
}

// The level that all but one in 200 peaks stay under, so that one click does not flatten the rest.
function loudness(pairs) {
  const counts = new Uint32Array(128);
  for (const value of pairs) counts[Math.min(Math.abs(value), 127)] += 1;
  let left = pairs.length / 200;
  for (let level = 127; level > 0; level -= 1) {
    left -= counts[level];
    if (left < 0) return level;
  }
  return 1;
}

const QUIET = 0.12; // s of quiet that part two spans of speech

// Instants (s) at which sound rises from quiet or falls back to it: what edges of lines snap to.
export function onsets(peaks) {
  if (peaks.onsets) return peaks.onsets;
  const { pairs, perSecond } = peaks, count = pairs.length / 2, level = new Float32Array(count);
  for (let i = 0; i < count; i += 1) level[i] = pairs[2 * i + 1] - pairs[2 * i];
  const sorted = Float32Array.from(level).sort();
  const floor = sorted[Math.floor(count * 0.1)] ?? 0, top = sorted[Math.floor(count * 0.95)] ?? 0;
  const limit = floor + Math.max(3, (top - floor) * 0.12), found = [], gap = QUIET * perSecond;
  let end = -Infinity;
  for (let i = 0; i < count; i += 1) {
    if (level[i] < limit) continue;
    if (i - end > gap) {
      if (end > 0) found.push((end + 1) / perSecond);
      found.push(i / perSecond);
    }
    end = i;
  }
  if (end > 0) found.push((end + 1) / perSecond);
  return (peaks.onsets = found);
}

// The instant nearest to `seconds` within `reach`, or null. `instants` may be in any order.
export function nearest(instants, seconds, reach) {
  let best = null;
  for (const at of instants)
    if (Math.abs(at - seconds) <= reach && (best === null || Math.abs(at - seconds) < Math.abs(best - seconds))) best = at;
  return best;
}
