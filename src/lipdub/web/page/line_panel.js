// The line that is selected: its words, who says it, how it fits, what to do with it.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";
import { anotherTake, hear, merge, nudge, setFields, split, verdict } from "./edits.js";
import { Standing } from "./lines.js";
import { Button, Icon } from "./pieces.js";
import { now, playLine, playSound } from "./playback.js";
import { announce, isStale, lineOf, personOf, set, state, useStore } from "./store.js";
import { Takes } from "./takes.js";
import { clock, readClock, t } from "./words.js";

const IDLE = 1500; // ms without a key after which a text is saved

// A text that is being written. If the line is changed elsewhere meanwhile, the user is told and decides.
function useDraft(line, field, name) {
  const [draft, setDraft] = useState(null), base = useRef(line[field]), timer = useRef(0), mark = useRef(0);
  const latest = useRef(null);
  const changedElsewhere = () => {
    const now = lineOf(line.id)?.[field];
    return latest.current !== null && now !== undefined && now !== base.current && now !== latest.current && !state.saving;
  };
  const saved = async (force = false) => {
    clearTimeout(timer.current);
    const text = latest.current;
    if (text === null || text.trim() === "" || text === base.current) return true;
    if (!force && changedElsewhere()) return false;
    base.current = text;
    const done = await setFields(line.id, { [field]: text }, { tag: `${field}:${line.id}:${mark.current}`, name });
    if (!done) base.current = lineOf(line.id)?.[field];
    return true;
  };
  const write = (text) => {
    if (latest.current === null) base.current = line[field];
    latest.current = text;
    setDraft(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => saved(), IDLE);
  };
  const leave = async () => {
    if (await saved()) end();
  };
  const end = () => {
    clearTimeout(timer.current);
    latest.current = null;
    mark.current += 1;
    setDraft(null);
  };
  const gone = async () => { // another line was chosen
    const edit = { op: "set", segment: line.id, fields: { [field]: latest.current } };
    if (!(await saved())) set({ conflict: { edits: [edit], line: line.id } });
  };
  useEffect(() => () => void gone(), []);
  const theirs = draft !== null && changedElsewhere() ? line[field] : null;
  const keep = () => saved(true);
  return { text: draft ?? line[field], write, leave, theirs, take: end, keep, dirty: draft !== null && draft !== line[field] };
}

const GROWS = CSS.supports("field-sizing", "content"); // the style sheet does it

function Grow(props) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    if (GROWS) return;
    ref.current.style.height = "auto";
    ref.current.style.height = ref.current.scrollHeight ? ref.current.scrollHeight + 2 + "px" : "";
  }, [props.value]);
  return html`<textarea ref=${ref} rows="2" dir="auto" ...${props}></textarea>`;
}

function Words({ line }) {
  const draft = useDraft(line, "text", t("step_text"));
  const language = state.dub.language;
  const keys = (event) => {
    if (event.key === "Escape") {
      draft.take();
      event.target.blur();
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      draft.leave().then(() => listen(line.id));
    }
  };
  return html`<div class="words">
    <p class="of-source" dir="auto" lang=${state.dub.source_language}>${line.source_text || t("no_source_text")}</p>
    <label class="unseen" for="dub-text">${t("dub_text")}</label>
    <${Grow} id="dub-text" lang=${language} value=${draft.text} onInput=${(e) => draft.write(e.target.value)} onBlur=${draft.leave} onKeyDown=${keys}
      aria-describedby="text-hint" aria-invalid=${String(!draft.text.trim())} />
    <p class="hint" id="text-hint">${draft.dirty ? t("text_hint") : ""}</p>
    ${draft.theirs !== null && html`<div class="conflict" role="alert"><p>${t("conflict_text")} <q dir="auto">${draft.theirs}</q></p>
      <${Button} label=${t("take_theirs")} text=${true} onMouseDown=${(e) => e.preventDefault()} onClick=${draft.take} />
      <${Button} label=${t("keep_mine")} text=${true} onMouseDown=${(e) => e.preventDefault()} onClick=${draft.keep} /></div>`}</div>`;
}

export async function listen(id) {
  const result = await hear(id);
  if (!result?.audio) return;
  const late = result.missing > 0 ? t("pace_missing", { seconds: result.missing.toFixed(2) }) : t("pace_is", { rate: (result.rate ?? 1).toFixed(2) });
  announce(late);
  if (state.selected === id) await playSound(result.audio, result.start);
}

