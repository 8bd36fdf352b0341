// Signing in, the sections, and what all of them share. The key is kept for this tab alone.
import { Api, Problem } from "./api.js";
import { showCheckpoints } from "./checkpoints.js";
import { element } from "./dom.js";
import { showHealth } from "./health.js";
import { Inbox } from "./inbox.js";
import { showInbox } from "./inboxview.js";
import { showReports } from "./reports.js";
import { showTranscripts } from "./transcripts.js";

const KEY = "shopbot operator key";
const SECTIONS = {
  inbox: ["Inbox", showInbox],
  transcripts: ["Transcripts", showTranscripts],
  checkpoints: ["Checkpoints", showCheckpoints],
  reports: ["Reports", showReports],
  health: ["Health", showHealth],
};
const get = (id) => document.getElementById(id);
let desk = null; // {api, inbox, me}, while somebody is signed in
let leave = () => {}; // what the section that is shown wants done before it goes

function announce(text) {
  get("announcer").textContent = text;
}

function tellProblem(problem) {
  if (!(problem instanceof Problem)) throw problem;
  if (problem.status === 401) signOut("The key is not valid (any more).");
  else announceProblem(problem.message);
}

function announceProblem(message) {
  get("main").querySelector(":scope > .problem")?.remove();
  const close = element("button", { type: "button", ariaLabel: "Close this message", onclick: () => told.remove() }, "×");
  const told = element("div", { className: "problem", role: "alert" }, element("span", {}, message), close);
  get("main").prepend(told);
}

async function signIn(key) {
  const api = new Api(key);
  const me = await api.get("me");
  sessionStorage.setItem(KEY, key);
  const inbox = new Inbox(api, tellProblem);
  desk = { api, inbox, me: me.name, announce, tell: tellProblem };
  get("who").textContent = me.name;
  get("sign-in").hidden = true;
  get("desk").hidden = false;
  inbox.watch(watchInbox);
  show();
}

function signOut(why = "") {
  leave();
  leave = () => {};
  desk?.inbox.stop();
  desk = null;
  sessionStorage.removeItem(KEY);
  get("main").replaceChildren();
  get("desk").hidden = true;
  get("sign-in").hidden = false;
  get("sign-in-problem").textContent = why;
  get("sign-in-problem").hidden = !why;
  document.title = "Operator";
  get("key").value = "";
  get("key").focus();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // typed by hand
  }
}

// The address says what is shown: #inbox/SESSION, #transcripts/SESSION, #checkpoints, …
function show() {
  if (!desk) return;
  leave();
  const [name, subject = ""] = location.hash.slice(1).split("/").map(decoded);
  const [title, open] = Object.hasOwn(SECTIONS, name) ? SECTIONS[name] : SECTIONS.inbox;
  for (const link of get("nav").children) link.ariaCurrent = link.dataset.title === title ? "page" : null;
  leave = open(get("main"), desk, subject) ?? (() => {});
}

let waited = new Set();

function watchInbox() {
  const waiting = [...desk.inbox.sessions.values()].filter(({ mode }) => mode === "waiting");
  const badge = get("nav").querySelector(".badge");
  badge.textContent = waiting.length || "";
  badge.ariaLabel = waiting.length ? `${waiting.length} waiting` : "";
  document.title = waiting.length ? `(${waiting.length}) Operator` : "Operator";
  if (waiting.some(({ session_id: id }) => !waited.has(id))) announce("A customer waits for a human agent.");
  waited = new Set(waiting.map(({ session_id: id }) => id));
  get("connection").textContent = desk.inbox.isConnected ? "" : "No connection; it is being tried again.";
}

for (const [name, [title]] of Object.entries(SECTIONS)) {
  const badge = name === "inbox" ? element("span", { className: "badge" }) : null;
  const link = element("a", { href: `#${name}` }, title, badge);
  link.dataset.title = title;
  get("nav").append(link);
}
get("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await signIn(get("key").value.trim());
  } catch (problem) {
    signOut(problem.status === 401 ? "That key opens nothing here." : problem.message);
  }
});
get("sign-out").addEventListener("click", () => signOut());
addEventListener("hashchange", show);
addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof Problem)) return;
  event.preventDefault();
  tellProblem(event.reason);
});

const kept = sessionStorage.getItem(KEY);
if (kept) signIn(kept).catch((problem) => signOut(problem.status === 401 ? "" : problem.message));
else signOut();
