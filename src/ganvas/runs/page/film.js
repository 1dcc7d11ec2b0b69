/* Film */
const frame = byId("frame");
const slider = byId("slider");
let step = () => {};
if (frame) {
  const frames = data.film;
  const [play, clock, captions] = [byId("play"), byId("clock"), byId("film-captions")];
  const titles = [...document.querySelectorAll(".directions th")].map((th) => th.firstChild.textContent.trim());
  let timer = null;
  let part = 1;
  const fit = () => {
    const { naturalWidth, naturalHeight } = frame;
    if (!naturalHeight) return;
    const box = byId("film-box");
    const room = box.clientWidth - 2 * parseFloat(getComputedStyle(box).paddingLeft);
    // The picture and the slider below it fit into the window together.
    let scale = Math.min(room / (naturalWidth * part), (0.76 * innerHeight) / naturalHeight) * devicePixelRatio;
    // Pixels stay squares at whole multiples, where that does not cost too much of the size.
    if (scale >= 1 && (scale < 1.6 || scale >= 2)) scale = Math.floor(scale);
    box.style.setProperty("--fit", `${(naturalWidth * part * scale) / devicePixelRatio}px`);
    frame.classList.toggle("pixels", scale > 1 && Number.isInteger(scale));
  };
  const show = (index) => {
    const { images, src } = frames[index];
    frame.src = src;
    const epoch = data.epochsPerImage && images !== null ? ` · epoch ${(images * data.epochsPerImage).toFixed(2)}` : "";
    const words = images === null ? `preview ${index + 1} of ${frames.length}` : kimg(images) + epoch;
    frame.alt = `Preview grid at ${words}`;
    if (!slider) return;
    slider.value = index;
    slider.setAttribute("aria-valuetext", words);
    clock.textContent = words;
  };
  const stop = () => {
    clearTimeout(timer);
    timer = null;
    play.textContent = "▶ Play";
    play.setAttribute("aria-label", "Play the film");
  };
  const tick = () => {
    const next = (Number(slider.value) + 1) % frames.length;
    show(next);
    const pace = clamp(9000 / frames.length, 120, 600);
    timer = setTimeout(tick, next === frames.length - 1 ? pace + 1200 : pace);
  };
  step = (by) => {
    if (!slider) return;
    stop();
    show(clamp(Number(slider.value) + by, 0, frames.length - 1));
  };
  const crop = (start, span) => {
    const all = data.columns.length || 1;
    frame.style.width = `${(all / span) * 100}%`;
    frame.style.maxWidth = "none";
    frame.style.transform = `translateX(${(-start / all) * 100}%)`;
    captions.style.gridTemplateColumns = `repeat(${span}, 1fr)`;
    captions.replaceChildren(
      ...titles.slice(start, start + span).map((title) => make("span", {}, title)),
    );
    part = span / all;
    fit();
  };
  frame.addEventListener("load", fit);
  addEventListener("resize", fit);
  if (slider) {
    play.addEventListener("click", () => {
      if (timer) return stop();
      play.textContent = "❚❚ Pause";
      play.setAttribute("aria-label", "Pause the film");
      tick();
    });
    slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  }
  const parts = data.parts.map(({ title }, i) => [
    title, data.starts[i], (data.starts[i + 1] ?? data.columns.length) - data.starts[i],
  ]);
  if (parts.length > 1) {
    const whole = [0, data.columns.length];
    // On a phone the whole grid would be too small to see.
    const first = innerWidth < 700 ? "0" : "whole";
    const options = [["whole", "Whole grid"], ...parts.map(([title], i) => [String(i), title])];
    const pick = (value) => crop(...(value === "whole" ? whole : parts[Number(value)].slice(1)));
    group(byId("film-parts"), "film-part", options, first, pick);
    pick(first);
  } else if (data.columns.length) crop(0, data.columns.length);
  show(frames.length - 1);
  addEventListener("keydown", (event) => {
    const busy = event.target.closest?.("input, select, textarea, [tabindex], dialog") || byId("closer").open;
    if (busy || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else return;
    event.preventDefault();
  });
}
