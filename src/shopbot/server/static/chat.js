"use strict";
// The chat page. What anybody wrote is shown with textContent only; nothing here makes HTML of text.

const CONNECTION_LOST = "The connection to the shop was lost. Your message is kept; nothing is done twice.";
const ENDED = "This conversation has ended. Please start a new one and say again what you need.";
const MAX_SHOWN = 200;
const REQUEST_TIMEOUT_MS = 120000;

const element = (id) => document.getElementById(id);
const [chat, log, form, text, sendButton] = ["chat", "log", "form", "text", "send"].map(element);
const [typing, notice, noticeText, retry, choices] = ["typing", "notice", "notice-text", "retry", "choices"].map(element);

// session: its id and its token; history: [{who, text}]; awaiting: what the bot asked for; pending: the message not answered yet
let state = { session: null, history: [], awaiting: null, pending: null };
let isSending = false;
let age = 0; // counts conversations, so that an answer to an old one is not shown in a new one

class Problem extends Error {
  constructor(message, { status = 0, retryAfterS = 0 } = {}) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

function load() {
  try {
    const saved = JSON.parse(sessionStorage.getItem("shopbot"));
    if (saved && Array.isArray(saved.history)) state = { ...state, ...saved };
  } catch {
    // private mode, or not ours: a new conversation
  }
}

function save() {
  state.history = state.history.slice(-MAX_SHOWN);
  try {
    sessionStorage.setItem("shopbot", JSON.stringify(state));
  } catch {
    // without storage the conversation lasts until the page is left
  }
}

function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function show({ who, text: words }) {
  const bubble = document.createElement("div");
  bubble.className = `message ${who === "customer" ? "customer" : "bot"}`;
  const speaker = document.createElement("span");
  speaker.className = "who";
  speaker.textContent = who === "customer" ? "You: " : "Assistant: ";
  bubble.append(speaker, String(words));
  log.append(bubble);
  log.scrollTop = log.scrollHeight;
}

function say(who, words) {
  const entry = { who, text: words };
  state.history.push(entry);
  show(entry);
  save();
}

function showChoices() {
  choices.replaceChildren();
  const awaiting = state.pending ? null : state.awaiting;
  const labels = Array.isArray(awaiting?.choices) ? awaiting.choices : [];
  const offers = awaiting?.kind === "confirmation"
    ? [["Yes", "yes"], ["No", "no"]]
    : labels.map((label, index) => [String(label), String(index + 1)]);
  for (const [label, words] of offers) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => send(words, label));
    choices.append(button);
  }
  choices.hidden = offers.length === 0;
}

function warn(problem) {
  noticeText.textContent = problem ? problem.message : "";
  notice.hidden = !problem;
  if (!problem) return;
  retry.hidden = problem.status === 404 || (problem.status >= 400 && problem.status < 429 && problem.status !== 408);
  retry.disabled = problem.retryAfterS > 0;
  if (retry.disabled) setTimeout(() => { retry.disabled = false; }, problem.retryAfterS * 1000);
}

function setSending(is) {
  isSending = is;
  typing.hidden = !is;
  sendButton.disabled = is;
  for (const button of choices.children) button.disabled = is;
}

async function post(path, body, token) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout ? AbortSignal.timeout(REQUEST_TIMEOUT_MS) : undefined,
    });
  } catch {
    throw new Problem(CONNECTION_LOST);
  }
  let content = null;
  try {
    content = await response.json();
  } catch {
    throw new Problem(CONNECTION_LOST);
  }
  if (response.ok) return content;
  const message = [401, 404].includes(response.status) ? ENDED : String(content?.error?.message ?? CONNECTION_LOST);
  throw new Problem(message, { status: response.status, retryAfterS: Number(response.headers.get("Retry-After")) || 0 });
}

async function deliver() {
  if (isSending || !state.pending) return;
  const mine = age;
  warn(null);
  setSending(true);
  try {
    if (!state.session) {
      const { session_id: id, session_token: token } = await post("v1/sessions", {});
      if (mine !== age) return;
      state.session = { id, token };
      save();
    }
    const { id, token } = state.session;
    const reply = await post(`v1/sessions/${encodeURIComponent(id)}/messages`, state.pending, token);
    if (mine !== age) return;
    state.pending = null;
    state.awaiting = reply.awaiting;
    if (reply.reply) say("bot", reply.reply); // nothing, while a human agent has the session
  } catch (error) {
    if (mine !== age) return;
    const problem = error instanceof Problem ? error : new Problem(CONNECTION_LOST);
    if (problem.status >= 400 && problem.status < 429 && problem.status !== 408) state.pending = null;
    save();
    warn(problem);
  } finally {
    if (mine === age) {
      setSending(false);
      showChoices();
      text.focus();
    }
  }
}

function send(words, label = words) {
  if (isSending || !words.trim()) return;
  if (state.pending) {
    warn(new Problem(CONNECTION_LOST));
    return;
  }
  state.pending = { text: words, request_id: newRequestId() };
  say("customer", label);
  showChoices();
  deliver();
}

function restart() {
  age += 1;
  state = { session: null, history: [], awaiting: null, pending: null };
  log.replaceChildren();
  warn(null);
  setSending(false);
  say("bot", chat.dataset.greeting);
  showChoices();
  text.focus();
}

function fit() {
  text.style.height = "auto"; // through the DOM, which the content security policy allows
  text.style.height = `${text.scrollHeight}px`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value;
  if (isSending || state.pending || !words.trim()) {
    if (state.pending && !isSending) warn(new Problem(CONNECTION_LOST));
    return;
  }
  text.value = "";
  fit();
  send(words);
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});
text.addEventListener("input", fit);
retry.addEventListener("click", deliver);
element("restart").addEventListener("click", restart);
window.addEventListener("online", () => { if (state.pending && !notice.hidden) deliver(); });

load();
if (state.history.length === 0) restart();
else {
  state.history.forEach(show);
  showChoices();
  deliver(); // a message that was under way when the page was left: same request id, so it is done once
}
