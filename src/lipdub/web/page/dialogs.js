// Small dialogs: what a project is called and how it is removed, what a person is called and who it is the same as.
import { html, useState } from "./vendor/preact-htm.js";
import { at, get, patch, post, remove } from "./api.js";
import { Button, Dialog } from "./pieces.js";
import { complain, goTo, refreshDub } from "./session.js";
import { personOf, set, state, useStore } from "./store.js";
import { t } from "./words.js";

const close = () => set({ dialog: "" });

async function refresh() {
  set({ project: await get(at.project(state.project.id)) });
  await refreshDub();
}

export function ProjectSettings() {
  const project = useStore((s) => s.project), [name, setName] = useState(project.name), [sure, setSure] = useState(false);
  const save = async (event) => {
    event.preventDefault();
    try {
      if (name.trim() !== project.name) await patch(at.project(project.id), { name: name.trim() });
      await refresh();
      close();
    } catch (error) {
      complain(error);
    }
  };
  const take = async () => {
    try {
      await remove(`${at.project(project.id)}?confirm=${encodeURIComponent(project.name)}`);
      close();
      goTo();
    } catch (error) {
      complain(error);
    }
  };
  return html`<${Dialog} title=${t("project_settings")} close=${close}><form onSubmit=${save}>
    <label class="field"><span>${t("name")}</span><input required maxlength="100" dir="auto" value=${name} onInput=${(e) => setName(e.target.value)} /></label>
    ${sure && html`<p class="bad" role="alert">${t("remove_text")}</p>`}
    <footer>${project.removable && html`<${Button} kind="bad" text=${true} label=${sure ? t("remove_surely") : t("remove_project")} onClick=${sure ? take : () => setSure(true)} />`}
      <span class="push"></span><${Button} text=${true} label=${t("cancel")} onClick=${close} /><button type="submit" class="button strong"><span>${t("save")}</span></button></footer></form><//>`;
}

export function PersonSettings({ id }) {
  const person = personOf(id), others = useStore((s) => s.project.people).filter((one) => one.id !== id);
  const [name, setName] = useState(person?.name ?? ""), [same, setSame] = useState("");
  if (!person) return null;
  const path = `${at.project(state.project.id)}/people/${encodeURIComponent(id)}`;
  const save = async (event) => {
    event.preventDefault();
    try {
      if (name.trim() !== person.name) await patch(path, { name: name.trim() });
      if (same) await post(path + "/same", { others: [same] });
      await refresh();
      close();
    } catch (error) {
      complain(error);
    }
  };
  return html`<${Dialog} title=${person.name || t("person_n", { n: id })} close=${close}><form onSubmit=${save}>
    ${person.picture && html`<img class="portrait" src=${person.picture} alt="" width="96" height="96" />`}
    <label class="field"><span>${t("name")}</span><input maxlength="100" dir="auto" value=${name} onInput=${(e) => setName(e.target.value)} /></label>
    ${others.length > 0 && html`<label class="field"><span>${t("same_as")}</span><select onChange=${(e) => setSame(e.target.value)}><option value="">${t("same_nobody")}</option>
      ${others.map((one) => html`<option value=${one.id}>${one.name || t("person_n", { n: one.id })}</option>`)}</select></label>`}
    <footer><${Button} text=${true} label=${t("cancel")} onClick=${close} /><button type="submit" class="button strong"><span>${t("save")}</span></button></footer></form><//>`;
}
