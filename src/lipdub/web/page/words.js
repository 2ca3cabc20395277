// The words of the page in the user's language. English is complete; what another language lacks is said in English.
import { en } from "./words/en.js";
import { set, state } from "./store.js";

export const LANGUAGES = { en: "English", es: "Español", fr: "Français", de: "Deutsch", ja: "日本語", zh: "中文" };
let table = en, rules = new Intl.PluralRules("en");

// The sentence called ``key`` with ``values`` filled in. A sentence with several forms is chosen by ``values.n``.
export function t(key, values = {}) {
  let text = table[key] ?? en[key] ?? key;
  if (typeof text === "object") text = text[rules.select(values.n ?? 0)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export async function speak(language) {
  const known = language in LANGUAGES ? language : "en";
  table = known === "en" ? en : (await import(`./words/${known}.js`)).words;
  rules = new Intl.PluralRules(known);
  document.documentElement.lang = known;
  set({ words: known });
}

export function preferredLanguage() {
  const kept = localStorage.getItem("lipdub.words");
  if (kept) return kept;
  return navigator.languages.map((name) => name.slice(0, 2)).find((name) => name in LANGUAGES) ?? "en";
}

export function keepLanguage(language) {
  localStorage.setItem("lipdub.words", language);
  return speak(language);
}

// The name of a language, in the page's language.
export function languageName(code) {
  try {
    const name = new Intl.DisplayNames([state.words], { type: "language" }).of(code);
    return name.charAt(0).toLocaleUpperCase(state.words) + name.slice(1);
  } catch {
    return code;
  }
}

// 83.4 -> 1:23.4; for people who read along, not for editing.
export function clock(seconds, digits = 1) {
  const units = 10 ** digits, all = Math.round(Math.max(seconds, 0) * units);
  const whole = Math.floor(all / units), hours = Math.floor(whole / 3600);
  const minutes = String(Math.floor(whole / 60) % 60).padStart(hours ? 2 : 1, "0");
  const rest = String(whole % 60).padStart(2, "0") + (digits ? "." + String(all % units).padStart(digits, "0") : "");
  return (hours ? hours + ":" : "") + minutes + ":" + rest;
}

// "1:23.4", "83.4" or "0:01:23.400" -> seconds, or null.
export function readClock(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || !parts.every((part) => /^\d+(\.\d*)?$/.test(part))) return null;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

// About how long something takes, in words.
export function about(seconds) {
  if (seconds < 90) return t("about_seconds", { n: Math.max(1, Math.round(seconds)) });
  if (seconds < 5400) return t("about_minutes", { n: Math.round(seconds / 60) });
  return t("about_hours", { n: (seconds / 3600).toFixed(1) });
}

export const percent = (part) => new Intl.NumberFormat(state.words, { style: "percent" }).format(part);
