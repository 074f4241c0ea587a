"use strict";
// The content of a report, and its charts, which Plotly draws; `page.js` comes after it.

const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const { schedules, metrics } = content;

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

// Texts.

const wrapped = (text) => text.replace(/(.{1,60})(?:, |$)/g, "$1,<br>").replace(/,<br>$/, "");

function element(kind, text = "", options = {}) {
  const node = Object.assign(document.createElement(kind), options);
  node.append(text);
  return node;
}

// Curves: of all schedules, or of the best, of families and of the selected one.

const panels = metrics.map(({ name, title }, place) => ({
  metric: place,
  name,
  title: title + (content.logarithmic.includes(name) ? " (log scale)" : ""),
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
  const listed = new Set(content.bands.map((band) => band.family)); // in the legend
  traces = [];
  for (const panel of panels) {
    const place = { xaxis: `x${panel.axis}`, yaxis: `y${panel.axis}` };
    // The rate is the one at the start of its epoch, the metrics are those at its end.
    const at = content.epochs.map((epoch) => epoch + (panel.metric === 0 ? 0 : 1));
    for (const band of content.bands) {
      const [low, high] = band.values[panel.metric];
      const number = families.indexOf(band.family);
      if (content.logarithmic.includes(panel.name) && low.some((value) => !(value > 0))) {
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
        name: `${band.family}: middle 80 % of its schedules`,
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
        hovertemplate: `№ ${each.rank}: ${wrapped(each.name)}<br>%{y:.5g}, epoch %{x}<extra></extra>`,
        showlegend: panel.metric === 0 && !(byFamily && listed.has(each.family)),
      });
      listed.add(each.family);
      traces.push({ schedule });
    }
  }
  const shape = { grid: { rows: 2, columns: 2, pattern: "independent", ygap: 0.18 }, annotations: [] };
  for (const panel of panels) {
    const { name, axis } = panel;
    shape[`xaxis${axis}`] = { title: { text: "epoch", standoff: 4 } };
    shape[`yaxis${axis}`] = content.logarithmic.includes(name) ? { type: "log", dtick: 1 } : {};
    if (content.ranges[name]) shape[`yaxis${axis}`].range = content.ranges[name];
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

// Final metric against hyperparameters.

function drawHyperparameters() {
  const panel = content.panels[Number(byId("panel").value)];
  byId("panels").hidden = !panel || content.best === null;
  if (byId("panels").hidden) return;
  const of = (schedule) => schedules[schedule];
  const text = panel.schedules.map((schedule) => `№ ${of(schedule).rank}: ${wrapped(of(schedule).name)}`);
  const values = panel.schedules.map((schedule) => of(schedule)[content.main]);
  // What diverged has no metric, and its hyperparameters would set the scale for all others.
  const measured = [...panel.schedules.keys()].filter((index) => values[index] !== null);
  const kept = (of) => measured.map((index) => of[index]);
  const type = (place) => (kept(panel.values[place]).every((value) => value > 0) ? "log" : "linear");
  const axis = (place) => ({ title: { text: panel.names[place] }, type: type(place) });
  const title = { text: content.main_title };
  if (panel.is_grid) return drawGrid(panel, values, text, title);
  const shape = { grid: { rows: 1, columns: panel.names.length, pattern: "independent" } };
  const error = kept(panel.schedules).map((schedule) => of(schedule).interval);
  const means = kept(values);
  const points = panel.names.map((name, place) => {
    const number = place === 0 ? "" : String(place + 1);
    shape[`xaxis${number}`] = axis(place);
    shape[`yaxis${number}`] = place === 0 ? { title } : {};
    return {
      xaxis: `x${number}`, yaxis: `y${number}`, x: kept(panel.values[place]), y: means, text: kept(text), mode: "markers",
      marker: { color: colour(0), size: 8, opacity: 0.75 }, showlegend: false,
      error_y: {
        type: "data", thickness: 1, width: 0, symmetric: false,
        array: error.map((each, index) => (each ? each[1] - means[index] : 0)),
        arrayminus: error.map((each, index) => (each ? means[index] - each[0] : 0)),
      },
      hovertemplate: "%{text}<br>%{y:.5g}<extra></extra>",
    };
  });
  Plotly.react("hyperparameters", points, layout(shape), config);
}

// A heat map of bars: each value of the second hyperparameter is a bar on top of those before.
function drawGrid(panel, values, text, title) {
  const inOrder = (place) =>
    [...new Map(panel.values[place].map((value, index) => [value, panel.labels[place][index]]))]
      .sort(([a], [b]) => a - b);
  const [columns, rows] = [inOrder(0), inOrder(1)];
  const at = new Map(panel.schedules.map((_, index) => [`${panel.values[0][index]} ${panel.values[1][index]}`, index]));
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const scale = content.larger_is_better ? content.heat : [...content.heat].reverse();
  const bars = rows.map(([row]) => {
    const cells = columns.map(([column]) => at.get(`${column} ${row}`));
    return {
      type: "bar", x: columns.map(([, label]) => label), y: cells.map(() => 1), showlegend: false,
      customdata: cells.map((cell) => [text[cell], values[cell]]),
      marker: { color: cells.map((cell) => heat(scale, values[cell], low, high)), line: { width: 0 } },
      hovertemplate: "%{customdata[0]}<br>%{customdata[1]:.5g}<extra></extra>",
    };
  });
  const bar = {
    x: [null], y: [null], mode: "markers", hoverinfo: "skip", showlegend: false,
    marker: {
      color: [low], cmin: low, cmax: high, showscale: true, colorbar: { title },
      colorscale: scale.map((colour, place) => [place / (scale.length - 1), `rgb(${colour})`]),
    },
  };
  const shape = {
    barmode: "stack", bargap: 0,
    xaxis: { title: { text: panel.names[0] }, type: "category" },
    yaxis: {
      title: { text: panel.names[1] }, range: [0, rows.length], showgrid: false,
      tickvals: rows.map((_, place) => place + 0.5), ticktext: rows.map(([, label]) => label),
    },
  };
  Plotly.react("hyperparameters", [...bars, bar], layout(shape), config);
}

// The colour of a value on a scale of colours [red, green, blue]; none for a schedule that diverged.
function heat(scale, value, low, high) {
  if (value === null) return "rgba(0,0,0,0)";
  const place = (high > low ? (value - low) / (high - low) : 0) * (scale.length - 1);
  const below = Math.min(Math.floor(place), scale.length - 2);
  const mixed = scale[below].map((part, index) => part + (place - below) * (scale[below + 1][index] - part));
  return `rgb(${mixed.map(Math.round)})`;
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
    xaxis: { title: { text: content.main_title } },
    yaxis: { autorange: "reversed", type: "category" },
    legend: { orientation: "h", y: 1.08 },
  };
  Plotly.react("seeds", [points, means], layout(shape), config);
}

function drawAll() {
  drawCurves();
  drawHyperparameters();
  drawSeeds();
}
