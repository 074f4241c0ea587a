"use strict";
// The report of a sweep. All it shows is in the JSON of `page.py`; Plotly draws it.

const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const { schedules, metrics } = content;
const [ROWS, MORE_ROWS] = [25, 100];

const floats = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
};
const curves = floats(content.curves); // [metric, schedule, epoch]
const finals = floats(content.finals); // [schedule, seed]
const epochs = content.epochs.length;
const curve = (metric, schedule) => {
  const start = (metric * schedules.length + schedule) * epochs;
  return Array.from(curves.subarray(start, start + epochs));
};
const ofSeeds = (schedule) => {
  const seeds = content.seeds.length;
  return Array.from(finals.subarray(schedule * seeds, (schedule + 1) * seeds));
};

// Words.

const digits = (value) => {
  if (value === null) return "–";
  const plain = Math.abs(value) >= 0.01 && Math.abs(value) < 1000;
  return plain ? value.toFixed(4) : Number(value.toPrecision(4)).toString();
};
const short = (value) => {
  if (value === null) return "–";
  const plain = value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6);
  return plain ? Number(value.toPrecision(4)).toString() : value.toExponential(2);
};
const words = (name) => name.replaceAll("_", " ");
const wrapped = (text) => text.replace(/(.{1,60})(?:, |$)/g, "$1,<br>").replace(/,<br>$/, "");

function element(kind, text = "", options = {}) {
  const made = Object.assign(document.createElement(kind), options);
  made.append(text);
  return made;
}

// The leaderboard.

const moreSeeds = (each) => (each.more_seeds > 0 ? each.more_seeds : each.more_seeds < 0 ? "∞" : "");
const columns = [
  { name: "rank", title: "rank", show: (each) => each.rank, number: true },
  { name: "name", title: "schedule", show: (each) => each.name },
  ...content.tested.map((metric) => ({
    name: metric,
    title: words(metric),
    show: (each) =>
      each.diverged
        ? `${each.diverged} of ${content.seeds.length} diverged`
        : digits(each[metric]) +
          (each.interval && metric === content.main ? ` (${each.interval.map((x) => digits(x)).join(" … ")})` : "") +
          (each.like_best && metric === content.main && content.seeds.length > 1 ? " ≈" : ""),
    number: true,
    descending: content.larger_is_better.includes(metric),
  })),
  ...(content.target === null
    ? []
    : [{ name: "steps_to", title: `steps to ${content.target}`, show: (each) => short(each.steps_to), number: true }]),
  { name: "more_seeds", title: "seeds to tell", show: moreSeeds, number: true },
  { name: "final_rate", title: "final rate", show: (each) => short(each.final_rate), number: true },
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

// How to find again, in a table that is drawn anew, what had the focus.
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
          element("td", String(column.show(each)), { className: column.number ? "number" : "" }),
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

// Curves: of all schedules, or of the best and of families, and of those that were asked for.

const panels = metrics.map((metric, place) => ({
  metric: place,
  title: words(metric) + (content.logarithmic.includes(metric) ? " (log scale)" : ""),
  axis: place === 0 ? "" : String(place + 1),
}));
const drawn = new Set(content.shown);
let traces = []; // what each trace shows: a schedule, or a family

const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark" ||
  (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
const colour = (number) => content.colours[number % content.colours.length];
const families = [...new Set(schedules.map((each) => each.family))];
const byFamily = schedules.length > content.named; // what a colour stands for
const styled = (schedule) => {
  const number = byFamily ? families.indexOf(schedules[schedule].family) : schedules[schedule].rank - 1;
  const dashes = ["solid", "dash", "dot", "dashdot"];
  return { color: colour(number), dash: dashes[Math.floor(number / content.colours.length) % 4] };
};

function layout(more) {
  const style = getComputedStyle(document.body);
  const [text, line] = ["--text", "--line"].map((name) => resolved(style, name));
  const axes = {};
  for (const [name, value] of Object.entries(more)) {
    axes[name] = /^[xy]axis/.test(name)
      ? { gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true, ...value }
      : value;
  }
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: text, family: "system-ui, sans-serif", size: 12 },
    margin: { l: 60, r: 20, t: 40, b: 45 },
    hoverlabel: { align: "left" },
    ...axes,
  };
}

