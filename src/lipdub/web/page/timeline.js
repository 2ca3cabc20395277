// The time line: one lane for each person with their lines, what is left as filmed, waveforms, ranges, the playhead.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { setRanges } from "./edits.js";
import { Button } from "./pieces.js";
import { duration, onTime, peaks, seek } from "./playback.js";
import { announce, isFlagged, lineOf, personOf, set, standing, state, useStore } from "./store.js";
import { LANE, WAVE, draw, lanesTop, readColours } from "./timeline_canvas.js";
import { beginDrag } from "./timeline_drag.js";
import { clock, t } from "./words.js";

const HEADS = 128, MOST = 600; // px per second at most
export const view = { scale: 60, start: 0, width: 800, box: null, zoomTo: null };

// Person ids in the order of lanes; "" holds the lines of nobody who is seen.
function lanesOf(project, dub) {
  const used = new Set(dub?.segments.map((line) => line.person ?? ""));
  for (const span of dub?.left_as_filmed ?? []) if (span.person) used.add(span.person);
  const seen = [...project.people].sort((a, b) => (a.lane ?? 0) - (b.lane ?? 0)).map((person) => person.id).filter((id) => used.has(id));
  const unknown = [...used].filter((id) => !seen.includes(id)).sort();
  return [...seen, ...unknown];
}

function useWindow(ref) {
  const [, again] = useState(0);
  useLayoutEffect(() => {
    const box = ref.current;
    view.box = box;
    const measure = () => {
      view.width = box.clientWidth;
      view.start = box.scrollLeft / view.scale;
      again((n) => n + 1);
    };
    const watch = new ResizeObserver(measure);
    watch.observe(box);
    box.addEventListener("scroll", measure, { passive: true });
    view.again = measure;
    return () => {
      watch.disconnect();
      box.removeEventListener("scroll", measure);
      view.box = null;
    };
  }, []);
}

// Zooms so that the instant under `x` (px from the left edge; the playhead if not given) stays where it is.
export function zoom(factor, x = null) {
  if (!view.box) return;
  const least = Math.min(view.width / Math.max(duration(), 1), 20);
  const scale = Math.min(Math.max(view.scale * factor, least), MOST);
  const head = (view.now - view.start) * view.scale;
  const anchor = x ?? (head >= 0 && head <= view.width ? head : view.width / 2);
  const instant = view.start + anchor / view.scale;
  view.scale = scale;
  view.again();
  requestAnimationFrame(() => {
    if (view.box) view.box.scrollLeft = instant * scale - anchor;
    view.again?.();
  });
}

export const fit = () => zoom(view.width / Math.max(duration(), 0.1) / view.scale, 0);

// Scrolls so that from..to is seen.
export function reveal(from, to) {
  const { box, scale, width } = view;
  if (!box) return;
  const left = from * scale - box.scrollLeft, right = to * scale - box.scrollLeft;
  if (left < 0 || right > width) box.scrollLeft = Math.max(0, from * scale - Math.min(width * 0.25, 200));
}

function wheel(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    const outer = event.currentTarget.closest(".timeline-rows");
    if (outer.scrollHeight > outer.clientHeight + 2) return;
    event.preventDefault();
    view.box.scrollLeft += event.deltaY;
    return;
  }
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 300), event.clientX - view.box.getBoundingClientRect().left);
}

// Pointing at the ruler, a waveform or an empty place shows that instant; moving on scrubs.
function scrub(event) {
  if (event.button !== 0 || event.target.closest("button")) return;
  const box = view.box, left = box.getBoundingClientRect().left;
  const instant = (at) => (at.clientX - left + box.scrollLeft) / view.scale, show = (at) => seek(instant(at));
  const target = event.currentTarget, waves = target.offsetHeight - 2 * WAVE;
  if (event.clientY - target.getBoundingClientRect().top > waves) { // a waveform: the line that is spoken there
    const line = state.dub?.segments.find((one) => one.start <= instant(event) && instant(event) < one.end);
    if (line) set({ selected: line.id });
  }
  if (event.pointerType !== "touch") {
    target.setPointerCapture(event.pointerId);
    const move = (at) => show(at);
    target.addEventListener("pointermove", move);
    const stop = () => target.removeEventListener("pointermove", move);
    target.addEventListener("pointerup", stop, { once: true });
    target.addEventListener("pointercancel", stop, { once: true });
    show(event);
  } else target.addEventListener("click", show, { once: true });
}

