/* A close look: a row of pictures, or one of a square, a generated one with its past */
const closer = byId("closer");
let looked = null;
const large = (picture, ...caption) => {
  if (picture.naturalWidth <= 128) picture.className = "pixels";
  return make("figure", {}, picture, make("figcaption", { class: "note" }, ...caption));
};
const rowUp = (row) => {
  const headings = [...row.closest("table").tHead.rows[0].cells];
  const figures = [...row.cells].map((cell, i) => {
    const caption = [...headings[i].childNodes].map((node) => (node.nodeType === 3 ? node.textContent.trim() : ` ${node.textContent && `(${node.textContent})`}`));
    return large(cell.querySelector("img").cloneNode(), ...caption);
  });
  return [`${row.closest("figure").querySelector("h3").textContent}, ${row.dataset.name ?? `input ${row.sectionRowIndex + 1}`}`, "", figures];
};
const cellUp = (cell, at) => {
  const picture = cell.querySelector("img");
  const { film, grid: [across, rows] } = data;
  const whole = picture.cloneNode();
  whole.removeAttribute("width");
  whole.removeAttribute("height");
  if (cell.closest("figure").dataset.sheet === "real" || film.length < 2) return [picture.alt, "alone", [large(whole, "")]];
  const count = Math.min(12, film.length);
  const moments = Array.from({ length: count }, (_, i) => film[Math.round((i * (film.length - 1)) / (count - 1))]);
  const figures = moments.slice(0, -1).map(({ images, src }) => {
    const frame = make("img", { src, alt: "" });
    if (picture.naturalWidth <= 128) frame.className = "pixels";
    const past = make("div", { class: "window" }, frame);
    past.style.aspectRatio = `${picture.naturalWidth} / ${picture.naturalHeight}`;
    past.style.setProperty("--across", across);
    past.style.setProperty("--x", `${(-(at % across) / across) * 100}%`);
    past.style.setProperty("--y", `${(-Math.floor(at / across) / rows) * 100}%`);
    return make("figure", {}, past, make("figcaption", { class: "note" }, images === null ? "" : kimg(images)));
  });
  const { images } = moments.at(-1);
  return [picture.alt, "history", [...figures, large(whole, images === null ? "" : kimg(images))]];
};
const look = (items, at) => {
  if (!items[at]) return;
  looked = [items, at];
  const [title, kind, figures] = items[at].cells ? rowUp(items[at]) : cellUp(items[at], at);
  closer.querySelector("h3").textContent = title;
  const row = closer.querySelector(".row");
  row.className = `row ${kind}`;
  row.replaceChildren(...figures);
  closer.querySelectorAll("[data-step]").forEach((button) => { button.disabled = !items[at + Number(button.dataset.step)]; });
  if (!closer.open) closer.showModal();
};
document.querySelectorAll(".directions tbody, .sheet").forEach((parent) => {
  const items = [...parent.children];
  items.forEach((item, at) => item.addEventListener("click", () => look(items, at)));
});
closer.addEventListener("click", (event) => {
  const by = event.target.dataset?.step;
  if (by) look(looked[0], looked[1] + Number(by));
  else if (event.target === closer || "close" in event.target.dataset) closer.close();
});
closer.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) look(looked[0], looked[1] + by);
});