function resolved(style, name) {
  const probe = element("span");
  probe.style.color = style.getPropertyValue(name);
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const config = { responsive: true, displaylogo: false };

function drawCurves() {
  const lines = [];
  const told = new Set(content.bands.map((band) => band.family)); // in the legend
  traces = [];
  for (const panel of panels) {
    const place = { xaxis: `x${panel.axis}`, yaxis: `y${panel.axis}` };
    // The rate is the one at the start of its epoch, the metrics are those at its end.
    const at = content.epochs.map((epoch) => epoch + (panel.metric === 0 ? 0 : 1));
    for (const band of content.bands) {
      const [low, high] = band.values[panel.metric];
      const number = families.indexOf(band.family);
      if (content.logarithmic.includes(metrics[panel.metric]) && low.some((value) => !(value > 0))) {
        continue; // a logarithmic axis has no place for its lower edge
      }
      lines.push({
        ...place,
        x: [...at, ...[...at].reverse()],
        y: [...low, ...[...high].reverse()],
        fill: "toself",
        fillcolor: colour(number) + "33",
        line: { width: 0 },
        mode: "lines",
        hoverinfo: "skip",
        name: `${band.family}: 80 % of its schedules`,
        legendgroup: band.family,
        showlegend: panel.metric === 0,
      });
      traces.push({ family: band.family });
    }
    for (const schedule of drawn) {
      const each = schedules[schedule];
      lines.push({
        ...place,
        x: at,
        y: curve(panel.metric, schedule),
        mode: epochs > 1 ? "lines" : "markers",
        line: { ...styled(schedule), width: each.rank <= 3 ? 2.5 : 1.4 },
        name: byFamily ? each.family : each.name.length > 60 ? each.name.slice(0, 59) + "…" : each.name,
        legendgroup: byFamily ? each.family : each.name,
        hovertemplate: `№ ${each.rank}: ${wrapped(each.name)}<br>%{y:.5g} at %{x}<extra></extra>`,
        showlegend: panel.metric === 0 && !(byFamily && told.has(each.family)),
      });
      told.add(each.family);
      traces.push({ schedule });
    }
  }
  const shape = { grid: { rows: 2, columns: 2, pattern: "independent", ygap: 0.18 }, annotations: [] };
  for (const panel of panels) {
    const [metric, axis] = [metrics[panel.metric], panel.axis];
    shape[`xaxis${axis}`] = { title: { text: "epoch", standoff: 4 } };
    shape[`yaxis${axis}`] = content.logarithmic.includes(metric) ? { type: "log", dtick: 1 } : {};
    if (content.ranges[metric]) shape[`yaxis${axis}`].range = content.ranges[metric];
    shape.annotations.push({
      text: panel.title, showarrow: false, xref: `x${axis} domain`, yref: `y${axis} domain`,
      x: 0, y: 1.09, font: { size: 14 },
    });
  }
  shape.legend = { orientation: "h", y: -0.08 };
  Plotly.react("curves", lines, layout(shape), config);
  fade();
}

function fade() {
  const opacity = traces.map((each) =>
    state.selected === null || each.schedule === state.selected ? 1 : each.family ? 0.25 : 0.08,
  );
  Plotly.restyle("curves", { opacity });
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
  byId("chosen").textContent = each ? `№ ${each.rank}` : "Every schedule has a diverged member";
  byId("python").textContent = each ? each.python : "";
  byId("toml").textContent = each ? each.toml : "";
}

// Final metric against hyperparameters.

function drawHyperparameters() {
  const panel = content.panels[Number(byId("panel").value)];
  byId("panels").hidden = !panel;
  if (!panel) return;
  const of = (schedule) => schedules[schedule];
  const text = panel.schedules.map((schedule) => `№ ${of(schedule).rank}: ${wrapped(of(schedule).name)}`);
  const values = panel.schedules.map((schedule) => of(schedule)[content.main]);
  const type = (place) => (panel.values[place].every((value) => value > 0) ? "log" : "linear");
  const axis = (place) => ({ title: { text: panel.names[place] }, type: type(place) });
  const title = { text: words(content.main) };
  if (panel.is_grid) {
    const heat = {
      type: "heatmap", x: panel.values[0].map(short), y: panel.values[1].map(short), z: values, text,
      colorscale: "Viridis", reversescale: !content.larger_is_better.includes(content.main), colorbar: { title },
      hovertemplate: "%{text}<br>%{z:.5g}<extra></extra>", hoverongaps: false,
    };
    // On a category axis cells are of one size, whatever the distances between the values.
    const named = (place) => ({ title: { text: panel.names[place] }, type: "category",
      categoryorder: "array", categoryarray: [...panel.values[place]].sort((a, b) => a - b).map(short) });
    Plotly.react("hyperparameters", [heat], layout({ xaxis: named(0), yaxis: named(1) }), config);
    return;
  }
  const shape = { grid: { rows: 1, columns: panel.names.length, pattern: "independent" } };
  const error = panel.schedules.map((schedule) => of(schedule).interval);
  const points = panel.names.map((name, place) => {
    const number = place === 0 ? "" : String(place + 1);
    shape[`xaxis${number}`] = axis(place);
    shape[`yaxis${number}`] = place === 0 ? { title } : {};
    return {
      xaxis: `x${number}`, yaxis: `y${number}`, x: panel.values[place], y: values, text, mode: "markers",
      marker: { color: colour(0), size: 8, opacity: 0.75 }, showlegend: false,
      error_y: {
        type: "data", thickness: 1, width: 0, symmetric: false,
        array: error.map((each, index) => (each ? each[1] - values[index] : 0)),
        arrayminus: error.map((each, index) => (each ? values[index] - each[0] : 0)),
      },
      hovertemplate: "%{text}<br>%{y:.5g}<extra></extra>",
    };
  });
  Plotly.react("hyperparameters", points, layout(shape), config);
}

// Seeds.

function drawSeeds() {
  const best = [...schedules].sort((a, b) => a.rank - b.rank).slice(0, 20).filter((each) => !each.diverged);
  const labels = best.map((each) => `№ ${each.rank} ${each.family}`);
  const points = {
    x: best.flatMap((each) => ofSeeds(each.index)),
    y: best.flatMap((each, row) => content.seeds.map(() => labels[row])),
    text: best.flatMap((each) => content.seeds.map((seed) => `seed ${seed}<br>${wrapped(each.name)}`)),
    mode: "markers", name: "one seed", marker: { color: colour(5), size: 7, opacity: 0.8 },
    hovertemplate: "%{text}<br>%{x:.5g}<extra></extra>",
  };
  const means = {
    x: best.map((each) => each[content.main]), y: labels, mode: "markers",
    name: `mean, ${content.confidence} % interval`,
    marker: { color: colour(0), symbol: "line-ns-open", size: 13, line: { width: 2 } },
    error_x: {
      type: "data", symmetric: false, color: colour(0),
      array: best.map((each) => (each.interval ? each.interval[1] - each[content.main] : 0)),
      arrayminus: best.map((each) => (each.interval ? each[content.main] - each.interval[0] : 0)),
    },
    hoverinfo: "skip",
  };
  const shape = {
    xaxis: { title: { text: words(content.main) } },
    yaxis: { autorange: "reversed", type: "category" },
    legend: { orientation: "h", y: 1.08 },
  };
  Plotly.react("seeds", [points, means], layout(shape), config);
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

function drawAll() {
  drawCurves();
  drawHyperparameters();
  drawSeeds();
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
