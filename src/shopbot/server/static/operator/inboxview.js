// The inbox: on the left who waits and who is being talked to, on the right one conversation.
import { Conversation } from "./conversation.js";
import { element } from "./dom.js";
import { soft } from "./parts.js";
import { age, modeOf, nameOf, turnsOf } from "./words.js";

const GROUPS = [
  ["Waiting", (session) => session.mode === "waiting"],
  ["With you", (session, me) => session.mode === "human" && session.agent === me],
  ["With colleagues", (session, me) => session.mode === "human" && session.agent !== me],
  ["With the bot", (session) => session.mode === "bot" && session.turns > 0],
];
const REFRESH_MS = 30_000; // "5 min" becomes "6 min"

export function showInbox(main, desk, selected) {
  const list = element("nav", { className: "sessions", ariaLabel: "Conversations" });
  const pane = element("section", { className: "pane", ariaLabel: "Conversation" });
  main.replaceChildren(element("div", { className: `split${selected ? " open" : ""}` }, list, pane));
  const draw = () => drawList(list, desk, selected);
  draw();
  const timer = setInterval(draw, REFRESH_MS);
  const conversation = selected ? new Conversation(pane, desk, selected) : null;
  if (!selected) pane.append(soft("Choose a conversation."));
  const unwatch = desk.inbox.watch((session) => {
    draw();
    if (!session || session.session_id === selected) conversation?.update(session);
  });
  return () => {
    clearInterval(timer);
    unwatch();
    conversation?.stop();
  };
}

function drawList(list, { inbox, me }, selected) {
  const focused = list.contains(document.activeElement) ? document.activeElement.hash : null;
  const sessions = [...inbox.sessions.values()];
  const groups = GROUPS.map(([title, belongs]) => {
    const found = sessions.filter((session) => belongs(session, me)).sort(inOrder);
    if (!found.length) return null;
    const rows = found.map((session) => element("li", {}, row(session, session.session_id === selected)));
    return element("section", {}, element("h2", {}, `${title} (${found.length})`), element("ul", {}, rows));
  }).filter(Boolean);
  list.replaceChildren(...(groups.length ? groups : [soft("Nobody is talking to the shop right now.")]));
  if (focused) [...list.querySelectorAll("a")].find((link) => link.hash === focused)?.focus();
}

// Whoever has waited longest comes first; elsewhere, what happened last.
function inOrder(one, other) {
  if (one.mode === "waiting") return since(one) - since(other);
  return Date.parse(other.active_at) - Date.parse(one.active_at);
}

const since = (session) => Date.parse(session.ticket?.created_at ?? session.active_at);

function row(session, isSelected) {
  const time = session.mode === "waiting" ? (session.ticket?.created_at ?? session.active_at) : session.active_at;
  return element("a",
    { href: `#inbox/${encodeURIComponent(session.session_id)}`, ariaCurrent: isSelected ? "true" : null },
    element("span", { className: "name" }, nameOf(session)),
    element("span", { className: "age" }, age(time)),
    element("span", { className: "about" }, session.ticket?.reason ?? `${modeOf(session)}, ${turnsOf(session)}`));
}