export function describe(line) {
  const who = line.person ? personOf(line.person)?.name || t("person_n", { n: line.person }) : t("off_screen");
  const words = [t("line_n", { n: line.id }), who, `${clock(line.start)} – ${clock(line.end)}`, t("standing_" + standing(line))];
  if (isFlagged(line)) words.push(line.flags.map((flag) => flag.text).join(", "));
  return `${words.join(", ")}: ${line.text}`;
}

const place = (start, end, row) => ({
  left: start * view.scale + "px",
  width: Math.max((end - start) * view.scale - 1, 3) + "px",
  top: lanesTop + row * LANE + 3 + "px",
  height: LANE - 6 + "px",
});

function Block({ line, row, selected, drag }) {
  const [start, end] = drag?.id === line.id ? [drag.start, drag.end] : [line.start, line.end];
  const said = line.pace?.said, wide = (end - start) * view.scale;
  const shift = (said?.start ?? start) - line.start, length = said ? said.end - said.start : 0;
  const bar = said && { left: shift * view.scale + "px", width: Math.max(length * view.scale, 2) + "px" };
  const choose = () => {
    set({ selected: line.id });
    announce(describe(line));
  };
  return html`<button type="button" class=${`block is-${standing(line)}` + (selected ? " selected" : "") + (drag?.id === line.id ? " dragged" : "")}
    style=${place(start, end, row)} title=${describe(line)} aria-label=${describe(line)} aria-pressed=${String(selected)}
    tabIndex=${selected ? 0 : -1} data-line=${line.id} onFocus=${choose}
    onPointerDown=${(event) => beginDrag(event, line, view)} onDblClick=${() => seek(line.start)}>
    <i class="edge start"></i><span dir="auto">${wide > 26 ? line.text : ""}</span>
    ${wide > 44 && isFlagged(line) && html`<i class="dot"></i>`}
    ${bar && line.state !== "left" && html`<i class=${"said" + (line.pace.missing > 0 ? " long" : "")} style=${bar}></i>`}
    <i class="edge end"></i></button>`;
}

// A span of one person lies in that person's lane, one of everybody over all lanes.
function Left({ span, row, lanes }) {
  const why = `${t("left_as_filmed")}: ${span.why}`, where = place(span.start, span.end, Math.max(row, 0));
  if (row < 0) where.height = lanes * LANE - 6 + "px";
  return html`<div class="as-filmed" style=${where} title=${why}><span>${(span.end - span.start) * view.scale > 90 ? span.why : ""}</span></div>`;
}

function Range({ range, height, remove }) {
  const style = { left: range.start * view.scale + "px", width: Math.max((range.end - range.start) * view.scale, 4) + "px", height: height - lanesTop + "px", top: lanesTop + "px" };
  const label = `${t("not_dubbed")} ${clock(range.start)} – ${clock(range.end)}`;
  return html`<div class="range" style=${style} title=${label}>${(range.end - range.start) * view.scale > 130 && html`<span>${t("not_dubbed")}</span>`}
    <${Button} icon="cross" label=${t("dub_again", { range: label })} onClick=${remove} /></div>`;
}

function Head({ id, lines }) {
  const person = personOf(id), name = person?.name || (id ? t("person_n", { n: id }) : t("off_screen"));
  const open = () => set({ dialog: `person ${id}` });
  return html`<${person ? "button" : "div"} class="head" style=${{ height: LANE + "px" }} title=${person && t("person_settings", { name })} aria-label=${person && t("person_settings", { name })} onClick=${person && open}>
    ${person?.picture ? html`<img src=${person.picture} alt="" width="26" height="26" />` : html`<span class="nobody" aria-hidden="true">${name.slice(0, 1)}</span>`}
    <span class="who"><b dir="auto">${name}</b><small>${t("n_lines", { n: lines })}</small></span><//>`;
}

function Playhead({ height }) {
  const ref = useRef(null);
  useEffect(() => onTime((seconds) => {
    view.now = seconds;
    if (!ref.current) return;
    ref.current.style.transform = `translateX(${seconds * view.scale}px)`;
    const x = (seconds - view.start) * view.scale;
    if (state.playing && view.box && (x > view.width - 24 || x < 0)) view.box.scrollLeft = seconds * view.scale - 60;
  }));
  return html`<div class="playhead" ref=${ref} style=${{ height: height + "px", transform: `translateX(${(view.now ?? 0) * view.scale}px)` }}></div>`;
}

