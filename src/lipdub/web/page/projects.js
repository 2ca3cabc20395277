// The first screen: projects and how they stand, a place to drop a file, the demo.
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { post } from "./api.js";
import { Jobs, Settings } from "./bar.js";
import { NewProject } from "./new_project.js";
import { Icon, Progress } from "./pieces.js";
import { busyJobs, complain, ended, goTo, jobName } from "./session.js";
import { useStore } from "./store.js";
import { clock, languageName, t } from "./words.js";

function Card({ project }) {
  const { source, languages, people = [] } = project, jobs = useStore((s) => s.jobs);
  const job = busyJobs(jobs).find((one) => one.project === project.id) ?? (project.job && ["queued", "processing"].includes(project.job.status) ? project.job : null);
  const { problem } = project;
  const facts = [source?.name, source?.duration && clock(source.duration, 0), source?.width && `${source.width} × ${source.height}`].filter(Boolean);
  return html`<li><a class="card" href=${`#/${encodeURIComponent(project.id)}`} aria-label=${project.name}>
    <span class="faces" aria-hidden="true">${people.slice(0, 3).map((person) => person.picture && html`<img key=${person.id} src=${person.picture} alt="" loading="lazy" width="44" height="44" />`)}
      ${!people.length && html`<${Icon} name="film" />`}</span>
    <span class="about"><b dir="auto">${project.name}</b><small>${facts.join("  ·  ")}</small>
      ${problem && html`<small class="bad">${problem.detail || problem.title}</small>`}
      ${source && !source.exists && !problem && html`<small class="bad">${t("source_gone_short")}</small>`}</span>
    <span class="tongues">${languages.map((one) => html`<span class="tongue" key=${one.language} title=${t("status_" + one.status)}><i class=${"lamp is-" + one.status}></i>${languageName(one.language)}<span class="unseen">, ${t("status_" + one.status)}</span></span>`)}
      ${!languages.length && !job && html`<small>${t("project_" + project.status)}</small>`}</span>
    ${job && html`<span class="working"><${Progress} done=${job.progress?.done} total=${job.progress?.total} label=${jobName(job)} /><small>${jobName(job)}</small></span>`}</a></li>`;
}

async function tryDemo() {
  try {
    const job = await post("/v1/projects/demo");
    const done = await ended(job);
    if (done.status === "completed") goTo(done.result?.project ?? done.project);
  } catch (error) {
    if (error.status === 409 && error.body.project) goTo(error.body.project);
    else complain(error);
  }
}

// The whole window takes a dropped file.
function useDrop(take) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const has = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const enter = (event) => has(event) && (depth++, setOver(true));
    const leave = (event) => has(event) && --depth <= 0 && ((depth = 0), setOver(false));
    const hold = (event) => has(event) && event.preventDefault();
    const drop = (event) => {
      if (!has(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
    };
    const all = { dragenter: enter, dragleave: leave, dragover: hold, drop };
    for (const [name, act] of Object.entries(all)) window.addEventListener(name, act);
    return () => {
      for (const [name, act] of Object.entries(all)) window.removeEventListener(name, act);
    };
  }, []);
  return over;
}

export function Projects() {
  const projects = useStore((s) => s.projects), jobs = useStore((s) => s.jobs), [given, setGiven] = useState(null), input = useRef(null);
  const over = useDrop(setGiven), demo = busyJobs(jobs).find((job) => job.kind === "demo");
  const some = projects && projects.length > 0;
  return html`<div class="home">
    <header class="bar"><span class="brand"><img src="icon.svg" alt="" width="26" height="26" />lipdub <small>studio</small></span><span class="push"></span><${Jobs} /><${Settings} /></header>
    <main>
      <div class=${"drop" + (over ? " over" : "") + (some ? " small" : "")}>
        <img src="icon.svg" alt="" width="56" height="56" />
        <div><h1>${t("drop_title")}</h1><p>${t("drop_text")}</p></div>
        <div class="group"><button type="button" class="button strong" onClick=${() => input.current.click()}><${Icon} name="plus" /><span>${t("choose_file")}</span></button>
          <button type="button" class="button" disabled=${Boolean(demo)} onClick=${tryDemo}><${Icon} name="play" /><span>${demo ? t("demo_being_made") : t("try_demo")}</span></button></div>
        ${demo && html`<${Progress} done=${demo.progress?.done} total=${demo.progress?.total} label=${jobName(demo)} />`}
        <input ref=${input} type="file" class="unseen" tabIndex="-1" aria-label=${t("choose_file")} accept="video/*,.mkv,.mxf,.mov" onChange=${(e) => e.target.files.length && (setGiven([...e.target.files]), (e.target.value = ""))} /></div>
      ${some && html`<h2>${t("projects")}</h2><ul class="cards">${projects.map((one) => html`<${Card} key=${one.id} project=${one} />`)}</ul>`}
      ${projects && !some && html`<p class="hint center">${t("no_projects")}</p>`}</main>
    ${given && html`<${NewProject} files=${given} close=${() => setGiven(null)} />`}</div>`;
}

