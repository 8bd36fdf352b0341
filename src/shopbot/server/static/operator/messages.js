// A message of a conversation; the bot's with what it understood, and on demand why it said so.
import { Problem, part } from "./api.js";
import { element } from "./dom.js";
import { acts, rated } from "./parts.js";
import { clock } from "./words.js";

export function message(one, api, sessionId) {
  const who = { customer: "Customer", bot: "Bot", agent: one.payload.name ?? "Human agent" }[one.role];
  return element("article", { className: `message ${one.role}` },
    element("p", { className: "by" }, `${who}, `, element("time", { dateTime: one.at }, clock(one.at))),
    element("p", { className: "text" }, one.text),
    one.role === "bot" && understood(one, api, sessionId),
    one.feedback && rated(one.feedback));
}

function understood(one, api, sessionId) {
  const reasons = element("ul", {}, element("li", {}, "…"));
  const why = element("details", { className: "why" }, element("summary", {}, "Why?"), reasons);
  why.addEventListener("toggle", () => explain(api, sessionId, one.seq, reasons), { once: true });
  return element("div", { className: "understood" }, acts(one.payload.acts ?? []), why);
}

async function explain(api, sessionId, seq, list) {
  let sentences;
  try {
    ({ reasons: sentences } = await api.get(`sessions/${part(sessionId)}/messages/${seq}/explanation`));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    sentences = [problem.message];
  }
  list.replaceChildren(...sentences.map((sentence) => element("li", {}, sentence)));
}
