// The bar over a project: languages, undo, what there is to make, export, jobs, settings.
import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { at, get } from "./api.js";
import { cancel, exportAs, makeFilm, redo, redoLines, undo } from "./edits.js";
import { Button, Icon, Popover, Progress, arrows } from "./pieces.js";
import { busyJobs, complain, goTo, isBusy, jobName } from "./session.js";
import { isStale, set, state, useStore } from "./store.js";
import { LANGUAGES, about, keepLanguage, languageName, t } from "./words.js";

const FORMATS = [["film", ".mp4"], ["srt", ".srt"], ["vtt", ".vtt"], ["ttml", ".ttml"], ["otio", ".otio"], ["edl", ".edl"], ["xml", ".xml"], ["aaf", ".aaf"], ["markers.csv", ".csv"], ["report", ".json"]];

export function Languages() {
  const project = useStore((s) => s.project), here = useStore((s) => s.dub?.language) ?? "";
  const keys = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const tabs = [...event.currentTarget.querySelectorAll("[role=tab]")], next = (tabs.indexOf(event.target) + by + tabs.length) % tabs.length;
    tabs[next].focus();
    tabs[next].click();
  };
  return html`<div class="languages"><div role="tablist" aria-label=${t("languages")} onKeyDown=${keys}>${project.languages.map((one) => html`<button type="button" role="tab"
    key=${one.language} class="tab" aria-selected=${String(one.language === here)} tabIndex=${one.language === here ? 0 : -1} onClick=${() => goTo(project.id, one.language)}
    title=${t("status_" + one.status)}><i class=${"lamp is-" + one.status}></i>${languageName(one.language)}<span class="unseen">, ${t("status_" + one.status)}</span></button>`)}</div>
    <${Button} icon="plus" label=${t("add_language")} onClick=${() => set({ dialog: "language" })} /></div>`;
}

function Cost({ close }) {
  const [cost, setCost] = useState(null), { project, dub } = state;
  useEffect(() => {
    get(at.language(project.id, dub.language) + "/stale").then(setCost, (error) => (complain(error), close()));
  }, []);
  if (!cost) return html`<p class="hint">…</p>`;
  const n = cost.lines.length, go = () => (close(), n ? redoLines("stale") : makeFilm());
  const time = cost.seconds == null ? "" : t("cost_time", { time: about(cost.seconds + (cost.film_seconds ?? 0)) });
  return html`<div class="cost"><p>${n ? t("cost_lines", { n }) : t("cost_film")}</p><p class="hint">${time}</p>
    ${n > 0 && html`<p class="ids">${cost.lines.slice(0, 40).map((id) => html`<button type="button" class="chip" key=${id} onClick=${() => set({ selected: id })}>${id}</button>`)}${n > 40 ? "…" : ""}</p>`}
    <${Button} icon="redo_line" text=${true} kind="strong" label=${n ? t("redo_now", { n }) : t("make_film")} onClick=${go} /></div>`;
}

export function Make() {
  const stale = useStore((s) => s.dub?.segments.filter(isStale).length ?? 0), film = useStore((s) => s.dub?.film), jobs = useStore((s) => s.jobs);
  const project = useStore((s) => s.project), language = useStore((s) => s.dub?.language);
  const job = busyJobs(jobs).find((one) => one.project === project.id && one.language === language && ["redo", "render", "plan"].includes(one.kind));
  if (job) return html`<div class="making" title=${jobName(job)}><${Progress} done=${job.progress?.done} total=${job.progress?.total} label=${jobName(job)} />
    <span>${jobName(job)}</span><${Button} icon="cross" label=${t("cancel_job", { name: jobName(job) })} onClick=${() => cancel(job)} /></div>`;
  const old = project.languages.find((one) => one.language === language)?.status === "stale"; // the film shows other takes
  if (!language || (!stale && film && !old)) return html`<span class="all-made"><${Icon} name="check" />${language ? t("all_made") : ""}</span>`;
  const text = stale ? t("redo_stale", { n: stale }) : t("make_film");
  return html`<${Popover} icon="redo_line" label=${text} text=${text} kind="strong" name="make">${(close) => html`<${Cost} close=${close} />`}<//>`;
}

function Export() {
  const film = useStore((s) => s.dub?.film);
  return html`<${Popover} icon="export" label=${t("export")} text=${t("export")} name="export">${(close) => html`<div class="menu" onKeyDown=${arrows}>
    ${FORMATS.map(([format, ending]) => html`<button type="button" key=${format} disabled=${!film && ["film", "report", "otio", "edl", "xml", "aaf", "markers.csv"].includes(format)}
      onClick=${() => (close(), exportAs(format))}><span>${t("export_" + format.replace(".", "_"))}</span><kbd>${ending}</kbd></button>`)}
    ${!film && html`<p class="hint">${t("export_needs_film")}</p>`}</div>`}<//>`;
}

