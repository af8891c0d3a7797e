// The page of `tfgans explore`: reads the controls, asks for the picture, shows it. The newest wish wins.
"use strict";

const at = (id) => document.getElementById(id);
const KEPT = 60; // pictures that need not be asked for again
const kept = new Map();
let about, first = 0, wish = null, asking = false, quiet, told;

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()).trim() || `error ${answer.status}`);
  return answer;
}

function say(text, wrong = false) {
  const box = at("message");
  box.textContent = text;
  box.className = wrong ? "wrong" : "";
  box.hidden = false;
  clearTimeout(told);
  told = setTimeout(() => { box.hidden = true; }, wrong ? 8000 : 2500);
}

// What the controls say, as the names and texts that the server reads; what is as usual is left out.
function settings() {
  const found = { seed: at("seed").value.trim() || "0" };
  const truncation = Number(at("truncation").value);
  if (truncation < Number(at("truncation").max)) found.truncation = String(truncation);
  if (about.classes && at("label").value !== "") found.label = at("label").value;
  if (about.slots && at("mix_on").checked) {
    found.mix = at("mix").value.trim() || "0";
    found.slots = `${at("slots_from").value}:${at("slots_to").value}`;
  }
  const strengths = sliders().map((slider) => slider.value);
  if (strengths.some((value) => Number(value) !== 0)) {
    found.method = method();
    found.strengths = strengths.join(",");
  }
  return found;
}

const query = (found) => new URLSearchParams(found).toString();
const sliders = () => [...at("directions").querySelectorAll("input")];
const method = () => at("methods").querySelector("[aria-checked=true]")?.dataset.method;

async function picture(path) {
  if (!kept.has(path)) {
    const data = await (await ask(path)).blob();
    kept.set(path, URL.createObjectURL(data));
    if (kept.size > KEPT) {
      const [oldest, address] = kept.entries().next().value;
      kept.delete(oldest);
      URL.revokeObjectURL(address);
    }
  }
  return kept.get(path);
}

// Shows what the controls say; while a picture is on its way only the last of the wishes is kept.
async function show() {
  label();
  wish = settings();
  if (asking) return;
  asking = true;
  const late = setTimeout(() => { at("busy").hidden = false; }, 250);
  while (wish) {
    const asked = wish;
    wish = null;
    try {
      const began = performance.now();
      const address = await picture(`picture?${query(asked)}`);
      at("picture").src = address;
      at("picture").alt = `generated picture of seed ${asked.seed}`;
      at("caption").textContent = described(asked, performance.now() - began);
      at("message").hidden = at("message").hidden || at("message").className === "wrong";
    } catch (error) {
      if (!wish) say(error.message, true);
    }
  }
  asking = false;
  clearTimeout(late);
  at("busy").hidden = true;
  clearTimeout(quiet);
  quiet = setTimeout(rest, 200);
}

function described(asked, milliseconds) {
  const parts = [`seed ${asked.seed}`];
  if (asked.label !== undefined) parts.push(about.classes[asked.label]);
  if (asked.truncation) parts.push(`truncation ${asked.truncation}`);
  if (asked.mix !== undefined) parts.push(`mixed with ${asked.mix}`);
  if (asked.strengths) parts.push("moved");
  return `${parts.join(", ")} (${Math.max(1, Math.round(milliseconds))} ms)`;
}

// Once nothing moves: the neighbours, the second picture, the address.
async function rest() {
  const asked = settings();
  const address = `#${query(asked)}`;
  if (location.hash !== address) history.pushState(null, "", address);
  const seed = Number(asked.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) return;
  first = seed - (seed % about.sheet);
  try {
    const sheet = await picture(`sheet?${query({ ...asked, seed: first })}`);
    [...at("sheet").children].forEach((thumb, i) => {
      thumb.style.backgroundImage = `url(${sheet})`;
      thumb.setAttribute("aria-current", first + i === seed);
      thumb.title = `seed ${first + i}`;
      thumb.setAttribute("aria-label", `seed ${first + i}`);
    });
    at("sheet").className = seed - first >= about.sheet / 2 ? "second" : "";
    if (asked.mix !== undefined) {
      const { truncation } = asked;
      at("other").src = await picture(`picture?${query({ seed: asked.mix, ...(truncation ? { truncation } : {}) })}`);
      at("other").hidden = false;
    }
  } catch (error) {
    say(error.message, true);
  }
}

function label() {
  const slider = at("truncation");
  const off = Number(slider.value) >= Number(slider.max);
  at("truncation_value").value = off ? "off" : Number(slider.value).toFixed(2);
  at("slots_value").value = `${at("slots_from").value} to ${at("slots_to").value}`;
  at("mix_fields").hidden = !at("mix_on").checked;
  for (const each of sliders()) each.parentNode.querySelector("output").value = Number(each.value).toFixed(1);
}

function setSeed(value) {
  at("seed").value = String(Math.max(0, value));
  show();
}

const seedNow = () => Number(at("seed").value) || 0;
const drawn = () => Math.floor(Math.random() * 1e6);

function straighten() {
  for (const slider of sliders()) slider.value = 0;
  show();
}

async function save() {
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(settings()) };
    const { name } = await (await ask("save", options)).json();
    say(`saved explored/${name}, with its latent in an .npz`);
    await gallery();
  } catch (error) {
    say(error.message, true);
  }
}

async function gallery() {
  const saved = await (await ask("saved")).json();
  at("kept").hidden = !saved.length;
  at("saved").replaceChildren(...saved.map(({ name, settings: text }) => {
    const button = document.createElement("button");
    const image = document.createElement("img");
    image.src = `saved/${name}`;
    image.alt = name;
    image.loading = "lazy";
    button.type = "button";
    button.title = name;
    button.append(image);
    button.addEventListener("click", () => take(text));
    return button;
  }));
}

