// How the box is: readiness, what this process has done, the webhook's events, and what operators did.
import { part } from "./api.js";
import { element } from "./dom.js";
import { button, pages, soft, table } from "./parts.js";
import { OUTCOMES, age, clock } from "./words.js";

const REFRESH_MS = 15_000;

export function showHealth(main, desk) {
  const state = element("div", {});
  const events = element("div", {});
  const accounts = element("div", {});
  main.replaceChildren(element("h2", {}, "Health"), state, element("h2", {}, "Webhook"), events, element("h2", {}, "What operators did"), accounts);
  const refresh = () => desk.api.get("health").then((health) => state.replaceChildren(...look(health))).catch(desk.tell);
  refresh();
  drawEvents(events, desk).catch(desk.tell);
  drawAccounts(accounts, desk);
  const timer = setInterval(refresh, REFRESH_MS);
  return () => clearInterval(timer);
}

function look(health) {
  const isReady = health.status === "ready";
  const because = isReady ? "" : `: ${health.reasons.join(", ")}`;
  const warnings = health.warnings.map((text) => element("li", {}, text));
  const facts = {
    Version: health.version,
    Checkpoint: health.checkpoint ?? "none",
    Running: age(health.started_at) === "now" ? "less than a minute" : age(health.started_at),
    "Turns under way": `${health.turns_running}, ${health.turns_queued} wait`,
    "Failed requests": health.failed_requests,
    "Sessions": `${health.sessions.waiting} wait, ${health.sessions.human} with human agents, ${health.sessions.bot} with the bot`,
    "Tokens": ["read", "cached", "written"].map((kind) => `${health.tokens[kind] ?? 0} ${kind}`).join(", "),
  };
  const rows = Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]);
  return [
    element("p", { className: isReady ? "verdict good" : "verdict bad", role: "status" }, isReady ? "Ready: turns are taken." : `Not ready${because}.`),
    warnings.length ? element("ul", { className: "warnings" }, warnings) : "",
    element("dl", {}, rows),
    element("div", { className: "side-by-side" },
      table("Turns since the start", ["It came to", "Turns"], Object.entries(health.turns).map(([name, count]) => [OUTCOMES[name] ?? name, String(count)])),
      table("Time in the mean", ["Stage", "Milliseconds"], Object.entries(health.mean_ms).map(([name, ms]) => [name, String(ms)]))),
  ];
}

async function drawEvents(body, desk) {
  const { notices } = await desk.api.get("notices");
  if (!notices.length) return body.replaceChildren(soft("No events yet. ‘shopbot handoff test’ tries the webhook."));
  const again = (one) => async () => {
    await desk.api.post(`notices/${part(one.id)}/retry`).catch(desk.tell);
    drawEvents(body, desk).catch(desk.tell);
  };
  const rows = notices.map((one) => [
    one.id,
    clock(one.created_at),
    element("span", { className: one.state === "dead" ? "bad" : "" }, one.state === "dead" ? "given up" : one.state, one.error ? `: ${one.error}` : ""),
    String(one.attempts),
    one.state === "dead" ? button(`Send ${one.id} again`, again(one)) : "",
  ]);
  return body.replaceChildren(table("Events, the newest first", ["Event", "Since", "State", "Attempts", "Do"], rows));
}

function drawAccounts(body, desk) {
  const load = async (before) => {
    const { actions, next } = await desk.api.get("actions", { before });
    return { rows: actions, next };
  };
  const line = (one) => element("li", {}, element("time", { dateTime: one.at }, clock(one.at)), ` ${one.operator}: ${one.name} `, element("code", {}, one.subject), one.outcome === "done" ? "" : ` (${one.outcome})`);
  const found = pages(element("ul", { className: "accounts" }), load, line, "Nothing yet.");
  body.replaceChildren(found.node);
  found.started.catch(desk.tell);
}
