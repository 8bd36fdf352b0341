// Transcripts: searching them, and reading one conversation. They are redacted.
import { part } from "./api.js";
import { element } from "./dom.js";
import { acts, button, pages, rated, soft } from "./parts.js";
import { OUTCOMES, clock } from "./words.js";

const searched = { q: "", outcome: "" }; // what was searched for last, for coming back

export function showTranscripts(main, desk, sessionId) {
  if (sessionId) showOne(main, desk, sessionId);
  else showSearch(main, desk);
}

function showSearch(main, desk) {
  const words = element("input", { id: "words", type: "search", value: searched.q, maxLength: 200 });
  const options = [["", "anything"], ...Object.entries(OUTCOMES)].map(([value, text]) =>
    element("option", { value, selected: value === searched.outcome }, text));
  const outcome = element("select", { id: "outcome" }, options);
  const form = element("form", { className: "search", role: "search" },
    element("label", { htmlFor: "words" }, "Words in the message or the reply"), words,
    element("label", { htmlFor: "outcome" }, "It came to"), outcome,
    element("button", { type: "submit", className: "primary" }, "Search"));
  const results = element("div", {});
  const search = () => {
    Object.assign(searched, { q: words.value.trim(), outcome: outcome.value });
    const load = async (before) => {
      const { turns, next } = await desk.api.get("transcripts", { ...searched, before });
      return { rows: turns, next };
    };
    const found = pages(element("ul", { className: "turns" }), load, (turn) => element("li", {}, shown(turn, true)), "Nothing was found.");
    results.replaceChildren(found.node);
    found.started.catch(desk.tell);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  main.replaceChildren(element("h2", {}, "Transcripts"), soft("What customers and the bot said, without personal data."), form, results);
  search();
}

async function showOne(main, desk, sessionId) {
  const back = button("← Back", () => history.back(), "back-button");
  const list = element("ol", { className: "turns" });
  main.replaceChildren(back, element("h2", {}, "One conversation"), list);
  try {
    const { turns } = await desk.api.get(`transcripts/${part(sessionId)}`);
    list.append(...turns.map((turn) => element("li", {}, shown(turn, false))));
  } catch (problem) {
    desk.tell(problem);
  }
}

function shown(turn, isLinked) {
  const when = element("time", { dateTime: turn.at }, clock(turn.at));
  const link = isLinked && element("a", { href: `#transcripts/${part(turn.session_id)}` }, "whole conversation");
  const about = element("p", { className: "soft" }, when, ` · ${OUTCOMES[turn.outcome] ?? turn.outcome} · `, turn.checkpoint ?? "", link ? [" · ", link] : []);
  return element("article", { className: "turn" }, about,
    element("p", { className: "text" }, element("b", {}, "Customer: "), turn.message),
    acts(turn.acts),
    turn.reply && element("p", { className: "text" }, element("b", {}, "Bot: "), turn.reply),
    turn.feedback && rated(turn.feedback));
}
