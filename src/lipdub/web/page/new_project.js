// A dropped file becomes a project: name, what is to be said, the consent of those who are seen, the upload.
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { post, upload } from "./api.js";
import { addLanguage } from "./edits.js";
import { Button, Dialog, Progress } from "./pieces.js";
import { complain, goTo, takeIn } from "./session.js";
import { set, state, useStore } from "./store.js";
import { languageName, t } from "./words.js";

const COMMON = ["ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "vi", "zh"];
const SCRIPT = /\.(srt|vtt|ttml|xml|txt|csv|ass|json)$/i, SOUND = /\.(wav|mp3|m4a|aac|flac|ogg|opus|aif|aiff|ac3|eac3)$/i;

// "talk.es.srt" -> "es"
const languageIn = (name) => /\.([a-z]{2,3})(?:-[A-Za-z]+)?\.[a-z0-9]+$/i.exec(name)?.[1]?.toLowerCase() ?? "";

export function LanguageChoice({ value, choose, id = "to", skip = [] }) {
  const names = COMMON.filter((code) => !skip.includes(code));
  const sorted = names.map((code) => [languageName(code), code]).sort((a, b) => a[0].localeCompare(b[0], state.words));
  return html`<label class="field" for=${id}><span>${t("dub_into")}</span><select id=${id} onChange=${(e) => choose(e.target.value)}>
    ${sorted.map(([name, code]) => html`<option value=${code} selected=${code === value}>${name}</option>`)}</select></label>`;
}

const WAYS = ["script", "audio", "translate"];

// How the words are given: a script, a finished dub track, or a translation of what is said.
export function Speech({ way, setWay, file, setFile }) {
  const accept = way === "audio" ? "audio/*" : ".srt,.vtt,.ttml,.xml,.txt,.csv";
  return html`<fieldset class="ways"><legend>${t("what_is_said")}</legend>
    <div class="segmented">${WAYS.map((one) => html`<label key=${one} class=${"button" + (way === one ? " on" : "")}><input type="radio" class="unseen" name="way" checked=${way === one} onChange=${() => (setWay(one), setFile(null))} /><span>${t("way_" + one)}</span></label>`)}</div>
    ${way === "translate" ? html`<p class="hint">${t("way_translate_text")}</p>` : html`<label class="file"><input type="file" class="unseen" accept=${accept} onChange=${(e) => setFile(e.target.files[0] ?? null)} />
      <span class="button">${t("choose_file")}</span><span class="hint">${file ? file.name : t(`way_${way}_text`)}</span></label>`}</fieldset>`;
}

function useUpload() {
  const [sent, setSent] = useState(null), stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const send = (file) => upload(file, (done, total, waiting) => setSent({ done, total, waiting, name: file.name }), stop.current.signal);
  return [sent, send, () => setSent(null)];
}

const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);

function Sent({ sent }) {
  return html`<div class="sent"><${Progress} done=${sent.done} total=${sent.total} label=${t("uploading", { name: sent.name })} />
    <p class="hint">${sent.waiting ? t("upload_waits") : t("uploading", { name: sent.name })} ${size(sent.done)} / ${size(sent.total)}</p></div>`;
}

function startValues(files) {
  const video = files.find((file) => !SCRIPT.test(file.name) && !SOUND.test(file.name)) ?? files[0];
  const said = files.find((file) => file !== video) ?? null;
  const name = video.name.replace(/\.[^.]+$/, "").replace(/[_-]+/g, " ").trim();
  return { video, said, name, way: said && SOUND.test(said.name) ? "audio" : "script", to: (said && languageIn(said.name)) || "es" };
}

export function NewProject({ files, close }) {
  const first = useRef(startValues(files)).current;
  const [name, setName] = useState(first.name), [to, setTo] = useState(first.to), [way, setWay] = useState(first.way);
  const [said, setSaid] = useState(first.said), [consent, setConsent] = useState(false), [problem, setProblem] = useState("");
  const [sent, send, reset] = useUpload();
  const make = async (event) => {
    event.preventDefault();
    setProblem("");
    try {
      const body = { upload_id: await send(first.video), name, to, consent };
      if (way !== "translate") body[way] = await send(said); // with a language alone, what is said is translated
      const made = await post("/v1/projects", body);
      const project = made.project?.id ? made.project : made;
      if (made.job) takeIn(made.job);
      close();
      goTo(project.id);
    } catch (error) {
      reset();
      if (error.name !== "AbortError") setProblem(error.sentence ?? String(error));
    }
  };
  const ready = consent && name.trim() && (way === "translate" || said);
  return html`<${Dialog} title=${t("new_project")} close=${close}><form onSubmit=${make}>
    <p class="given"><b dir="auto">${first.video.name}</b> <span>${size(first.video.size)}</span></p>
    <label class="field"><span>${t("name")}</span><input required maxlength="100" dir="auto" value=${name} onInput=${(e) => setName(e.target.value)} /></label>
    <${LanguageChoice} value=${to} choose=${setTo} />
    <${Speech} way=${way} setWay=${setWay} file=${said} setFile=${setSaid} />
    <label class="tick"><input type="checkbox" checked=${consent} onChange=${(e) => setConsent(e.target.checked)} /><span>${t("consent")}</span></label>
    ${problem && html`<p class="bad" role="alert">${problem}</p>`}${sent && html`<${Sent} sent=${sent} />`}
    <footer><${Button} text=${true} label=${t("cancel")} onClick=${close} /><button type="submit" class="button strong" disabled=${!ready || Boolean(sent)}><span>${t("make_project")}</span></button></footer></form><//>`;
}

export function AddLanguage() {
  const known = useStore((s) => s.project.languages).map((one) => one.language), close = () => set({ dialog: "" });
  const [to, setTo] = useState(["es", "fr", "de", "ja", "en"].find((code) => !known.includes(code)) ?? "it"), [way, setWay] = useState("script"), [said, setSaid] = useState(null);
  const [sent, send, reset] = useUpload();
  const give = (file) => {
    setSaid(file);
    if (file && languageIn(file.name)) setTo(languageIn(file.name));
  };
  const make = async (event) => {
    event.preventDefault();
    try {
      const body = { language: to };
      if (way === "translate") body.translate = true;
      else body[way] = await send(said);
      if (await addLanguage(body)) close();
      else reset();
    } catch (error) {
      reset();
      if (error.name !== "AbortError") complain(error);
    }
  };
  return html`<${Dialog} title=${t("add_language")} close=${close}><form onSubmit=${make}>
    <${LanguageChoice} value=${to} choose=${setTo} skip=${known} /><${Speech} way=${way} setWay=${setWay} file=${said} setFile=${give} />
    ${sent && html`<${Sent} sent=${sent} />`}
    <footer><${Button} text=${true} label=${t("cancel")} onClick=${close} /><button type="submit" class="button strong" disabled=${(way !== "translate" && !said) || Boolean(sent)}><span>${t("add_language")}</span></button></footer></form><//>`;
}
