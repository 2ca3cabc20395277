// Small parts of which the screens are made: icons, buttons, menus, dialogs.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact-htm.js";

const PATHS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  loop: "M17 3l3 3-3 3M4 11V9a3 3 0 0 1 3-3h13M7 21l-3-3 3-3M20 13v2a3 3 0 0 1-3 3H4",
  wipe: "M3 5h18v14H3zM12 5v14M15 9l3 3-3 3M9 9l-3 3 3 3",
  side: "M3 5h8v14H3zM13 5h8v14h-8z",
  difference: "M9 5a7 7 0 1 0 0 14A7 7 0 0 0 9 5zM15 5a7 7 0 1 1 0 14A7 7 0 0 1 15 5z",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  mouth: "M3 12c3-4 6-5 7.5-5 .7 0 1.2.4 1.5.7.3-.3.8-.7 1.5-.7C15 7 18 8 21 12c-3 4-6 5.5-9 5.5S6 16 3 12zM6 12h12",
  face: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14.5c1 1.3 2.2 2 3.5 2s2.5-.7 3.5-2M9 9.5v.5M15 9.5v.5",
  swap: "M7 4L3 8l4 4M3 8h14M17 12l4 4-4 4M21 16H7",
  check: "M4 12.5l5 5L20 6.5",
  cross: "M6 6l12 12M18 6L6 18",
  ear: "M11 5L6 9H3v6h3l5 4zM15.5 9a4 4 0 0 1 0 6M18.5 6a8 8 0 0 1 0 12",
  redo_line: "M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M16 5l4 4-4 4M20 9H10a6 6 0 0 0 0 12h3",
  split: "M12 3v18M8 8l-4 4 4 4M16 8l4 4-4 4",
  merge: "M4 12h6M20 12h-6M7 9l3 3-3 3M17 9l-3 3 3 3",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  export: "M12 15V4M8 8l4-4 4 4M5 14v5h14v-5",
  jobs: "M4 6h16M4 12h10M4 18h7",
  help: "M9 9a3 3 0 1 1 4 2.8c-.7.3-1 .8-1 1.7M12 17v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2",
  moon: "M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 10h4M4 14h4M16 10h4M16 14h4",
  note: "M5 4h14v11l-5 5H5zM14 20v-5h5",
  flag: "M6 21V4h11l-2 4 2 4H6",
  more: "M6 12v.01M12 12v.01M18 12v.01",
  fit: "M4 9V5h4M20 9V5h-4M4 15v4h4M20 15v4h-4",
  ban: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM6 6l12 12",
  down: "M6 9l6 6 6-6",
};
const SOLID = new Set(["play", "pause"]);

export function Icon({ name }) {
  const paint = SOLID.has(name) ? { fill: "currentColor", stroke: "none" } : { fill: "none", stroke: "currentColor" };
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" ...${paint} stroke-width="1.8" stroke-linecap="round"
    stroke-linejoin="round"><path d=${PATHS[name]} /></svg>`;
}

// A button; with an icon alone its label is its name and its tooltip. ``keys`` is shown in the tooltip.
export function Button({ icon, label, keys = "", text = false, pressed, kind = "", children, ...rest }) {
  const title = keys ? `${label}  (${keys})` : label;
  return html`<button type="button" class=${"button " + kind + (icon && !text && !children ? " bare" : "")} title=${title}
    aria-label=${label} aria-pressed=${pressed === undefined ? undefined : String(pressed)} ...${rest}>
    ${icon && html`<${Icon} name=${icon} />`}${text && html`<span>${label}</span>`}${children}</button>`;
}

// Calls ``leave`` when the user presses Escape or points outside ``ref``.
function useLeave(ref, open, leave) {
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => ref.current && !ref.current.contains(event.target) && leave();
    const escape = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      ref.current?.querySelector("button")?.focus();
      leave();
    };
    document.addEventListener("pointerdown", outside, true);
    document.addEventListener("keydown", escape, true);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      document.removeEventListener("keydown", escape, true);
    };
  }, [open]);
}

// A button that opens a panel under it; ``children`` is a function of ``close``.
export function Popover({ icon, label, text, kind = "", badge, opened, children, wide = false, name = "" }) {
  const [open, setOpen] = useState(false), ref = useRef(null);
  const close = () => setOpen(false);
  useLeave(ref, open, close);
  const toggle = () => {
    if (!open) opened?.();
    setOpen(!open);
  };
  return html`<div class=${"popover " + name} ref=${ref}>
    <button type="button" class=${"button " + kind + (text ? "" : " bare")} title=${label} aria-label=${label}
      aria-haspopup="dialog" aria-expanded=${String(open)} onClick=${toggle}>
      ${icon && html`<${Icon} name=${icon} />`}${text && html`<span>${text}</span>`}
      ${badge ? html`<span class="badge">${badge}</span>` : null}</button>
    ${open && html`<div class=${"panel" + (wide ? " wide" : "")} role="dialog" aria-label=${label}>${children(close)}</div>`}
  </div>`;
}

// Up and Down go through the buttons of a list.
export function arrows(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const all = [...event.currentTarget.querySelectorAll("button:not(:disabled)")];
  const next = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  all[(next + all.length) % all.length]?.focus();
  event.preventDefault();
  event.stopPropagation();
}

// A dialog over the page: Escape closes it, Tab stays in it, the focus returns afterwards.
export function Dialog({ title, close, children, kind = "" }) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement, dialog = ref.current;
    dialog.showModal();
    dialog.querySelector("input:not([type=radio], [type=file]), select, .strong")?.focus();
    return () => {
      if (dialog.open) dialog.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    close();
  };
  return html`<dialog ref=${ref} class=${"dialog " + kind} aria-label=${title} onCancel=${cancel}
    onPointerDown=${(event) => event.target === ref.current && close()}>
    <div class="dialog-in"><header><h2>${title}</h2><${Button} icon="cross" label=${"×"} onClick=${close} /></header>${children}</div></dialog>`;
}

export function Progress({ done, total, label }) {
  const value = total ? Math.min(1, done / total) : undefined;
  const width = { width: value === undefined ? "35%" : `${value * 100}%` };
  return html`<div class=${"progress" + (value === undefined ? " unknown" : "")} role="progressbar" aria-label=${label}
    aria-valuemin="0" aria-valuemax="100" aria-valuenow=${value === undefined ? undefined : Math.round(value * 100)}><i style=${width}></i></div>`;
}
