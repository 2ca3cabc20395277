// The studio's page: chooses the screen, listens to keys and to the studio.
import { html, render, useEffect } from "./vendor/preact-htm.js";
import { Bar, keepTheme } from "./bar.js";
import { settle } from "./edits.js";
import { Help, onKey } from "./keys.js";
import { PersonSettings, ProjectSettings } from "./dialogs.js";
import { LinePanel } from "./line_panel.js";
import { Lines } from "./lines.js";
import { AddLanguage } from "./new_project.js";
import { Button, Dialog, Icon, Progress } from "./pieces.js";
import { load, unload } from "./playback.js";
import { Player } from "./player.js";
import { Projects } from "./projects.js";
import { busyJobs, complain, follow, jobName, loadStatus, showAddress } from "./session.js";
import { lineOf, set, state, useStore } from "./store.js";
import { Timeline } from "./timeline.js";
import { preferredLanguage, speak, t } from "./words.js";

function Conflict() {
  const conflict = useStore((s) => s.conflict), line = lineOf(conflict.line);
  return html`<${Dialog} title=${t("conflict")} close=${() => settle(false)}><p>${t("conflict_line", { n: conflict.line })}</p>
    ${line && html`<blockquote dir="auto">${line.text}</blockquote>`}
    <footer><${Button} text=${true} label=${t("take_theirs")} onClick=${() => settle(false)} />${line && html`<${Button} text=${true} kind="strong" label=${t("keep_mine")} onClick=${() => settle(true)} />`}</footer><//>`;
}

function Toast() {
  const toast = useStore((s) => s.toast);
  return toast && html`<div class=${"toast " + toast.kind}><span>${toast.text}</span><${Button} icon="cross" label=${t("close")} onClick=${() => set({ toast: null })} /></div>`;
}

// Where there are no lines yet: being planned, or nothing asked for.
function Waiting() {
  const project = useStore((s) => s.project), jobs = useStore((s) => s.jobs);
  const mine = Object.values(jobs).filter((one) => one.project === project.id), job = busyJobs(mine)[0];
  const failed = mine.filter((one) => one.kind === "plan" && one.status !== "cancelled").sort((a, b) => String(b.created).localeCompare(String(a.created)))[0]?.error;
  const problem = project.problem ?? failed;
  const told = !job && problem && html`<p class="bad" role="alert">${[problem.detail || problem.title, problem.remedy].filter(Boolean).join(" ")}</p>`;
  if (project.problem) return html`<section class="waiting"><${Icon} name="ban" />${told}</section>`;
  return html`<section class="waiting">${told}${job ? html`<h2>${jobName(job)}</h2><${Progress} done=${job.progress?.done} total=${job.progress?.total} label=${jobName(job)} /><p class="hint">${t("planning_text")}</p>`
    : html`<${Icon} name="film" /><h2>${t("no_language")}</h2><${Button} icon="plus" kind="strong" text=${true} label=${t("add_language")} onClick=${() => set({ dialog: "language" })} />`}</section>`;
}

function Panes() {
  const pane = useStore((s) => s.pane);
  return html`<nav class="panes segmented" aria-label=${t("view")}>${["lines", "line"].map((one) => html`<button type="button" key=${one} class="button" aria-pressed=${String(pane === one)} onClick=${() => set({ pane: one })}>${t(one === "lines" ? "lines" : "line")}</button>`)}</nav>`;
}

function Project() {
  const project = useStore((s) => s.project), opening = useStore((s) => s.opening), dub = useStore((s) => s.dub), media = useStore((s) => s.media), pane = useStore((s) => s.pane);
  useEffect(() => void (project && load().catch(complain)), [media, dub?.language, project?.id]);
  useEffect(() => unload, []);
  if (!project || opening) return html`<div class="project"><${Bar} /></div>`;
  return html`<div class=${"project pane-" + pane}><${Bar} /><main>
    <${Player} />${dub ? html`<${Panes} /><${Lines} /><${LinePanel} />` : html`<${Waiting} />`}<${Timeline} /></main></div>`;
}

function App() {
  const screen = useStore((s) => s.screen), dialog = useStore((s) => s.dialog), reachable = useStore((s) => s.reachable), conflict = useStore((s) => s.conflict);
  useStore((s) => s.words);
  const title = useStore((s) => s.project?.name);
  useEffect(() => void (document.title = screen === "project" && title ? `${title} – lipdub` : "lipdub studio"), [screen, title]);
  return html`${!reachable && html`<div class="away" role="alert">${t("away")}</div>`}
    ${screen === "project" ? html`<${Project} key="project" />` : html`<${Projects} key="projects" />`}
    ${dialog === "help" && html`<${Help} />`}${dialog === "language" && state.project && html`<${AddLanguage} />`}
    ${dialog === "project" && html`<${ProjectSettings} />`}${dialog.startsWith("person ") && html`<${PersonSettings} id=${dialog.slice(7)} />`}${conflict && html`<${Conflict} />`}<${Toast} />`;
}

keepTheme(localStorage.getItem("lipdub.theme") ?? "auto");
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", showAddress);
window.addEventListener("beforeunload", (event) => state.saving && event.preventDefault());
await speak(preferredLanguage());
render(html`<${App} />`, document.getElementById("app"));
loadStatus().catch(complain);
showAddress().then(follow);
