// Loads what is shown and keeps it fresh: the list of projects, one project with a language, media, jobs and events.
import { at, get, list, listen, onReach, post } from "./api.js";
import { announce, guessed, lineOf, set, state, toast, unanswered } from "./store.js";
import { languageName, t } from "./words.js";

const BUSY = ["queued", "processing"];
let asked = ""; // what the studio was asked to make for this page
const waiters = new Map(); // id of a job -> functions that are called when it has ended

// The sentence of an error for a toast; errors that are bugs of the page go to the console, too.
export function complain(error) {
  if (!error.status && error.status !== 0) throw error;
  if (error.status === 0) return; // the banner says that the studio does not answer
  toast(error.sentence, "bad");
}

export async function loadProjects() {
  set({ projects: await list("/v1/projects") });
}

export async function loadStatus() {
  set({ status: await get("/v1/status") });
}

// Show what the address says: "#/project/language" or nothing.
export async function showAddress() {
  const [, project, language] = decodeURIComponent(location.hash).split("/");
  if (!project) {
    set({ screen: "projects", dub: null, media: null, dialog: "" });
    await loadProjects().catch(complain);
    return;
  }
  try {
    await openProject(project, language);
  } catch (error) {
    set({ opening: false });
    complain(error);
    location.hash = "";
  }
}

export const goTo = (project = "", language = "") => {
  location.hash = project ? `#/${encodeURIComponent(project)}${language ? "/" + encodeURIComponent(language) : ""}` : "";
};

async function openProject(id, language) {
  const same = state.project?.id === id;
  set({ screen: "project", ...(same ? {} : { opening: true, dub: null, media: null, takes: {}, heard: {} }) });
  const early = !same && language ? get(at.language(id, language)).catch(() => null) : null; // asked for at once with the project
  loadJobs(id).catch(complain);
  const project = await get(at.project(id));
  const known = project.languages.map((one) => one.language);
  const chosen = known.includes(language) ? language : known[0] ?? "";
  set({ project, opening: false });
  if (state.dub?.language !== chosen || !same) {
    set({ dub: null, undo: [], redo: [], takes: {}, heard: {}, conflict: null, selected: "", marks: { start: null, end: null } });
    if (chosen) await loadDub(id, chosen, chosen === language ? early : null);
  }
  await loadMedia();
}

async function loadDub(id, language, early = null) {
  const path = at.language(id, language);
  const dub = (await early) ?? await get(path).catch((error) => {
    if (error.status === 404 || error.status === 409) return null; // it is only being planned
    throw error;
  });
  if (state.project?.id !== id) return;
  set({ dub, selected: lineOf(state.selected) ? state.selected : dub?.segments[0]?.id ?? "" });
}

let asks = 0, shown = 0; // how often the lines were asked for, and which answer is shown
let told = null; // revision that was told of while edits were on their way

// To be called when no edit is on its way any more: somebody else may have changed lines meanwhile.
export function catchUp() {
  const missed = told;
  told = null;
  if (missed !== null && missed !== state.dub?.revision) refreshDub().catch(complain);
}

// Loads the lines of the open language as they are now, and gives them. Shown are those with the edits that are on their way.
export async function refreshDub() {
  const { project, dub } = state;
  if (!project || !dub) return [];
  const turn = ++asks;
  let fresh = null, answers = -1;
  while (answers !== state.answers) { // an edit that was answered meanwhile is newer than what was asked for
    answers = state.answers;
    fresh = await get(at.language(project.id, dub.language));
  }
  if (state.dub?.language !== fresh.language || state.project?.id !== project.id) return fresh.segments;
  if (turn < shown) return fresh.segments; // a later question was answered before
  shown = turn;
  const segments = guessed(fresh.segments, unanswered.flat());
  const selected = segments.some((line) => line.id === state.selected) ? state.selected : segments[0]?.id ?? "";
  set({ dub: { ...fresh, segments }, selected });
  return fresh.segments;
}

async function refreshProject() {
  const id = state.project?.id;
  if (!id) return;
  const project = await get(at.project(id));
  if (state.project?.id !== id) return;
  set({ project });
  const language = state.dub?.language ?? project.languages[0]?.language;
  if (!state.dub && language) await loadDub(id, language);
}