function useCanvas(ref, height, lanes) {
  const { marks, tables, dub } = { marks: useStore((s) => s.marks), tables: useStore((s) => s.tables), dub: useStore((s) => s.dub) };
  const theme = useStore((s) => s.theme), long = duration();
  const paint = () => ref.current && draw(ref.current, {
    start: view.start, scale: view.scale, width: view.width, height, lanes, duration: long, shots: dub?.shots ?? [], peaks, marks,
  });
  useLayoutEffect(paint, [view.start, view.scale, view.width, height, marks, tables, dub?.shots, theme, long]);
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const again = () => (readColours(), paint());
    readColours();
    paint();
    dark.addEventListener("change", again);
    return () => dark.removeEventListener("change", again);
  }, [theme]);
}

const inWindow = (one) => one.end >= view.start - 1 && one.start <= view.start + view.width / view.scale + 1;

function Space({ lanes, height }) {
  const { dub, project } = state, selected = useStore((s) => s.selected), drag = useStore((s) => s.drag), ref = useRef(null);
  useCanvas(ref, height, lanes.length);
  const row = (id) => lanes.indexOf(id ?? "");
  const lines = (dub?.segments ?? []).filter((line) => inWindow(line) || line.id === selected);
  const left = (dub?.left_as_filmed ?? []).filter(inWindow);
  const remove = (range) => setRanges(project.ranges.filter((one) => one !== range));
  const width = Math.max(duration() * view.scale + 40, view.width - 1);
  return html`<div class="space" style=${{ width: width + "px", height: height + "px" }} onPointerDown=${scrub}>
    <canvas ref=${ref} aria-hidden="true"></canvas>
    ${left.map((span) => html`<${Left} key=${`l${span.person}${span.start}${span.end}`} span=${span} row=${span.person ? row(span.person) : -1} lanes=${lanes.length} />`)}
    ${lines.map((line) => html`<${Block} key=${line.id} line=${line} row=${row(line.person)} selected=${line.id === selected} drag=${drag} />`)}
    ${project.ranges.filter(inWindow).map((range) => html`<${Range} key=${"r" + range.start} range=${range} height=${height} remove=${() => remove(range)} />`)}
    ${drag && drag.snapped !== null && html`<div class="snap" style=${{ left: drag.snapped * view.scale + "px", height: height + "px" }}></div>`}
    <${Playhead} height=${height} /></div>`;
}

export function Timeline() {
  const project = useStore((s) => s.project), dub = useStore((s) => s.dub), ref = useRef(null);
  const selected = useStore((s) => s.selected);
  const lanes = useMemo(() => lanesOf(project, dub), [project.people, dub?.segments, dub?.left_as_filmed]);
  useWindow(ref);
  useEffect(() => {
    const line = lineOf(selected);
    if (line && !state.drag) reveal(line.start, line.end);
  }, [selected]);
  useEffect(() => {
    const box = ref.current;
    box.addEventListener("wheel", wheel, { passive: false });
    view.scale = Math.min(Math.max((box.clientWidth - 20) / Math.max(duration(), 1), 38), 240);
    view.again();
    return () => box.removeEventListener("wheel", wheel);
  }, [project.id]);
  const height = lanesTop + lanes.length * LANE + 2 * WAVE;
  const counted = (id) => (dub?.segments ?? []).filter((line) => (line.person ?? "") === id).length;
  return html`<section class="timeline" aria-label=${t("timeline")}>
    <div class="timeline-rows"><div class="heads" style=${{ width: HEADS + "px" }}>
      <div class="tools" style=${{ height: lanesTop + "px" }}>
        <${Button} icon="minus" label=${t("zoom_out")} keys="−" onClick=${() => zoom(1 / 1.5)} />
        <${Button} icon="plus" label=${t("zoom_in")} keys="+" onClick=${() => zoom(1.5)} />
        <${Button} icon="fit" label=${t("zoom_fit")} keys="0" onClick=${fit} /></div>
      ${lanes.map((id) => html`<${Head} key=${id} id=${id} lines=${counted(id)} />`)}
      <div class="head wave" style=${{ height: WAVE + "px" }}>${t("source")}</div>
      <div class="head wave dub" style=${{ height: WAVE + "px" }}>${t("dub")}</div></div>
    <div class="scroll" ref=${ref} tabIndex="-1"><${Space} lanes=${lanes} height=${height} /></div></div></section>`;
}
