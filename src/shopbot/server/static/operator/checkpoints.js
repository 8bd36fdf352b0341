// Checkpoints: which one the bot understands with, promoting another one behind the gate, rolling back.
import { Problem, part } from "./api.js";
import { element } from "./dom.js";
import { button, confirmed, soft, table } from "./parts.js";
import { clock } from "./words.js";

export function showCheckpoints(main, desk) {
  const body = element("div", {});
  main.replaceChildren(element("h2", {}, "Checkpoints"), body);
  draw(body, desk).catch(desk.tell);
}

async function draw(body, desk) {
  const state = await desk.api.get("checkpoints");
  const current = state.checkpoints.find((one) => one.is_current);
  const rows = state.checkpoints.map((one) => [
    element("span", {}, one.name, one.is_current ? element("strong", { className: "tag" }, "in force") : ""),
    clock(one.created),
    one.parent ?? "–",
    element("span", { className: one.gate_passed ? "good" : "bad" }, one.gate_passed ? "passed" : "not passed", one.gate_report ? element("p", { className: "soft" }, one.gate_report) : ""),
    one.is_current || !one.gate_passed ? "" : button(`Promote ${one.name}`, () => switchTo(body, desk, `Put ‘${one.name}’ in force?`, "Promote it", `checkpoints/${part(one.name)}/promote`)),
  ]);
  const back = current?.parent && button("Roll back", () =>
    switchTo(body, desk, `Roll back from ‘${current.name}’ to what served before, ‘${current.parent}’?`, "Roll back", "checkpoints/rollback", { current: current.name }), "danger");
  body.replaceChildren(
    soft(inWords(state)),
    back || "",
    table("Checkpoints on this box, the newest first", ["Name", "Made", "Parent", "Gate", "Do"], rows));
}

function inWords({ current, serving, is_pinned: isPinned }) {
  if (isPinned) return "The configuration says what this service understands with; promotions do not reach it.";
  if (serving && serving !== current) return `‘${current}’ is in force; this process still answers with ‘${serving}’ and takes it up at its next turn.`;
  return `‘${current}’ is in force. A running service follows a change between two turns.`;
}

async function switchTo(body, desk, question, yes, path, wanted) {
  if (!(await confirmed(question, yes))) return;
  try {
    const { current } = await desk.api.post(path, wanted);
    desk.announce(`In force: ${current}`);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    desk.tell(problem);
  }
  await draw(body, desk).catch(desk.tell);
}
