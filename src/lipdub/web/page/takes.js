// The takes of a line side by side: what differs, how good each is, hear it, use it.
import { html, useEffect } from "./vendor/preact-htm.js";
import { choose } from "./edits.js";
import { Button, Icon } from "./pieces.js";
import { playSound } from "./playback.js";
import { complain, loadTakes } from "./session.js";
import { useStore } from "./store.js";
import { t } from "./words.js";

const FIELDS = ["text", "voice", "offset", "seed", "engine", "person"];

// What of its recipe no other take has.
function differing(take, takes) {
  return FIELDS.filter((name) => takes.some((other) => other.recipe?.[name] !== take.recipe?.[name]));
}

function shown(name, value) {
  if (name === "offset") return `${Math.round(value * 1000)} ms`;
  if (name === "seed") return `${t("seed")} ${value ?? "–"}`;
  if (name === "person") return `${t("person")} ${value ?? "?"}`;
  return value || "–";
}

function Take({ take, takes, line }) {
  const { scores = {} } = take, names = differing(take, takes);
  const best = (name) => takes.length > 1 && takes.every((other) => (other.scores?.[name] ?? -1) <= (scores[name] ?? -1));
  return html`<li class=${"take" + (take.chosen ? " chosen" : "")}>
    <header><b>${t("take_n", { n: take.number })}</b>${take.chosen && html`<span class="in-use"><${Icon} name="check" />${t("in_use")}</span>`}</header>
    <div class="recipe">${names.map((name) => html`<span key=${name} class=${"of-" + name} dir="auto">${shown(name, take.recipe?.[name])}</span>`)}</div>
    <p class="numbers">${scores.sync != null && html`<span class=${best("sync") ? "best" : ""}>${t("sync")} ${scores.sync.toFixed(1)}</span>`}
      ${scores.closures_requested > 0 && html`<span class=${best("closures_found") ? "best" : ""}>${t("closures")} ${scores.closures_found}/${scores.closures_requested}</span>`}</p>
    <div class="take-do">${take.audio && html`<${Button} icon="play" label=${t("hear_take", { n: take.number })} onClick=${() => playSound(take.audio, line.start + (take.recipe?.offset ?? 0))} />`}
      ${!take.chosen && html`<${Button} text=${true} label=${t("use_take", { n: take.number })} onClick=${() => choose(line.id, take.number)} />`}</div></li>`;
}

export function Takes({ line }) {
  const takes = useStore((s) => s.takes[line.id]);
  useEffect(() => {
    if (line.takes > 0) loadTakes(line.id).catch(complain);
  }, [line.id, line.takes, line.take]);
  if (!line.takes) return html`<p class="hint">${t("no_takes")}</p>`;
  return html`<div class="takes"><h3>${t("takes")}</h3>
    <ul>${(takes ?? []).map((take) => html`<${Take} key=${take.number} take=${take} takes=${takes} line=${line} />`)}</ul></div>`;
}
