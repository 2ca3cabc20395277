// The list of lines: only those that are seen are elements, so that a thousand lines open at once.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { verdict } from "./edits.js";
import { Button, Icon } from "./pieces.js";
import { onTime, playLine, seek } from "./playback.js";
import { isFlagged, isStale, isUnchecked, personOf, set, shownLines, standing, state, useStore } from "./store.js";
import { clock, t } from "./words.js";
import { describe } from "./timeline.js";

const ROW = 68, SPARE = 6;
const FILTERS = [["all", () => true], ["flagged", isFlagged], ["unchecked", isUnchecked], ["stale", isStale]];

export const shown = () => (state.dub ? shownLines(state.dub.segments, state.filter, state.search) : []);

// Selects the line `by` places further in the list and shows it.
export function go(by, wanted = () => true) {
  const all = shown();
  if (!all.length) return;
  let i = all.findIndex((line) => line.id === state.selected);
  if (i < 0 && by < 0) i = all.length;
  do i += Math.sign(by); while (all[i] && !wanted(all[i]));
  if (all[i]) pick(all[i]);
}

export function pick(line) {
  set({ selected: line.id });
  if (!state.playing) seek(line.start);
}

function Filters({ segments }) {
  const filter = useStore((s) => s.filter), search = useStore((s) => s.search);
  const checked = segments.filter((line) => !isUnchecked(line)).length;
  const progress = t("n_checked", { n: checked, total: segments.length });
  return html`<div class="filters">
    <div class="segmented" role="group" aria-label=${t("filter")}>${FILTERS.map(([name, has]) => {
      const count = segments.filter(has).length;
      return html`<button type="button" key=${name} class="button" aria-pressed=${String(filter === name)} onClick=${() => set({ filter: name })}>
        <span>${t("filter_" + name)}</span><span class=${`count of-${name}`}>${count}</span></button>`;
    })}</div>
    <input type="search" class="find" placeholder=${t("find")} aria-label=${t("find")} value=${search} onInput=${(e) => set({ search: e.target.value })} />
    <div class="checked" title=${progress} aria-label=${progress} role="img"><i style=${{ width: `${(100 * checked) / Math.max(segments.length, 1)}%` }}></i></div></div>`;
}

const MARKS = { accepted: "check", left: "ban", flagged: "flag", stale: "redo_line", running: "jobs", failed: "cross", fresh: "" };

export function Standing({ line, words = false }) {
  const name = standing(line), label = t("standing_" + name);
  return html`<span class=${`standing is-${name}`} title=${label}>${MARKS[name] ? html`<${Icon} name=${MARKS[name]} />` : html`<i></i>`}
    ${words ? label : html`<span class="unseen">${label}</span>`}</span>`;
}

export function Pace({ pace }) {
  const rate = pace?.rate;
  if (!rate) return null;
  const kind = pace.missing > 0 ? "bad" : rate > 1.25 ? "warn" : "ok";
  const title = pace.missing > 0 ? t("pace_missing", { seconds: pace.missing.toFixed(2) }) : t("pace_is", { rate: rate.toFixed(2) });
  return html`<span class=${"pace " + kind} title=${title}><span>${rate.toFixed(2)}×</span><i><b style=${{ width: `${Math.min(rate / 1.5, 1) * 100}%` }}></b></i></span>`;
}

