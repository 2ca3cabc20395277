// The picture: source and dub in one place, the transport under it, faces to click on, the mouth enlarged.
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { faces, followMouths } from "./faces.js";
import { setFields } from "./edits.js";
import { Button, Icon } from "./pieces.js";
import { SPEEDS, apply, duration, filmElement, hasFilm, onTime, readout, setMode, sourceElement, step, swap, toggle } from "./playback.js";
import { busyJobs } from "./session.js";
import { lineOf, personOf, setView, state, useStore } from "./store.js";
import { clock, t } from "./words.js";

const MODES = [["wipe", "wipe", "1"], ["side", "side", "2"], ["difference", "difference", "3"], ["source", "film", "4"], ["dub", "mouth", "5"]];

function Wipe({ at }) {
  const drag = (event) => {
    const box = event.currentTarget.parentElement.getBoundingClientRect(), target = event.currentTarget;
    event.stopPropagation();
    target.setPointerCapture(event.pointerId);
    const move = (to) => setView({ wipe: Math.min(Math.max(((to.clientX - box.left) / box.width) * 100, 0), 100) });
    target.addEventListener("pointermove", move);
    target.addEventListener("pointerup", () => target.removeEventListener("pointermove", move), { once: true });
  };
  const keys = (event) => {
    const by = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    setView({ wipe: Math.min(Math.max(at + by, 0), 100) });
  };
  return html`<div class="wipe-edge" style=${{ left: at + "%" }} role="slider" tabIndex="0" aria-label=${t("wipe_position")}
    aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(at)} onPointerDown=${drag} onKeyDown=${keys}
    onClick=${(event) => event.stopPropagation()}><i><${Icon} name="swap" /></i></div>`;
}

// Boxes over the faces of the frame that is shown; a click gives the selected line to that person.
function Faces({ aspect }) {
  const [boxes, setBoxes] = useState([]), selected = useStore((s) => s.selected), playing = useStore((s) => s.playing);
  const line = lineOf(selected);
  useEffect(() => onTime((seconds) => {
    if (!state.playing) faces(seconds).then(setBoxes);
  }), [playing]);
  if (playing) return null;
  const give = (person) => (event) => {
    event.stopPropagation();
    if (line) setFields(line.id, { person }, { name: t("step_person") });
  };
  const name = (person) => personOf(person)?.name || t("person_n", { n: person });
  return html`<div class="fit" style=${{ "--aspect": aspect }}>${boxes.map(({ person, box: [x, y, w, h] }) => {
    const style = { left: x * 100 + "%", top: y * 100 + "%", width: w * 100 + "%", height: h * 100 + "%" };
    const says = line && line.person === person;
    return html`<button type="button" key=${person} class=${"face" + (says ? " says" : "")} style=${style} onClick=${give(person)}
      aria-label=${t("give_line", { n: line?.id ?? "", name: name(person) })} title=${t("give_line", { n: line?.id ?? "", name: name(person) })}>
      <span dir="auto">${name(person)}</span></button>`;
  })}</div>`;
}

function Mouth() {
  const ref = useRef(null), film = hasFilm();
  useEffect(() => followMouths(ref.current), [film]);
  return html`<div class="mouths" ref=${ref} aria-hidden="true">
    <figure><canvas data-which="source" width="180" height="120"></canvas><figcaption>${t("source")}</figcaption></figure>
    ${film && html`<figure><canvas data-which="film" width="180" height="120"></canvas><figcaption>${t("dub")}</figcaption></figure>`}</div>`;
}

function Subtitle() {
  const ref = useRef(null), dub = useStore((s) => s.dub);
  useEffect(() => onTime((seconds) => {
    if (!ref.current) return;
    const line = state.dub?.segments.find((one) => one.start <= seconds && seconds < one.end);
    const text = line ? (state.view.mode === "source" ? line.source_text : line.text) : "";
    if (ref.current.textContent !== text) ref.current.textContent = text;
  }), [dub]);
  return html`<p class="subtitle" dir="auto" ref=${ref}></p>`;
}

