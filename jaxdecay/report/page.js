"use strict";
// The leaderboard of a report, and what its buttons do. All texts are from `page.py`.

const [ROWS, MORE_ROWS] = [25, 100];

// The leaderboard.

const columns = [
  { name: "rank", title: "rank", text: (each) => each.place, number: true },
  { name: "name", title: "schedule", text: (each) => each.name },
  ...content.columns.map((column) => ({ ...column, text: (each) => each.texts[column.name], number: true })),
];
const state = { sort: "rank", descending: false, rows: ROWS, selected: null };

function sorted() {
  const family = byId("family").value;
  const search = byId("search").value.trim().toLowerCase();
  const found = schedules.filter(
    (each) => (!family || each.family === family) && each.name.toLowerCase().includes(search),
  );
  const sign = state.descending ? -1 : 1;
  const missing = (value) => value === null || value === undefined;
  return found.sort((left, right) => {
    const [a, b] = [left[state.sort], right[state.sort]];
    if (missing(a) || missing(b)) return missing(a) - missing(b) || left.rank - right.rank;
    return sign * (a < b ? -1 : a > b ? 1 : 0) || left.rank - right.rank;
  });
}

// A selector for what has the focus, to restore it when the table has been drawn again.
function focusIn(table) {
  const now = document.activeElement;
  if (!table.contains(now)) return null;
  if (now.dataset.schedule) return `[data-schedule="${now.dataset.schedule}"]`;
  return `[data-column="${now.dataset.column}"]`;
}

function drawLeaderboard() {
  const rows = sorted();
  const focused = focusIn(byId("leaderboard"));
  const head = element("tr");
  for (const column of columns) {
    const cell = element("th", "", { className: column.number ? "number" : "" });
    if (column.name === state.sort) {
      cell.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
    }
    const button = element("button", column.title, { type: "button" });
    button.dataset.column = column.name;
    button.onclick = () => {
      const again = state.sort === column.name;
      state.descending = again ? !state.descending : Boolean(column.descending);
      state.sort = column.name;
      drawLeaderboard();
    };
    cell.append(button);
    head.append(cell);
  }
  byId("leaderboard").tHead.replaceChildren(head);
  byId("leaderboard").tBodies[0].replaceChildren(
    ...rows.slice(0, state.rows).map((each) => {
      const row = element("tr", "", { tabIndex: 0 });
      row.dataset.schedule = each.index;
      row.setAttribute("aria-selected", each.index === state.selected);
      row.onclick = () => select(each.index);
      row.onkeydown = (event) => {
        if (event.key === "Enter") select(each.index);
      };
      row.append(
        ...columns.map((column) =>
          element("td", String(column.text(each)), { className: column.number ? "number" : "" }),
        ),
      );
      return row;
    }),
  );
  if (focused) byId("leaderboard").querySelector(focused)?.focus();
  const shown = Math.min(state.rows, rows.length);
  byId("count").textContent = `${shown} of ${schedules.length} schedules`;
  byId("more").hidden = rows.length <= state.rows;
}

function select(schedule) {
  state.selected = state.selected === schedule ? null : schedule;
  showChosen(state.selected ?? content.best);
  const before = [...drawn].join();
  drawn.clear();
  for (const each of content.shown) drawn.add(each);
  // Rates of what diverged would set the scale for all others.
  if (state.selected !== null && !schedules[schedule].diverged) drawn.add(schedule);
  drawLeaderboard();
  if ([...drawn].join() !== before) drawCurves();
  else fade();
}

function showChosen(schedule) {
  const each = schedule === null ? null : schedules[schedule];
  byId("chosen").textContent = each ? (each.diverged ? "Schedule with a diverged member" : each.rank === 1 ? "Best schedule" : `Schedule of rank ${each.rank}`) : "No schedule finished: every one has a diverged member";
  byId("python").textContent = each ? each.python : "";
  byId("toml").textContent = each ? each.toml : "";
  byId("all").hidden = state.selected === null;
}

function drawTables() {
  byId("diverged_note").textContent = content.diverged_note;
  const rows = content.diverged.map((each) => {
    const row = element("tr");
    row.append(
      element("td", schedules[each.schedule].name),
      ...[each.seed, each.step, each.epoch + 1].map((value) => element("td", String(value), { className: "number" })),
    );
    return row;
  });
  if (rows.length) {
    const head = element("tr");
    head.append(element("th", "schedule"),
      ...["seed", "step", "epoch"].map((name) => element("th", name, { className: "number" })));
    byId("diverged").tHead.replaceChildren(head);
    byId("diverged").tBodies[0].replaceChildren(...rows);
  }
  byId("about").tBodies[0].replaceChildren(
    ...content.about.map(([name, value]) => {
      const row = element("tr");
      row.append(element("th", name), element("td", value));
      return row;
    }),
  );
}

function choose(id, options, listener) {
  byId(id).replaceChildren(...options.map(([value, text]) => element("option", text, { value })));
  byId(id).onchange = listener;
}

document.title = content.title;
byId("title").textContent = content.title;
byId("verdict").textContent = content.verdict;
byId("legend").textContent = content.legend;
byId("curves_note").textContent = content.curves_note;
byId("seeds_note").textContent = content.seeds_note;
choose("family", [["", "all"], ...families.map((each) => [each, each])], () => {
  state.rows = ROWS;
  drawLeaderboard();
});
choose("panel", content.panels.map((each, place) => [place, each.family]), drawHyperparameters);
byId("search").oninput = drawLeaderboard;
byId("more").onclick = () => {
  state.rows += MORE_ROWS;
  drawLeaderboard();
};
byId("all").onclick = () => state.selected !== null && select(state.selected);
byId("theme").onclick = () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  drawAll();
};
for (const button of document.querySelectorAll("[data-copy]")) {
  button.onclick = async () => {
    const text = byId(button.dataset.copy);
    getSelection().selectAllChildren(text); // for Ctrl-C where a page may not copy
    await navigator.clipboard?.writeText(text.textContent);
    button.textContent = navigator.clipboard ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
}
showChosen(content.best);
drawLeaderboard();
drawTables();
drawAll();
byId("curves").on("plotly_click", (event) => {
  const { schedule } = traces[event.points[0].curveNumber];
  if (schedule !== undefined) select(schedule);
});