function Row({ line, index, selected, current, top }) {
  const person = personOf(line.person), name = person?.name || (line.person ? t("person_n", { n: line.person }) : t("off_screen"));
  const flags = isFlagged(line) ? line.flags : [];
  const judge = (value) => (event) => {
    event.stopPropagation();
    set({ selected: line.id });
    verdict(line.id, value);
  };
  return html`<div class=${`row is-${standing(line)}` + (selected ? " selected" : "") + (current ? " current" : "")} role="row" aria-rowindex=${index + 1}
    aria-selected=${String(selected)} tabIndex=${selected ? 0 : -1} style=${{ transform: `translateY(${top}px)` }} data-line=${line.id}
    aria-label=${describe(line)} onClick=${() => pick(line)} onDblClick=${() => playLine(line.id)}>
    <div class="when" role="gridcell"><b>${line.id}</b><time>${clock(line.start)}</time></div>
    <div class="by" role="gridcell">${person?.picture ? html`<img src=${person.picture} alt=${name} title=${name} width="28" height="28" loading="lazy" />`
      : html`<span class="nobody" title=${name} role="img" aria-label=${name}>${name.slice(0, 1)}</span>`}</div>
    <div class="texts" role="gridcell"><p class="of-source" dir="auto">${line.source_text}</p><p class="of-dub" dir="auto">${line.text}</p></div>
    <div class="state" role="gridcell"><${Standing} line=${line} />
      ${line.note && html`<span class="has-note" title=${line.note}><${Icon} name="note" /></span>`}
      ${flags.length > 0 && html`<span class="unseen">${flags.map((flag) => flag.text).join(", ")}</span>`}</div>
    <div class="fits" role="gridcell"><${Pace} pace=${line.pace} /></div>
    <div class="judge" role="gridcell">
      <${Button} icon="check" kind="ok" label=${t("accept")} keys="Y" tabIndex="-1" pressed=${line.verdict === "accepted"} onClick=${judge("accepted")} />
      <${Button} icon="cross" kind="bad" label=${t("reject")} keys="N" tabIndex="-1" pressed=${line.verdict === "rejected"} onClick=${judge("rejected")} /></div></div>`;
}

function useScroll(ref) {
  const [scroll, setScroll] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const box = ref.current, measure = () => setScroll({ top: box.scrollTop, height: box.clientHeight });
    const watch = new ResizeObserver(measure);
    watch.observe(box);
    box.addEventListener("scroll", measure, { passive: true });
    return () => {
      watch.disconnect();
      box.removeEventListener("scroll", measure);
    };
  }, []);
  return scroll;
}

// The line under the playhead, told only when it changes.
function useCurrent(segments) {
  const [current, setCurrent] = useState("");
  useEffect(() => onTime((seconds) => {
    const line = segments.findLast((one) => one.start <= seconds + 1e-3);
    setCurrent(line && seconds < line.end ? line.id : "");
  }), [segments]);
  return current;
}

export function Lines() {
  const segments = useStore((s) => s.dub?.segments) ?? [], filter = useStore((s) => s.filter), search = useStore((s) => s.search);
  const selected = useStore((s) => s.selected), ref = useRef(null), current = useCurrent(segments);
  const scroll = useScroll(ref), all = useMemo(() => shownLines(segments, filter, search), [segments, filter, search]);
  useEffect(() => {
    const i = all.findIndex((line) => line.id === selected), box = ref.current;
    if (i < 0) return;
    const focused = box.contains(document.activeElement);
    if (i * ROW < box.scrollTop) box.scrollTop = i * ROW;
    else if ((i + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (i + 1) * ROW - box.clientHeight;
    if (focused) requestAnimationFrame(() => {
      const here = document.activeElement; // the user may have begun to write meanwhile
      if (here === document.body || box.contains(here)) box.querySelector(".row.selected")?.focus({ preventScroll: true });
    });
  }, [selected, all]);
  const first = Math.max(0, Math.floor(scroll.top / ROW) - SPARE), last = Math.min(all.length, Math.ceil((scroll.top + scroll.height) / ROW) + SPARE);
  const rows = all.slice(first, last).map((line, i) => ({ line, index: first + i }));
  const out = all.findIndex((line) => line.id === selected);
  if (out >= 0 && (out < first || out >= last)) rows.push({ line: all[out], index: out });
  return html`<section class="lines" aria-label=${t("lines")}><${Filters} segments=${segments} />
    <div class="list" ref=${ref} role="grid" aria-label=${t("lines")} aria-rowcount=${all.length} tabIndex=${out < 0 ? 0 : -1}>
      <div class="list-in" role="rowgroup" style=${{ height: all.length * ROW + "px" }}>${rows.map(({ line, index }) =>
        html`<${Row} key=${line.id} line=${line} index=${index} top=${index * ROW} selected=${line.id === selected} current=${line.id === current} />`)}</div>
      ${!all.length && html`<p class="empty">${segments.length ? t("none_left") : t("no_lines")}</p>`}</div></section>`;
}
