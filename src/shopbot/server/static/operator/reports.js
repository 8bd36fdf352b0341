// The plugins' reports. One is shown in a frame in which nothing runs; a form asks for it, since a frame sends no header.
import { address, part } from "./api.js";
import { element } from "./dom.js";
import { button, soft, table } from "./parts.js";
import { clock } from "./words.js";

const FRAME = "report";

export function showReports(main, desk) {
  const frame = element("iframe", { name: FRAME, title: "Report", className: "report", hidden: true });
  frame.setAttribute("sandbox", "");
  const body = element("div", {});
  main.replaceChildren(element("h2", {}, "Reports"), body, frame);
  desk.api.get("reports").then(({ reports }) => {
    if (!reports.length) return body.append(soft("There is no report yet. ‘shopbot refine run’ makes one."));
    const rows = reports.map((one) => [one.title, clock(one.made_at), one.state, one.has_page && button(`Read ${one.title}`, () => open(frame, desk, one))]);
    return body.append(table("Reports of the plugins, the newest first", ["Report", "Made", "State", "Do"], rows));
  }).catch(desk.tell);
}

function open(frame, desk, { plugin, name }) {
  const field = element("input", { type: "hidden", name: "key", value: desk.api.key });
  const form = element("form", { method: "post", action: address(`reports/${part(plugin)}/${part(name)}`), target: FRAME, hidden: true }, field);
  document.body.append(form);
  frame.hidden = false;
  form.submit();
  form.remove();
  frame.focus();
}