function Stage() {
  const view = useStore((s) => s.view), media = useStore((s) => s.media), project = useStore((s) => s.project);
  const { width, height } = project.source ?? {}, aspect = width && height ? width / height : 16 / 9, film = hasFilm();
  const style = { "--aspect": aspect, "--wipe": view.wipe + "%" };
  const both = film && ["wipe", "side", "difference"].includes(view.mode);
  const missing = project.source && !project.source.exists, unready = media && !media.source.ready && !missing;
  const preparing = useStore((s) => busyJobs(s.jobs).some((job) => job.kind === "view" && job.project === s.project?.id));
  return html`<div class=${`stage mode-${film ? view.mode : "source"}`} style=${style} onClick=${toggle}>
    <video class="film" ref=${filmElement} playsinline preload="auto" aria-label=${t("dub")}></video>
    <video class="source" ref=${sourceElement} playsinline preload="auto" aria-label=${t("source")}></video>
    ${film && view.mode === "wipe" && html`<div class="fit" style=${style}><${Wipe} at=${view.wipe} /></div>`}
    ${both && view.mode !== "difference" && html`<span class="tag left">${t("source")}</span><span class="tag right">${t("dub")}</span>`}
    ${view.mode !== "difference" && html`<${Subtitle} />`}
    ${view.faces && view.mode !== "side" && html`<${Faces} aspect=${aspect} />`}
    ${unready && (preparing ? html`<p class="notice">${t("preparing")}</p>` : media.source.why && html`<p class="notice">${media.source.why}</p>`)}
    ${missing && html`<p class="notice" role="alert">${t("source_gone", { name: project.source.name })}</p>`}</div>`;
}

function Readout() {
  const time = useRef(null), frame = useRef(null), code = useRef(null), tables = useStore((s) => s.tables);
  useEffect(() => onTime((seconds) => {
    if (!time.current) return;
    const now = readout();
    time.current.textContent = clock(seconds, 3);
    frame.current.textContent = String(now.frame);
    code.current.textContent = now.timecode;
  }), [tables]);
  return html`<div class="readout"><b ref=${time} title=${t("time")}></b>
    <span title=${t("timecode")}><small>TC</small><span ref=${code} class="tc"></span></span>
    <span title=${t("frame")}><small>${t("frame_short")}</small><span ref=${frame} class="fr"></span></span></div>`;
}

function Seek() {
  const ref = useRef(null);
  useEffect(() => onTime((seconds) => ref.current?.style.setProperty("--done", `${(100 * seconds) / Math.max(duration(), 0.1)}%`)));
  return html`<div class="seekline" ref=${ref} aria-hidden="true"><i></i></div>`;
}

export function Player() {
  const view = useStore((s) => s.view), playing = useStore((s) => s.playing);
  useStore((s) => s.tables);
  const film = hasFilm();
  useEffect(apply, [view]);
  const flip = (name) => () => setView({ [name]: !view[name] });
  return html`<section class="player" aria-label=${t("picture")}>
    <${Stage} />${view.mouth && html`<${Mouth} />`}<${Seek} />
    <div class="transport">
      <div class="group">
        <${Button} icon="back" label=${t("frame_back")} keys="←" onClick=${() => step(-1)} />
        <${Button} icon=${playing ? "pause" : "play"} kind="round" label=${playing ? t("pause") : t("play")} keys=${t("key_space")} onClick=${toggle} />
        <${Button} icon="next" label=${t("frame_next")} keys="→" onClick=${() => step(1)} /></div>
      <${Readout} />
      <div class="group end">
        <${Button} icon="loop" label=${t("loop")} keys="/" pressed=${view.loop} onClick=${flip("loop")} />
        <label class="speed"><span class="unseen">${t("speed")}</span><select value=${view.rate} title=${`${t("speed")}  ([ ])`}
          onChange=${(e) => (setView({ rate: Number(e.target.value) }), apply())}>
          ${SPEEDS.map((rate) => html`<option value=${rate} selected=${rate === view.rate}>${{ 0.25: "¼", 0.5: "½" }[rate] ?? rate}×</option>`)}</select></label></div></div>
    <div class="modes">
      <div class="segmented" role="group" aria-label=${t("view")}>
        ${MODES.map(([mode, icon, key]) => html`<${Button} key=${mode} icon=${icon} label=${t("mode_" + mode)} keys=${key} text=${true}
          pressed=${(film ? view.mode : "source") === mode} disabled=${!film && mode !== "source"} onClick=${() => setMode(mode)} />`)}</div>
      <div class="group end">
        ${film && html`<${Button} icon="ear" text=${true} label=${view.mode === "source" ? t("hear_source") : view.mode === "dub" || view.ear === "dub" ? t("hear_dub") : t("hear_source")}
          keys="A" kind="ear" onClick=${swap} />`}
        <${Button} icon="face" label=${t("faces")} keys="P" pressed=${view.faces} onClick=${flip("faces")} />
        <${Button} icon="mouth" label=${t("mouth")} keys="Z" pressed=${view.mouth} onClick=${flip("mouth")} /></div></div>
  </section>`;
}

