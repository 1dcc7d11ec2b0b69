const data = JSON.parse(document.getElementById("run-data").textContent);
const byId = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/* Words */
const number = (value) => {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1e6 || size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e").replace("+", "");
  return String(Number(value.toPrecision(size >= 1000 ? 5 : 3)));
};
const time = (seconds) => {
  const s = Math.round(seconds);
  if (s < 60) return `${number(seconds)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  return `${Math.floor(s / 3600)} h${s % 3600 ? ` ${Math.floor((s % 3600) / 60)} min` : ""}`;
};
const kimg = (images) => `${(images / 1000).toLocaleString("en", { maximumFractionDigits: 3 })} kimg`;
const say = {
  images: (value) => (value >= 1000 ? kimg(value) : `${value} pictures`),
  epochs: (value) => `epoch ${value.toFixed(value < 100 ? 2 : 1)}`,
  time,
};
const group = (fieldset, name, options, picked, change) => {
  options.forEach(([value, text]) => {
    const input = make("input", { type: "radio", name, value });
    input.checked = value === picked;
    input.addEventListener("change", () => change(value));
    fieldset.append(make("label", {}, input, text));
  });
};
