"use strict";
// The page of a human test. Everything it needs is in the page; it asks for nothing and sends nothing.
(() => {
  const PAUSE = 400; // ms of empty ground between pictures, so that no two are compared in place
  const at = (id) => document.getElementById(id);
  const bytes = Uint8Array.from(atob(at("key").textContent), (c) => c.charCodeAt(0));
  const key = JSON.parse(new TextDecoder().decode(bytes));
  const pictures = at("pictures").textContent;
  const { test } = key;
  const kinds = new Map([...test.items.map((item) => [item.id, item.kind]), ...key.practice]);

  const [orderSeed, ...drawn] = crypto.getRandomValues(new Uint32Array(5));
  const session = drawn.map((x) => x.toString(16).padStart(8, "0")).join("");
  const started = new Date().toISOString();
  const answers = [];
  let queue = [];
  let asked = null; // {id, since}; since is null until the picture is seen
  let practising = false;
  let hiding = 0;
  let running = false;

  // mulberry32, a small generator that everybody can rerun
  const randomFrom = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  const shuffled = (list, seed) => {
    const result = [...list];
    const random = randomFrom(seed);
    for (let i = result.length - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  };

  const show = (id) => {
    for (const section of document.querySelectorAll("section")) section.hidden = section.id !== id;
    window.scrollTo(0, 0);
    at(id).querySelector("h1[tabindex]")?.focus({ preventScroll: true });
  };

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

  const ask = async () => {
    const total = practising ? key.practice.length : test.items.length;
    const number = total - queue.length + 1;
    const id = queue.shift();
    asked = { id, since: null };
    at("feedback").hidden = true;
    at("choices").hidden = false;
    at("choices").classList.add("waiting");
    at("stage").textContent = `${practising ? "Practice" : "Picture"} ${number} of ${total}`;
    at("bar").max = total;
    at("bar").value = number - 1;
    const picture = at("picture");
    picture.classList.add("off");
    picture.src = `data:image/png;base64,${pictures.slice(...key.places[id])}`;
    picture.alt = `${practising ? "Practice picture" : "Picture"} ${number} of ${total}, to be judged by eye`;
    await Promise.all([picture.decode(), wait(PAUSE)]);
    picture.classList.remove("off");
    await painted();
    asked.since = performance.now();
    at("choices").classList.remove("waiting");
    at("status").textContent = `${at("stage").textContent}. Real or generated?`;
    if (test.exposure !== null) hiding = setTimeout(() => picture.classList.add("off"), 1000 * test.exposure);
  };

  const answer = (said) => {
    if (asked === null || asked.since === null) return; // nothing is seen yet, or it is answered
    const { id, since } = asked;
    asked = null;
    clearTimeout(hiding);
    if (practising) {
      tell(id, said);
    } else {
      answers.push({ id, said, ms: Math.round(performance.now() - since) });
      proceed();
    }
  };

  const tell = (id, said) => {
    const real = kinds.get(id) === "real";
    at("picture").classList.remove("off");
    at("told").textContent = `${(said === "real") === real ? "Right" : "Wrong"}: this one is ${real ? "real" : "generated"}.`;
    at("status").textContent = at("told").textContent;
    at("choices").hidden = true;
    at("feedback").hidden = false;
    at("next").focus({ preventScroll: true });
  };

  const proceed = () => {
    if (queue.length) ask();
    else if (practising) show("ready");
    else finish();
  };

  const practise = () => {
    running = true;
    if (!key.practice.length) return begin();
    practising = true;
    queue = key.practice.map(([id]) => id);
    show("trial");
    return ask();
  };

  const begin = () => {
    practising = false;
    queue = shuffled(test.items.map((item) => item.id), orderSeed);
    show("trial");
    return ask();
  };

  const wilson = (hits, count) => {
    const z = 1.959963984540054;
    const rate = hits / count;
    const scale = 1 + (z * z) / count;
    const centre = (rate + (z * z) / (2 * count)) / scale;
    const half = (z / scale) * Math.sqrt((rate * (1 - rate)) / count + (z * z) / (4 * count * count));
    return [hits ? centre - half : 0, hits < count ? centre + half : 1];
  };

  const percent = (x) => (100 * x).toFixed(0);

  const LABELS = {
    real: "Real", model: "Of the model", "grey copy": "Control: left grey",
    "random chroma": "Control: wrong colour", identity: "Control: not changed",
  };

  const finish = () => {
    running = false;
    const tally = new Map();
    for (const { id, said } of answers) {
      const row = tally.get(kinds.get(id)) ?? { hits: 0, count: 0 };
      row.hits += said === "real" ? 1 : 0;
      row.count += 1;
      tally.set(kinds.get(id), row);
    }
    for (const [kind, label] of Object.entries(LABELS)) {
      if (!tally.has(kind)) continue;
      const { hits, count } = tally.get(kind);
      const [low, high] = wilson(hits, count);
      const row = at("rates").insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = label;
      row.append(head);
      row.insertCell().textContent = `${hits} of ${count}`;
      row.insertCell().textContent = `${percent(hits / count)} % [${percent(low)}, ${percent(high)}]`;
    }
    const { hits, count } = tally.get("model");
    const real = tally.get("real");
    at("result").textContent =
      `The model fooled you with ${hits} of its ${count} pictures: a fooling rate of ${percent(hits / count)} %. ` +
      `You recognised ${real.hits} of ${real.count} real ones.`;
    at("nickname").addEventListener("input", offer);
    offer();
    show("end");
    at("status").textContent = "The test is over. Save your answers.";
  };

  // `asText` is the file, byte for byte as `tintype blind --score` reads it.
  const asText = () => JSON.stringify({
    format: key.format, digest: key.digest, session, order_seed: orderSeed,
    nickname: at("nickname").value.slice(0, 40), started, answers, test,
  }, null, 1);

  let url = null;
  const offer = () => {
    if (url !== null) URL.revokeObjectURL(url);
    const text = asText();
    url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    at("save").href = url;
    at("save").download = `blind-${key.digest}-${session.slice(0, 8)}.json`;
    at("text").value = text;
  };

  // small pictures are enlarged, so that all can be seen, but not until they are nothing but blur
  at("frame").style.maxWidth = `${Math.max(256, 2.5 * test.size)}px`;
  at("begin").addEventListener("click", practise);
  at("go").addEventListener("click", begin);
  at("next").addEventListener("click", proceed);
  at("real").addEventListener("click", () => answer("real"));
  at("generated").addEventListener("click", () => answer("generated"));
  at("picture").addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at("trial").hidden) return;
    if (event.repeat) return event.preventDefault(); // a key that is held down answers once
    const said = { ArrowLeft: "real", r: "real", R: "real", ArrowRight: "generated", g: "generated", G: "generated" }[event.key];
    if (said === undefined) return;
    event.preventDefault();
    answer(said);
  });
  window.addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });
})();