function Fit({ line }) {
  const { pace, scores } = line, length = line.end - line.start, said = pace?.said ? pace.said.end - pace.said.start : 0;
  const kind = pace?.missing > 0 ? "bad" : (pace?.rate ?? 1) > 1.25 ? "warn" : "ok";
  const words = scores?.word_errors;
  return html`<div class="measures">
    ${pace?.rate ? html`<div class=${"measure fit-of " + kind}><dt>${t("pace")}</dt><dd><b>${pace.rate.toFixed(2)}×</b>
      <span class="room" title=${t("said_in", { said: said.toFixed(2), room: length.toFixed(2) })}><i style=${{ width: `${Math.min(100, (100 * said) / Math.max(length, 0.01))}%` }}></i></span>
      <small>${pace.missing > 0 ? t("pace_missing", { seconds: pace.missing.toFixed(2) }) : t("said_in", { said: said.toFixed(2), room: length.toFixed(2) })}</small></dd></div>` : null}
    ${scores?.closures_requested != null && html`<div class=${"measure " + (scores.closures_found < scores.closures_requested ? "warn" : "ok")}><dt>${t("closures")}</dt>
      <dd><b>${scores.closures_requested ? `${scores.closures_found} / ${scores.closures_requested}` : "–"}</b></dd></div>`}
    ${scores?.sync != null && html`<div class="measure"><dt>${t("sync")}</dt><dd><b>${scores.sync.toFixed(1)}</b></dd></div>`}
    ${words != null && html`<div class=${"measure " + (words > 0 ? "warn" : "ok")}><dt>${t("word_check")}</dt>
      <dd><b>${words > 0 ? t("words_wrong", { part: Math.round(words * 100) }) : t("words_right")}</b></dd></div>`}</div>`;
}

function Time({ label, value, save, id }) {
  const [text, setText] = useState(null);
  const leave = () => {
    const seconds = text === null ? null : readClock(text);
    if (seconds !== null && Math.abs(seconds - value) > 5e-4) save(seconds);
    setText(null);
  };
  const keys = (event) => {
    if (event.key === "Enter") event.target.blur();
    if (event.key === "Escape") setText(null);
  };
  const bad = text !== null && readClock(text) === null;
  return html`<label class="field" for=${id}><span>${label}</span><input id=${id} class="time" inputmode="decimal" value=${text ?? clock(value, 3)} aria-invalid=${String(bad)}
    onInput=${(e) => setText(e.target.value)} onBlur=${leave} onKeyDown=${keys} /></label>`;
}

function Times({ line }) {
  const ms = Math.round(line.offset * 1000), step = { name: t("step_move") };
  return html`<div class="times">
    <${Time} id="line-start" label=${t("start")} value=${line.start} save=${(start) => setFields(line.id, { start }, step)} />
    <${Time} id="line-end" label=${t("end")} value=${line.end} save=${(end) => setFields(line.id, { end }, step)} />
    <div class="field offset" role="group" aria-label=${t("offset")}><span>${t("offset")}</span><div class="nudge">
      <${Button} label=${t("earlier", { ms: 100 })} keys="Shift ," onClick=${() => nudge(line.id, -0.1)}>−100<//>
      <${Button} label=${t("earlier", { ms: 10 })} keys="," onClick=${() => nudge(line.id, -0.01)}>−10<//>
      <output class=${ms ? "moved" : ""}>${ms > 0 ? "+" : ms < 0 ? "−" : ""}${Math.abs(ms)} ms</output>
      <${Button} label=${t("later", { ms: 10 })} keys="." onClick=${() => nudge(line.id, 0.01)}>+10<//>
      <${Button} label=${t("later", { ms: 100 })} keys="Shift ." onClick=${() => nudge(line.id, 0.1)}>+100<//></div></div></div>`;
}