// Puts the controls where a text of settings says.
function take(text) {
  const found = new URLSearchParams(text);
  at("seed").value = found.get("seed") ?? "0";
  at("truncation").value = found.get("truncation") ?? at("truncation").max;
  if (about.classes) at("label").value = found.get("label") ?? "";
  at("mix_on").checked = found.has("mix");
  if (found.has("mix")) at("mix").value = found.get("mix");
  if (/^\d+:\d+$/.test(found.get("slots") ?? "")) {
    [at("slots_from").value, at("slots_to").value] = found.get("slots").split(":");
  }
  if (found.get("method") in about.directions) choose(found.get("method"));
  const strengths = (found.get("strengths") ?? "").split(",");
  sliders().forEach((slider, i) => { slider.value = Number(strengths[i]) || 0; });
  show();
}

function choose(name) {
  for (const button of at("methods").children) {
    const chosen = button.dataset.method === name;
    button.setAttribute("aria-checked", chosen);
    button.tabIndex = chosen ? 0 : -1;
  }
  at("directions").replaceChildren(...Array.from({ length: about.directions[name] }, (_, i) => {
    const row = document.createElement("label");
    row.className = "slider";
    const number = document.createElement("span");
    number.textContent = String(i + 1);
    const slider = Object.assign(document.createElement("input"), { type: "range", min: -4, max: 4, step: 0.1, value: 0 });
    slider.setAttribute("aria-label", `direction ${i + 1}`);
    slider.addEventListener("dblclick", () => { slider.value = 0; show(); });
    row.append(number, slider, document.createElement("output"));
    return row;
  }));
  label();
}

function build() {
  document.title = `${about.name}: tfgans explore`;
  at("name").textContent = about.name;
  at("facts").textContent = `step ${about.step.toLocaleString("en")}, ${about.width}×${about.height}`;
  document.body.classList.toggle("pixels", Math.max(about.width, about.height) <= 128);
  document.body.style.setProperty("--shape", about.width / about.height);
  at("picture").style.maxHeight = `${16 * about.height}px`;
  const truncation = at("truncation");
  Object.assign(truncation, about.slots ? { min: 0, max: 1 } : { min: 0.05, max: 3 });
  truncation.value = truncation.max;
  at("truncation_hint").textContent = about.slots ? "1: all variety; 0: the mean picture." : "Bound of the latent's numbers: lower is plainer.";
  if (about.classes) {
    at("classes").hidden = false;
    const names = [["", "as drawn"], ...about.classes.map((name, i) => [String(i), name])];
    at("label").replaceChildren(...names.map(([value, text]) => new Option(text, value)));
  }
  if (about.slots) {
    at("mixing").hidden = false;
    for (const id of ["slots_from", "slots_to"]) at(id).max = about.slots;
    at("slots_from").value = Math.min(4, Math.floor(about.slots / 2));
    at("slots_to").value = about.slots;
  }
  const methods = Object.keys(about.directions);
  if (methods.length) {
    at("moving").hidden = false;
    at("methods").hidden = methods.length < 2;
    at("methods").replaceChildren(...methods.map((name) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name.toUpperCase() });
      button.dataset.method = name;
      button.setAttribute("role", "radio");
      button.addEventListener("click", () => { choose(name); show(); });
      return button;
    }));
    choose(methods[0]);
  }
  at("sheet").replaceChildren(...Array.from({ length: about.sheet }, (_, i) => {
    const thumb = Object.assign(document.createElement("button"), { type: "button", className: "thumb" });
    thumb.style.backgroundPosition = `${(100 * i) / (about.sheet - 1)}% 0`;
    thumb.addEventListener("click", () => setSeed(first + i));
    return thumb;
  }));
}

function listen() {
  at("controls").addEventListener("input", (event) => {
    if (event.target.id === "slots_from") at("slots_to").value = Math.max(at("slots_to").value, event.target.value);
    if (event.target.id === "slots_to") at("slots_from").value = Math.min(at("slots_from").value, event.target.value);
    show();
  });
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("previous").addEventListener("click", () => setSeed(seedNow() - 1));
  at("next").addEventListener("click", () => setSeed(seedNow() + 1));
  at("random").addEventListener("click", () => setSeed(drawn()));
  at("mix_random").addEventListener("click", () => { at("mix").value = drawn(); show(); });
  at("straight").addEventListener("click", straighten);
  at("save").addEventListener("click", save);
  at("help_button").addEventListener("click", () => at("help").showModal());
  addEventListener("popstate", () => take(location.hash.slice(1)));
  const keys = {
    ArrowLeft: () => setSeed(seedNow() - 1), ArrowRight: () => setSeed(seedNow() + 1), r: () => setSeed(drawn()), s: save,
    0: straighten, m: () => { if (about.slots) at("mix_on").click(); }, "?": () => at("help").showModal(),
  };
  addEventListener("keydown", (event) => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || at("help").open;
    const typing = event.target.matches("input[inputmode], select") ||
      (event.key.startsWith("Arrow") && event.target.matches("input[type=range], [role=radio]"));
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || busy || typing) return;
    event.preventDefault();
    action();
  });
}

async function start() {
  if (location.search) history.replaceState(null, "", location.pathname + location.hash); // the token need not be seen
  try {
    about = await (await ask("about")).json();
    build();
    listen();
    take(location.hash.slice(1));
    await gallery();
  } catch (error) {
    say(error.message, true);
  }
}

start();