// Stages of the work, as the studio calls them, in the words of the page.
const STAGES = {
  preflight: "analyse", project: "analyse", frames: "analyse", analyse: "analyse", "speech features": "plan", "duration fit": "plan",
  "assign speakers": "plan", translate: "plan", transcribe: "hear", "asr check": "hear", speak: "speak", voices: "speak", portrait: "render",
  render: "render", clips: "render", compare: "render", measure: "assemble", separate: "assemble", mix: "assemble", assemble: "deliver",
  deliver: "deliver", sign: "deliver",
};

function JobRow({ job }) {
  const { error } = job, progress = job.progress ?? {};
  const stage = STAGES[progress.stage] ? t("stage_" + STAGES[progress.stage]) : progress.stage ?? "";
  return html`<li class=${"job is-" + job.status}><div><b>${jobName(job)}</b><span>${t("job_is_" + job.status)}</span></div>
    ${isBusy(job) && html`<${Progress} done=${progress.done} total=${progress.total} label=${jobName(job)} />
      <div><small>${progress.note || stage} ${progress.total ? `${progress.done} / ${progress.total}` : ""}</small>
      <${Button} text=${true} label=${t("cancel")} disabled=${job.cancelling} aria-label=${t("cancel_job", { name: jobName(job) })} onClick=${() => cancel(job)} /></div>`}
    ${error && html`<p class="bad">${[error.detail || error.title, error.remedy].filter(Boolean).join(" ")}</p>`}</li>`;
}

export function Jobs() {
  const jobs = useStore((s) => s.jobs), busy = busyJobs(jobs).length;
  const listed = Object.values(jobs).filter((job) => job.kind !== "hear" || isBusy(job)).reverse()
    .sort((a, b) => Number(isBusy(b)) - Number(isBusy(a))).slice(0, 30);
  return html`<${Popover} icon="jobs" label=${busy ? t("n_jobs", { n: busy }) : t("jobs")} badge=${busy || ""} wide=${true} name="jobs">${() => html`<div>
    <h2>${t("jobs")}</h2>${listed.length ? html`<ul class="job-list">${listed.map((job) => html`<${JobRow} key=${job.id} job=${job} />`)}</ul>` : html`<p class="hint">${t("no_jobs")}</p>`}</div>`}<//>`;
}

export function keepTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  localStorage.setItem("lipdub.theme", theme);
  set({ theme });
}

export function Settings() {
  const theme = useStore((s) => s.theme) ?? "auto", words = useStore((s) => s.words);
  return html`<${Popover} icon="sun" label=${t("settings")} name="settings">${() => html`<div class="settings">
    <div class="field"><span>${t("theme")}</span><div class="segmented" role="group" aria-label=${t("theme")}>${["auto", "light", "dark"].map((one) => html`<button type="button"
      key=${one} class="button" aria-pressed=${String(theme === one)} onClick=${() => keepTheme(one)}>${t("theme_" + one)}</button>`)}</div></div>
    <label class="field"><span>${t("page_language")}</span><select onChange=${(e) => keepLanguage(e.target.value)}>
      ${Object.entries(LANGUAGES).map(([code, name]) => html`<option value=${code} selected=${code === words} lang=${code}>${name}</option>`)}</select></label>
    <p class="hint">lipdub ${state.status?.version ?? ""} · <a href="/docs" target="_blank" rel="noopener">API</a></p></div>`}<//>`;
}

export function Bar() {
  const project = useStore((s) => (s.opening ? null : s.project)), dub = useStore((s) => Boolean(s.dub)), undos = useStore((s) => s.undo), redos = useStore((s) => s.redo), saving = useStore((s) => s.saving);
  const name = (steps) => (steps.length && steps.at(-1).name ? `: ${steps.at(-1).name}` : "");
  return html`<header class="bar"><${Button} icon="home" label=${t("projects")} onClick=${() => goTo()} />
    ${project ? html`<button type="button" class="name" title=${t("project_settings")} onClick=${() => set({ dialog: "project" })}><h1 dir="auto">${project.name}</h1></button>` : html`<h1></h1>`}${project && html`<${Languages} />`}
    <span class="push"></span><span class=${"saved" + (saving ? " now" : "")}>${saving ? t("saving") : ""}</span>
    ${project && html`<div class="group history"><${Button} icon="undo" label=${t("undo") + name(undos)} keys="Ctrl Z" disabled=${!undos.length} onClick=${undo} />
      <${Button} icon="redo" label=${t("redo") + name(redos)} keys="Ctrl Shift Z" disabled=${!redos.length} onClick=${redo} /></div>
    ${dub && html`<${Make} /><${Export} />`}`}
    <${Jobs} /><${Settings} /><${Button} icon="help" label=${t("help")} keys="?" onClick=${() => set({ dialog: "help" })} /></header>`;
}