function Who({ line }) {
  const people = useStore((s) => s.project.people), status = useStore((s) => s.status), person = personOf(line.person);
  const voices = status?.voices ?? [], engines = status?.engines ?? [];
  const choose = (event) => setFields(line.id, { person: event.target.value === "?" ? null : event.target.value }, { name: t("step_person") });
  const change = (field, value) => setFields(line.id, { [field]: value }, { name: t("step_" + field) });
  const names = voices.map((voice) => voice.name ?? voice);
  return html`<div class="who-says">
    <label class="field"><span>${t("person")}</span><span class="with-face">${person?.picture && html`<img src=${person.picture} alt="" width="24" height="24" />`}
      <select onChange=${choose}>
        <option value="?" selected=${line.person === null}>${t("find_out")}</option>
        <option value="" selected=${line.person === ""}>${t("off_screen")}</option>
        ${people.map((one) => html`<option value=${one.id} selected=${one.id === line.person}>${one.name || t("person_n", { n: one.id })}</option>`)}</select></span></label>
    <label class="field"><span>${t("voice")}</span><input list="voices" value=${line.voice} placeholder=${t("voice_of_plan")} onChange=${(e) => change("voice", e.target.value.trim())} />
      <datalist id="voices">${names.map((voice) => html`<option value=${voice} />`)}</datalist></label>
    <label class="field small"><span>${t("seed")}</span><input type="number" min="0" step="1" value=${line.seed ?? ""} placeholder="–" onChange=${(e) => change("seed", e.target.value === "" ? null : Math.max(0, Math.round(Number(e.target.value))))} /></label>
    <label class="field small"><span>${t("engine")}</span><select onChange=${(e) => change("engine", e.target.value)}>
      <option value="" selected=${!line.engine}>${t("engine_of_project")}</option>${engines.map((one) => one.name ?? one).map((name) => html`<option value=${name} selected=${name === line.engine}>${name}</option>`)}</select></label></div>`;
}

function Note({ line }) {
  const draft = useDraft(line, "note", t("step_note"));
  const write = (text) => draft.write(text);
  const clear = () => (draft.text.trim() ? draft.leave() : setFields(line.id, { note: "" }, { name: t("step_note") }).then(draft.take));
  return html`<label class="field note"><span>${t("note")}</span><${Grow} id="line-note" rows="1" value=${draft.text} placeholder=${t("note_hint")}
    onInput=${(e) => write(e.target.value)} onBlur=${clear} onKeyDown=${(e) => e.key === "Escape" && e.target.blur()} /></label>`;
}

function Actions({ line }) {
  const heard = useStore((s) => s.heard[line.id]), waiting = Boolean(heard?.waiting);
  return html`<div class="actions">
    <${Button} icon="ear" text=${true} label=${waiting ? t("speaking") : t("hear")} keys="H" kind="strong" disabled=${waiting} onClick=${() => listen(line.id)} />
    <${Button} icon="redo_line" text=${true} label=${isStale(line) ? t("redo_line") : t("another_take")} keys="R" kind=${isStale(line) ? "strong" : ""} disabled=${line.leave || ["queued", "running"].includes(line.status)} onClick=${() => anotherTake(line.id)} />
    <${Button} icon="play" label=${t("play_line")} keys="\\" onClick=${() => playLine(line.id)} />
    <${Button} icon="split" label=${t("split")} keys="S" onClick=${() => split(line.id, now())} />
    <${Button} icon="merge" label=${t("merge")} keys="M" onClick=${() => merge(line.id)} /></div>`;
}

export function LinePanel() {
  const selected = useStore((s) => s.selected), line = useStore((s) => s.dub?.segments.find((one) => one.id === s.selected));
  if (!line) return html`<section class="line-panel" aria-label=${t("line")}><p class="empty">${t("no_line")}</p></section>`;
  return html`<section class="line-panel" aria-label=${t("line_n", { n: line.id })}>
    <header><h2>${t("line_n", { n: line.id })}</h2><${Standing} line=${line} words=${true} />
      <div class="judge"><${Button} icon="check" kind="ok" text=${true} label=${t("accept")} keys="Y" pressed=${line.verdict === "accepted"} onClick=${() => verdict(line.id, "accepted")} />
        <${Button} icon="cross" kind="bad" text=${true} label=${t("reject")} keys="N" pressed=${line.verdict === "rejected"} onClick=${() => verdict(line.id, "rejected")} /></div></header>
    <div class="line-in" key=${selected}>
      ${line.flags.length > 0 && html`<ul class="flags">${line.flags.map((flag) => html`<li key=${flag.kind}><${Icon} name="flag" />${flag.text}</li>`)}</ul>`}
      <${Words} line=${line} /><${Actions} line=${line} /><dl><${Fit} line=${line} /></dl>
      <${Times} line=${line} /><${Who} line=${line} /><${Note} line=${line} /><${Takes} line=${line} /></div></section>`;
}
