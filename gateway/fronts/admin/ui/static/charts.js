// Draws each chart from the table beside it, which is its text alternative: what is drawn and what is read are the same.
(() => {
  "use strict";
  const drawn = new WeakMap(); // plot element -> {chart, shape, shown: {table}}
  const HEIGHT = 174;
  const WRITE = {
    count: (value) => value.toLocaleString("en"),
    rate: (value) => value.toLocaleString("en", {maximumSignificantDigits: 3}),
    percent: (value) => `${(value * 100).toLocaleString("en", {maximumSignificantDigits: 3})} %`,
    dollars: (value) => `$${value.toLocaleString("en", {maximumFractionDigits: value && Math.abs(value) < 1 ? 4 : 2})}`,
  };
  const AXIS = {...WRITE, dollars: (value) => `$${value.toLocaleString("en")}`};

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const faded = (name) => colour(name) + "2b";

  function read(figure) {
    const rows = [...figure.querySelectorAll("tbody tr")];
    const number = (cell) => {
      const data = cell.querySelector("data");
      return data ? Number(data.value) : null;
    };
    const columns = rows.map((row) => [...row.cells].map(number));
    const names = [...figure.querySelectorAll("th[data-series]")].map((head) => head.dataset.series);
    return {
      names,
      labels: rows.map((row) => row.cells[0].textContent.trim()),
      data: [0, ...names.map((_, nth) => nth + 1)].map((nth) => columns.map((row) => row[nth])),
    };
  }

  function options(figure, shown, width) {
    const {table} = shown;
    const bars = figure.dataset.kind === "bars";
    const write = WRITE[figure.dataset.unit];
    const onAxis = AXIS[figure.dataset.unit];
    const axis = {
      stroke: () => colour("soft"),
      grid: {stroke: () => colour("grid"), width: 1},
      ticks: {show: false},
      size: 28,
      font: '11px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif',
    };
    const several = table.names.length > 1;
    return {
      width,
      height: HEIGHT,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: {y: false, points: {size: 6}, drag: {x: false, y: false}},
      legend: {live: true, markers: {width: 0, fill: (_, nth) => (nth ? colour(table.names[nth - 1]) : "transparent")}},
      scales: {
        x: {time: !bars, range: bars ? (_, low, high) => [low - 0.6, high + 0.6] : undefined},
        y: {
          range: (_, low, high) =>
            figure.dataset.unit === "percent" ? [0, 1] : [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.08 : 1],
        },
      },
      axes: [
        bars
          ? {...axis, grid: {show: false}, space: 52, incrs: [1, 2, 3, 4, 5, 10], values: (_, ticks) => ticks.map((tick) => table.labels[tick] ?? "")}
          : {...axis, grid: {show: false}, space: 60, values: [[3600, "{HH}:{mm}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]]},
        {...axis, size: 54, space: 36, values: (_, ticks) => ticks.map((tick) => onAxis(tick))},
      ],
      series: [
        {label: bars ? "class" : "until", value: (_, at, __, nth) => (nth == null ? "" : shown.table.labels[nth])},
        ...table.names.map((name, nth) => ({
          label: name,
          stroke: () => colour(name),
          fill: bars ? () => colour(name) : nth === table.names.length - 1 ? () => faded(name) : undefined,
          width: bars ? 0 : 1.75,
          points: {show: false},
          value: (_, value) => (value == null ? "" : write(value)),
          paths: bars ? uPlot.paths.bars({size: [several ? 0.4 : 0.78, 60], align: several ? (nth ? 1 : -1) : 0}) : undefined,
        })),
      ],
    };
  }

  function draw(figure) {
    const plot = figure.querySelector(".plot");
    if (!plot) {
      return; // nothing measured
    }
    const table = read(figure);
    const shape = JSON.stringify([figure.dataset.kind, table.names, figure.dataset.kind === "bars" ? table.labels : 0]);
    const before = drawn.get(plot);
    if (before && before.shape === shape) {
      before.shown.table = table;
      before.chart.setData(table.data);
      return;
    }
    if (before) {
      before.chart.destroy();
    }
    const shown = {table};
    const chart = new uPlot(options(figure, shown, plot.clientWidth), table.data, plot);
    drawn.set(plot, {chart, shape, shown});
    resized.observe(plot);
  }

  const resized = new ResizeObserver((changes) => {
    for (const {target} of changes) {
      const found = drawn.get(target);
      if (found && target.clientWidth && found.chart.width !== target.clientWidth) {
        found.chart.setSize({width: target.clientWidth, height: HEIGHT});
      }
    }
  });

  function drawAll() {
    document.querySelectorAll("figure.chart").forEach(draw);
  }

  drawAll();
  document.addEventListener("htmx:afterSwap", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const figure of document.querySelectorAll("figure.chart")) {
      const plot = figure.querySelector(".plot");
      if (plot) {
        drawn.get(plot)?.chart.destroy();
        drawn.delete(plot);
      }
      draw(figure);
    }
  });
})();
