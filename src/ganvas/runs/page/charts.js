/* Curves: all charts share the axis, the zoom (in indices of points) and the read-out. A curve has
   one list of points for all axes, or, `on` each axis that has points of its own, one of those. */
const axes = Object.keys(data.axes);
if (axes.length) {
  const state = { axis: axes[0], zoom: null, at: null, smooth: 0, log: false };
  const end = () => data.axes[state.axis].length - 1;
  const charts = [];
  const every = (act) => charts.forEach((chart) => chart[act]());
  const [smooth, unzoom] = [byId("smooth"), byId("unzoom")];

  const smoothed = (ys, weight) => {
    // An exponential mean without the pull to zero at its beginning.
    let [sum, total] = [0, 0];
    return ys.map((y) => {
      if (y === null) return null;
      sum = sum * weight + y;
      total = total * weight + 1;
      return sum / total;
    });
  };
  const ticks = (low, high, wanted, steps) => {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const gap = steps?.find((s) => s >= rough) ?? [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
    const found = [];
    for (let i = Math.ceil(low / gap - 1e-9); i * gap <= high + gap * 1e-9; i++) found.push(i * gap);
    return found;
  };
  const decades = (low, high) => {
    const found = [];
    const spread = Math.log10(high / low);
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
      for (const m of spread < 1 ? [1, 2, 3, 5, 7] : spread < 3 ? [1, 3] : [1]) {
        const value = Number(`${m}e${e}`);
        if (value >= low && value <= high) found.push(value);
      }
    }
    return found.length > 8 ? found.filter((_, i) => i % Math.ceil(found.length / 8) === 0) : found;
  };
  const timeSteps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
  const axisTicks = (low, high, wanted) => {
    const found = ticks(low, high, wanted, state.axis === "time" && high - low > 6 ? timeSteps : null);
    const words = { images: (v) => (v && high >= 2000 ? `${number(v / 1000)}k` : number(v)), epochs: number, time };
    return found.map((value) => [value, words[state.axis](value)]);
  };

  class Chart {
    constructor(figure, { curves, bounds, mark, steady }) {
      this.figure = figure;
      this.plot = figure.querySelector(".plot");
      this.small = figure.classList.contains("small");
      Object.assign(this, { bounds, mark, steady });
      // A point without a value is no point of the line, unless what was there was not finite.
      this.curves = curves.map(({ tone, ...curve }) => ({ ...curve, tone: `c${tone}`, shown: true }));
      this.pick();
      this.plot.tabIndex = 0;
      this.plot.innerHTML = "<svg aria-hidden='true'></svg>";
      this.svg = this.plot.firstChild;
      this.legend();
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.plot);
    }

    /* The points of each curve on the axis that is shown. */
    pick() {
      for (const curve of this.curves) {
        const { y, gaps = [], best = null, errors = null } = curve.on?.[state.axis] ?? curve;
        Object.assign(curve, { y, gaps: new Set(gaps), best, errors });
      }
    }

    legend() {
      const legend = this.figure.querySelector(".legend");
      legend.replaceChildren(...this.curves.map((curve) => {
        curve.output = make("output");
        const alone = this.curves.length === 1;
        const item = make(alone ? "span" : "button", { class: curve.tone }, make("i"), alone && this.steady ? "" : curve.name, curve.output);
        if (alone) return item;
        item.type = "button";
        item.title = "Click to hide or show, Shift-click to see it alone";
        item.setAttribute("aria-pressed", "true");
        curve.item = item;
        item.addEventListener("click", (event) => {
          const others = this.curves.filter((other) => other !== curve);
          if (event.shiftKey) {
            const solo = curve.shown && others.every((other) => !other.shown);
            others.forEach((other) => { other.shown = solo; });
            curve.shown = true;
          } else curve.shown = !curve.shown;
          this.curves.forEach((each) => each.item.setAttribute("aria-pressed", each.shown));
          this.draw();
        });
        return item;
      }));
    }

    /* The index of the point nearest to a place on the screen. */
    nearest(clientX) {
      const xs = data.axes[state.axis];
      const x = this.value(clientX - this.svg.getBoundingClientRect().left);
      let [low, high] = [0, end()];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (xs[middle] < x) low = middle + 1; else high = middle;
      }
      const index = low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low;
      return clamp(index, ...(state.zoom ?? [0, end()]));
    }

    listen() {
      let from = null;
      this.plot.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        from = event.clientX;
        this.plot.setPointerCapture(event.pointerId);
      });
      this.plot.addEventListener("pointermove", (event) => {
        state.at = this.nearest(event.clientX);
        this.picked = from !== null && Math.abs(event.clientX - from) > 5 ? [from, event.clientX] : null;
        every("point");
      });
      this.plot.addEventListener("pointerup", (event) => {
        const range = this.picked?.map((x) => this.nearest(x)).sort((a, b) => a - b);
        from = this.picked = null;
        if (range && range[1] > range[0]) zoom(range);
        else if (event.pointerType !== "mouse") every("point");
      });
      this.plot.addEventListener("pointercancel", () => { from = this.picked = null; every("point"); });
      this.plot.addEventListener("pointerleave", () => { if (from === null) { state.at = null; every("point"); } });
      this.plot.addEventListener("dblclick", () => zoom(null));
      this.plot.addEventListener("blur", () => { state.at = null; every("point"); });
      this.plot.addEventListener("keydown", (event) => {
        const [low, high] = state.zoom ?? [0, end()];
        const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
        if (by) state.at = clamp((state.at ?? high) + by, low, high);
        else if (event.key === "Escape") zoom(null);
        else return;
        event.preventDefault();
        every("point");
      });
    }

    draw() {
      const [W, H] = [this.plot.clientWidth, this.small ? 150 : 270];
      if (!W) return;
      const xs = data.axes[state.axis];
      const last = end();
      const [i0, i1] = state.zoom ?? [0, last];
      const usable = (y) => y !== null && (!state.log || y > 0);
      const drawn = this.curves.filter((curve) => curve.shown);
      let [low, high] = [Infinity, -Infinity];
      for (const curve of this.curves) {
        const weight = Number(state.smooth);
        curve.line = weight && !this.steady ? smoothed(curve.y, weight) : curve.y;
        if (curve.shown) for (let i = i0; i <= i1; i++) {
          if (!usable(curve.y[i])) continue;
          const error = curve.errors?.[i] ?? 0;
          if (!state.log || curve.y[i] > error) low = Math.min(low, curve.y[i] - error);
          low = Math.min(low, curve.y[i]);
          high = Math.max(high, curve.y[i] + error);
        }
      }
      const empty = low > high;
      if (empty) [low, high] = state.log ? [0.1, 1] : [0, 1];
      if (state.log) [low, high] = [low / 1.1, high * 1.1];
      else {
        const pad = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
        [low, high] = [low >= 0 && low < high * 0.4 ? 0 : low - pad, high + pad];
      }
      if (this.bounds && !state.log) [low, high] = this.bounds;
      const quarters = this.bounds && [0, 1, 2, 3, 4].map((n) => low + ((high - low) * n) / 4);
      const yTicks = !state.log && quarters ? quarters : state.log ? decades(low, high) : ticks(low, high, this.small ? 3 : 5);
      const left = 14 + Math.max(2, ...yTicks.map((y) => number(y).length)) * 7;
      const [right, top, bottom] = [10, 8, 24];
      const [w, h] = [W - left - right, H - top - bottom];
      const [x0, x1] = xs[i1] > xs[i0] ? [xs[i0], xs[i1]] : [0, 2 * xs[i0] || 1];
      const scale = state.log ? Math.log : (y) => y;
      this.x = (x) => left + ((x - x0) / (x1 - x0)) * w;
      this.value = (px) => x0 + ((px - left) / w) * (x1 - x0);
      this.y = (y) => top + (1 - (scale(y) - scale(low)) / (scale(high) - scale(low))) * h;
      this.box = { left, right: W - right, top, bottom: H - bottom };

      const path = (ys, gaps) => {
        const absent = (i) => ys[i] === null && !gaps.has(i);
        let [d, pen] = ["", false];
        let [from, to] = [Math.max(0, i0 - 1), Math.min(last, i1 + 1)];
        while (from > 0 && absent(from)) from--;
        while (to < last && absent(to)) to++;
        for (let i = from; i <= to; i++) {
          if (absent(i)) continue;
          if (usable(ys[i])) d += `${pen ? "L" : "M"}${this.x(xs[i]).toFixed(1)} ${this.y(ys[i]).toFixed(1)}`;
          pen = usable(ys[i]);
        }
        return d;
      };
      let svg = "";
      for (const y of yTicks) {
        const at = this.y(y).toFixed(1);
        svg += `<line class="rule" x1="${left}" x2="${W - right}" y1="${at}" y2="${at}"/><text x="${left - 7}" y="${at}" dy=".35em" text-anchor="end">${number(y)}</text>`;
      }
      for (const [x, words] of axisTicks(x0, x1, clamp(w / (this.small ? 60 : 90), 2, 7))) {
        const at = this.x(x);
        const anchor = at > W - right - 20 ? "end" : at < left + 14 ? "start" : "middle";
        svg += `<text x="${at.toFixed(1)}" y="${H - 6}" text-anchor="${anchor}">${words}</text>`;
      }
      if (this.mark) {
        const [value, meaning] = this.mark;
        const at = this.y(value);
        if (at > top && at < H - bottom) svg += `<line class="mark" x1="${left}" x2="${W - right}" y1="${at}" y2="${at}"/><text class="meaning" x="${W - right}" y="${at - 5}" text-anchor="end">${meaning}</text>`;
      }
      // The inner svg clips what lies outside the zoom.
      svg += `<svg x="${left - 4}" y="0" width="${w + 8}" height="${H}" viewBox="${left - 4} 0 ${w + 8} ${H}">`;
      let rings = "";
      for (const { y, line, tone, gaps, errors, best } of drawn) {
        if (line !== y) svg += `<path class="line raw ${tone}" d="${path(y, gaps)}"/>`;
        svg += `<path class="line ${tone}" d="${path(line, gaps)}"/>`;
        const inside = (value, i) => usable(value) && i >= i0 && i <= i1;
        if (line.filter(inside).length <= 40) line.forEach((value, i) => {
          if (!inside(value, i)) return;
          const at = this.x(xs[i]).toFixed(1);
          const [over, under] = [1, -1].map((sign) => value + sign * (errors?.[i] ?? 0));
          if (over > under) svg += `<line class="error ${tone}" x1="${at}" x2="${at}" y1="${this.y(over).toFixed(1)}" y2="${usable(under) ? this.y(under).toFixed(1) : H - bottom}"/>`;
          svg += `<circle class="dot ${tone}" r="2.4" cx="${at}" cy="${this.y(value).toFixed(1)}"/>`;
        });
        if (best !== null && inside(y[best], best)) rings += `<circle class="best ${tone}" r="6" cx="${this.x(xs[best]).toFixed(1)}" cy="${this.y(y[best]).toFixed(1)}"><title>best: ${number(y[best])}</title></circle>`;
      }
      // A ring at the edge is not cut in half.
      svg += `</svg>${rings}`;
      if (empty) svg += `<text x="${left + w / 2}" y="${top + h / 2}" text-anchor="middle">${drawn.length ? "nothing above 0 to draw" : "all curves are hidden"}</text>`;
      this.svg.setAttribute("height", H);
      this.svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
      this.svg.innerHTML = `${svg}<g></g>`;
      this.usable = usable;
      this.point();
    }

    /* The cross hair, the range being picked, and the values in the legend. */
    point() {
      if (!this.box) return;
      const { left, right, top, bottom } = this.box;
      const at = state.at ?? state.zoom?.[1] ?? end();
      let svg = "";
      if (this.picked) {
        const origin = this.svg.getBoundingClientRect().left;
        const [a, b] = this.picked.map((x) => clamp(x - origin, left, right)).sort((p, q) => p - q);
        svg += `<rect class="pick" x="${a}" y="${top}" width="${b - a}" height="${bottom - top}"/>`;
      }
      const x = this.x(data.axes[state.axis][at]);
      if (state.at !== null) {
        svg += `<line class="hair" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>`;
        const onLeft = x > (left + right) / 2;
        svg += `<text class="at-x" x="${x + (onLeft ? -7 : 7)}" y="${top + 10}" text-anchor="${onLeft ? "end" : "start"}">${say[state.axis](data.axes[state.axis][at])}</text>`;
      }
      for (const { line, tone, shown, output, gaps } of this.curves) {
        // Where nothing was logged, the value before still holds.
        let known = at;
        while (known > 0 && line[known] === null && !gaps.has(known)) known--;
        output.textContent = line[known] === null ? "–" : number(line[known]);
        if (state.at !== null && shown && this.usable(line[at])) svg += `<circle class="dot at ${tone}" r="4" cx="${x}" cy="${this.y(line[at])}"/>`;
      }
      this.svg.lastChild.innerHTML = svg;
    }
  }

  const zoom = (range) => {
    state.zoom = range;
    state.at = null;
    unzoom.hidden = !range;
    every("draw");
  };
  const readSmoothing = () => {
    state.smooth = Number(smooth.value);
    byId("smooth-value").textContent = state.smooth ? state.smooth.toFixed(2) : "off";
    every("draw");
  };
  document.querySelectorAll(".chart").forEach((figure) => {
    charts.push(new Chart(figure, data.panels.find(({ title }) => title === figure.dataset.panel)));
  });
  group(byId("axis"), "axis", axes.map((axis) => [axis, axis === "images" ? "pictures" : axis]), state.axis, (axis) => {
    const points = end();
    state.axis = axis;
    every("pick");
    // Indices of other points mean nothing here.
    if (charts.some(({ curves }) => curves.some(({ on }) => on)) || end() !== points) zoom(null);
    else every("draw");
  });
  smooth.addEventListener("input", readSmoothing);
  byId("log-y").addEventListener("change", (event) => { state.log = event.target.checked; every("draw"); });
  unzoom.addEventListener("click", () => zoom(null));
  readSmoothing();
}
