"use strict";

const CROSS_MS = 500;
const BLANK_MS = 300;
// A picture goes at the screen's frame that is nearest to its time, of 60 a second.
const HALF_FRAME_MS = 8;
const LEGIBLE = 320;
const KEPT = "ganvas-study-session";

const $ = (id) => document.getElementById(id);
const sections = document.querySelectorAll("main > section");
let study = null;
let session = null;
let trial = null;
let shownMs = [];
let askedAt = 0;
let retry = null;

function show(id) {
  for (const section of sections) section.hidden = section.id !== id;
}

function say(text) {
  $("said").textContent = text;
}

async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

// Whatever fails is told, and can be tried again.
async function attempt(step) {
  try {
    await step();
  } catch (error) {
    const gone = error.status === 404;
    retry = gone ? anew : () => attempt(error.status === 409 ? nextTrial : step);
    $("why").textContent = error.status
      ? `The study says: ${error.message}.`
      : "The study cannot be reached. Is the computer that runs it still on?";
    $("again").textContent = gone ? "Begin anew" : "Try again";
    show("problem");
    $("again").focus();
  }
}

function anew() {
  sessionStorage.removeItem(KEPT);
  location.reload();
}

async function start() {
  study = await ask("/api/study");
  const side = Math.max(study.width, study.height);
  const factor = Math.max(1, Math.round(LEGIBLE / side));
  $("stage").style.setProperty("--width", `${study.width * factor}px`);
  $("stage").style.setProperty("--ratio", study.width / study.height);
  $("stage").classList.toggle("nearest", study.enlarge === "nearest");
  const seconds = study.seconds === 1 ? "1 second" : `${study.seconds} seconds`;
  document.querySelector(".seconds").textContent = seconds;
  $("order").textContent = study.practice
    ? `The first ${study.practice} pairs are for practice: you are told whether you were right. ` +
      `The ${study.test} after them count, and you are not told.`
    : `There are ${study.test} pairs. You are not told whether you were right.`;
  session = sessionStorage.getItem(KEPT);
  const place = session && (await begunBefore());
  if (place && place.at === place.total) return nextTrial();
  if (place) {
    return pause("Welcome back", `${place.at} of ${place.total} pairs are done.`, "Go on");
  }
  show("welcome");
  $("name").focus();
}

// Where this browser's session is; nothing where the study has been started anew since.
async function begunBefore() {
  try {
    return await ask("/api/where", { session });
  } catch (error) {
    if (error.status !== 404) throw error;
    sessionStorage.removeItem(KEPT);
    return null;
  }
}

async function begin() {
  const begun = await ask("/api/begin", { name: $("name").value });
  session = begun.session;
  sessionStorage.setItem(KEPT, session);
  await nextTrial();
}

function pause(title, text, button) {
  $("pause-title").textContent = title;
  $("pause-text").textContent = text;
  $("go-on").textContent = button;
  show("pause");
  $("go-on").focus();
  say(`${title} ${text}`);
}

async function nextTrial() {
  const before = trial;
  trial = await ask("/api/trial", { session });
  if (trial.done) return thank();
  if (before && before.practice && !trial.practice) {
    return pause(
      "The practice is over",
      `Now ${study.test} pairs that count. You are not told whether you are right.`,
      "Go on",
    );
  }
  await present();
}

async function load(image, address) {
  image.src = address;
  await image.decode();
}

const frame = () => new Promise(requestAnimationFrame);

// In frames, so that what is measured is what was on the screen.
async function showFor(what, milliseconds) {
  const from = await frame();
  $("stage").dataset.shows = what;
  let now = from;
  while (now - from < milliseconds - HALF_FRAME_MS) now = await frame();
  $("stage").dataset.shows = "";
  return now - from;
}

async function present() {
  $("stage").dataset.shows = "";
  $("bar").max = trial.total;
  $("bar").value = trial.at;
  const name = trial.practice ? "Practice" : "Pair";
  const [number, count] = trial.practice
    ? [trial.at + 1, study.practice]
    : [trial.at + 1 - study.practice, study.test];
  $("count").textContent = `${name} ${number} of ${count}`;
  show("trial");
  await Promise.all([load($("first"), trial.first), load($("second"), trial.second)]);
  await showFor("cross", CROSS_MS);
  await showFor("", BLANK_MS);
  say("First picture");
  shownMs = [await showFor("first", 1000 * study.seconds)];
  await showFor("", BLANK_MS);
  say("Second picture");
  shownMs.push(await showFor("second", 1000 * study.seconds));
  await showFor("", BLANK_MS);
  askedAt = await frame();
  $("stage").dataset.shows = "ask";
  // Not a button: a stray Enter would answer.
  $("ask").focus();
  say("Which picture was real? Press 1 or 2.");
}

async function answer(said) {
  if ($("trial").hidden || $("stage").dataset.shows !== "ask") return;
  const reaction = performance.now() - askedAt;
  $("stage").dataset.shows = "";
  const told = { session, trial: trial.at, answer: said };
  await attempt(async () => {
    const reply = await ask("/api/answer", { ...told, reaction_ms: reaction, shown_ms: shownMs });
    if (!trial.practice) return nextTrial();
    const text = reply.right ? "Right" : `Wrong: the ${reply.real} picture was real`;
    $("verdict").textContent = `${reply.right ? "✓" : "✗"} ${text}`;
    show("trial");
    $("stage").dataset.shows = "feedback";
    $("next").focus();
    say(`${text}.`);
  });
}

// The button goes at once: a second click would show two trials together.
function proceed(step) {
  $("stage").dataset.shows = "";
  show("trial");
  attempt(step);
}

function thank() {
  const share = Math.round((100 * trial.fooled) / trial.of);
  const text = `You took ${trial.fooled} of ${trial.of} generated pictures for real ones (${share} %).`;
  $("result").textContent = text;
  $("range").textContent =
    `Who only guesses takes half of them. With ${trial.of} pairs such a share is known from about ` +
    `${trial.low} to ${trial.high} %.`;
  show("thanks");
  $("another").focus();
  say(`Thank you! ${text}`);
}

$("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  attempt(begin).finally(() => (button.disabled = false));
});
$("go-on").addEventListener("click", () => proceed(trial ? present : nextTrial));
$("next").addEventListener("click", () => proceed(nextTrial));
$("say-first").addEventListener("click", () => answer("first"));
$("say-second").addEventListener("click", () => answer("second"));
$("again").addEventListener("click", () => retry());
$("another").addEventListener("click", anew);

const KEYS = { 1: "first", ArrowLeft: "first", 2: "second", ArrowRight: "second" };
document.addEventListener("keydown", (event) => {
  const plain = !(event.repeat || event.ctrlKey || event.altKey || event.metaKey);
  if (plain && KEYS[event.key]) answer(KEYS[event.key]);
});

attempt(start);
