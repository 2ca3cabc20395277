// Calls of the studio's API. Errors are Problems: what happened and what to do, as the API says it (RFC 9457).

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || String(status));
    Object.assign(this, { status, body, title: body.title || "", remedy: body.remedy || "" });
  }
  // Everything worth saying to a person, in one sentence or two.
  get sentence() {
    const parts = [this.message, this.remedy].filter(Boolean);
    return parts.map((part) => (/[.!?。！？]$/.test(part) ? part : part + ".")).join(" ");
  }
}

let reach = () => {};
// Tells ``told(true | false)`` whether the studio answered the last call at all.
export const onReach = (told) => (reach = told);

async function answered(path, init) {
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reach(false);
    throw new Problem(0, { title: "unreachable", detail: "The studio does not answer" });
  }
  reach(true);
  if (response.ok) return response;
  let body = {};
  try {
    body = await response.json();
  } catch {
    body = { title: response.statusText, detail: `${response.status} ${response.statusText}` };
  }
  throw new Problem(response.status, body);
}

async function call(method, path, body, headers = {}) {
  const init = { method, headers: { ...headers } };
  if (body !== undefined) {
    init.headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  const response = await answered(path, init);
  return response.status === 204 ? null : response.json();
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}, headers) => call("POST", path, body, headers);
export const patch = (path, body) => call("PATCH", path, body);
export const put = (path, body) => call("PUT", path, body);
export const remove = (path) => call("DELETE", path);

// Every page of a list.
export async function list(path) {
  const found = [];
  let cursor = "";
  do {
    const join = path.includes("?") ? "&" : "?";
    const page = await get(cursor ? `${path}${join}cursor=${encodeURIComponent(cursor)}` : path);
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

export async function bytes(path) {
  const response = await answered(path);
  return { data: await response.arrayBuffer(), headers: response.headers };
}

const enc = encodeURIComponent;
export const at = {
  project: (p) => `/v1/projects/${enc(p)}`,
  language: (p, l) => `/v1/projects/${enc(p)}/languages/${enc(l)}`,
  line: (p, l, s) => `/v1/projects/${enc(p)}/languages/${enc(l)}/segments/${enc(s)}`,
};

const CHUNK = 4 << 20;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// How much of an upload the studio has.
async function offsetOf(url) {
  const response = await answered(url, { method: "HEAD" });
  return Number(response.headers.get("Upload-Offset"));
}

// Sends a file in pieces; goes on where it was if the connection or the studio was away. Gives the upload's id.
// progress(sent, size, waiting) is called after each piece; signal ends it.
export async function upload(file, progress = () => {}, signal = undefined) {
  const made = await post("/v1/uploads", { name: file.name, size: file.size });
  const url = `/v1/uploads/${enc(made.id)}`;
  let sent = 0, failures = 0;
  while (sent < file.size) {
    signal?.throwIfAborted();
    try {
      const headers = { "Upload-Offset": String(sent), "Content-Type": "application/offset+octet-stream" };
      const body = file.slice(sent, sent + CHUNK);
      const response = await answered(url, { method: "PATCH", headers, body, signal });
      sent = Number(response.headers.get("Upload-Offset") ?? sent + body.size);
      failures = 0;
    } catch (error) {
      if (error.name === "AbortError" || (error.status >= 400 && error.status !== 409 && error.status < 500)) throw error;
      if (++failures > 20) throw error;
      progress(sent, file.size, true);
      await pause(Math.min(500 * failures, 5000));
      sent = await offsetOf(url).catch(() => sent);
    }
    progress(sent, file.size, false);
  }
  return made.id;
}

// The studio's events: handlers {job(data), project(data), open(), lost()}. Reconnects by itself. Gives a function that ends it.
export function listen(handlers) {
  let source = null, ended = false, timer = 0;
  const start = () => {
    source = new EventSource("/v1/events");
    source.onopen = () => handlers.open();
    for (const kind of ["job", "project"])
      source.addEventListener(kind, (event) => handlers[kind](JSON.parse(event.data)));
    source.onerror = () => {
      handlers.lost();
      // A browser gives up for good after an answer that is not a stream, as from a studio that is just starting.
      if (source.readyState === EventSource.CLOSED && !ended) timer = setTimeout(start, 2000);
    };
  };
  start();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}