export async function loadMedia() {
  const { id, languages } = state.project ?? {};
  if (!languages?.length) return; // nothing was analysed yet
  const media = await get(at.project(id) + "/media");
  if (state.project?.id !== id) return;
  set({ media });
  const films = Object.values(media.languages ?? {}).map((one) => one.film).filter(Boolean);
  const lacking = [media.source, ...films].filter((one) => one.video && !(one.ready && one.complete !== false));
  const wanted = lacking.map((one) => `${one.video} ${one.made}`).join();
  if (media.job || !wanted || asked === wanted) return;
  asked = wanted; // once: what could not be made is not asked for again
  await post(at.project(id) + "/media", {}).then(takeIn, (error) => error.status === 409 || complain(error));
}

async function loadJobs(id) {
  for (const job of await list(`/v1/jobs?project=${encodeURIComponent(id)}`)) takeIn(job);
}

export async function loadTakes(id) {
  const { project, dub } = state;
  const takes = await list(at.line(project.id, dub.language, id) + "/takes");
  if (state.dub?.language === dub.language) set({ takes: { ...state.takes, [id]: takes } });
}

export const isBusy = (job) => BUSY.includes(job.status);
export const busyJobs = (jobs) => Object.values(jobs).filter(isBusy);

export function jobName(job) {
  const language = job.language ? languageName(job.language) : "";
  return t("job_" + job.kind, { language });
}

// Ends when the job has ended; gives the job.
export function ended(job) {
  takeIn(job);
  const known = state.jobs[job.id];
  if (!isBusy(known)) return Promise.resolve(known);
  return new Promise((resolve) => waiters.set(job.id, [...(waiters.get(job.id) ?? []), resolve]));
}

// Keeps what was told of a job, unless something later is known.
export function takeIn(job) {
  const known = state.jobs[job.id];
  if (known && !isBusy(known) && isBusy(job)) return;
  set({ jobs: { ...state.jobs, [job.id]: job } });
  if (isBusy(job)) return;
  for (const tell of waiters.get(job.id) ?? []) tell(job);
  waiters.delete(job.id);
}

async function onJob(job) {
  const known = state.jobs[job.id];
  takeIn(job);
  if (isBusy(job)) {
    if (!known) announce(t("job_started", { name: jobName(job) }));
    if (known?.status !== job.status && job.project === state.project?.id && job.kind !== "hear") await refreshDub();
    return;
  }
  if (known && !isBusy(known)) return;
  sayEnd(job);
  if (state.screen === "projects") await loadProjects();
  else if (job.project === state.project?.id && job.kind !== "hear") await afterJob();
}

function sayEnd(job) {
  if (job.status === "failed") {
    const { title = "", detail = "", remedy = "" } = job.error ?? {};
    toast([t("job_failed", { name: jobName(job) }), detail || title, remedy].filter(Boolean).join(" "), "bad");
  } else if (job.status === "completed" && !["hear", "view"].includes(job.kind)) toast(t("job_done", { name: jobName(job) }));
  else if (job.status === "cancelled") toast(t("job_cancelled", { name: jobName(job) }));
}

async function afterJob() {
  await Promise.all([refreshProject(), refreshDub()]);
  await loadMedia();
  if (state.selected && state.takes[state.selected]) await loadTakes(state.selected);
}

async function onProject({ project, language, revision }) {
  if (state.screen === "projects") return loadProjects();
  if (project !== state.project?.id) return undefined;
  const news = [refreshProject()], other = language === state.dub?.language && revision !== state.dub.revision;
  if (other && state.saving) told = revision ?? "";
  else if (other) news.push(refreshDub());
  return Promise.all(news);
}

const UNSEEN = 30_000; // ms after which a page that nobody sees gives its connections back

// Begin to listen; after the studio was away, or the page was not seen for long, everything is loaded again.
export function follow() {
  let lost = false, timer = 0;
  const again = async () => {
    if (!lost) return;
    lost = false;
    set({ reachable: true });
    if (state.screen === "projects") await loadProjects();
    else {
      await loadJobs(state.project?.id ?? "");
      await afterJob();
    }
  };
  onReach((reached) => {
    if (!reached) {
      lost = true;
      set({ reachable: false });
    } else if (!state.reachable) again().catch(complain);
  });
  const begin = () => listen({
    job: (job) => onJob(job).catch(complain),
    project: (news) => onProject(news).catch(complain),
    open: () => again().catch(complain),
    lost: () => {
      lost = true;
      set({ reachable: false });
    },
  });
  let end = begin();
  const release = () => {
    end?.();
    end = null;
  };
  // A browser opens six connections to a server, for all its tabs together: one that listens keeps one.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(release, UNSEEN);
    else if (!end) {
      lost = true;
      end = begin();
    }
  });
}
