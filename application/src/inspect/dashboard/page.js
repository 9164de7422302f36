"use strict";
// The live page. Everything that comes from outside is put in as text (textContent), never as markup.

const LIST_MAX = 2000; // connections that are listed
const POINTS = 120; // seconds that the lines show

const $ = (id) => document.getElementById(id);
const token = document.querySelector("meta[name=sinew-token]").content;
const lines = { connections: [], made: [], received: [], sent: [], lag: [] };
let last = null;
let connections = [];
let sort = { key: "received", down: true };
let shown = null;

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit += 1; }
  return (unit === 0 ? bytes.toFixed(0) : bytes.toFixed(1)) + " " + units[unit];
}

function micros(us) {
  if (us == null) return "–";
  if (us < 1000) return us + " µs";
  if (us < 1e6) return (us / 1000).toFixed(1) + " ms";
  return (us / 1e6).toFixed(2) + " s";
}

function age(ms) {
  if (ms == null) return "–";
  const s = Math.floor(ms / 1000);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}

function number(n) { return n == null ? "–" : Math.round(n).toLocaleString("en"); }

function fill(body, rows) {
  const made = rows.map((cells) => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const td = document.createElement("td");
      td.textContent = String(cell ?? "–");
      row.append(td);
    }
    return row;
  });
  body.replaceChildren(...made);
  return made;
}

function draw(name) {
  const canvas = $(name + "-line"), points = lines[name], pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const top = Math.max(1, ...points);
  pen.beginPath();
  points.forEach((value, index) => {
    const x = canvas.width * (POINTS - points.length + index) / (POINTS - 1);
    const y = canvas.height - 2 - (canvas.height - 4) * value / top;
    if (index === 0) pen.moveTo(x, y); else pen.lineTo(x, y);
  });
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  pen.lineWidth = 1.5;
  pen.stroke();
}

function point(name, value) {
  lines[name].push(value);
  if (lines[name].length > POINTS) lines[name].shift();
  draw(name);
}

function show(status, now) {
  $("program").textContent = status.program || "sinew";
  $("process").textContent = "process " + status.pid + ", sinew " + status.sinew;
  document.title = (status.program || "sinew") + ": " + status.total.connections + " connections";
  const before = last && last.status.pid === status.pid ? last : null;
  const seconds = before ? (now - before.now) / 1000 : 0;
  const rate = (of) => before && seconds > 0 ? Math.max(0, of(status) - of(before.status)) / seconds : 0;
  const lag = Math.max(0, ...status.shards.map((s) => s.lag ? s.lag.p99_us : 0));
  const values = {
    connections: status.total.connections,
    made: rate((s) => s.total.connections_made),
    received: rate((s) => s.total.bytes_received),
    sent: rate((s) => s.total.bytes_sent),
    lag,
  };
  $("connections").textContent = number(values.connections);
  $("made-rate").textContent = number(values.made);
  $("received-rate").textContent = size(values.received);
  $("sent-rate").textContent = size(values.sent);
  $("lag").textContent = status.shards.some((s) => s.lag) ? micros(lag) : "not measured";
  Object.keys(values).forEach((name) => point(name, values[name]));
  showShards(status, before, seconds);
  fill($("ports").tBodies[0], status.shards.flatMap((s) => s.ports.map((p) => [
    s.shard, p.kind + (p.tls ? " + TLS" : ""), p.address, p.factory, number(p.connections),
    number(p.limit), number(p.accepted), number(p.failures), p.paused ?? "no"])));
  const slow = status.shards.flatMap((s) => s.slow).sort((a, b) => a.ago_ms - b.ago_ms);
  fill($("slow").tBodies[0], slow.slice(0, 20).map((c) => [micros(c.took_us), age(c.ago_ms), c.name]));
  const long = status.shards.flatMap((s) => s.longest).sort((a, b) => b.longest_us - a.longest_us);
  fill($("longest").tBodies[0], long.slice(0, 20).map((c) => [micros(c.longest_us), number(c.count), c.name]));
  last = { status, now };
}

function showShards(status, before, seconds) {
  fill($("shards").tBodies[0], status.shards.map((s) => {
    if (s.error) return [s.shard, s.error];
    const old = before && before.status.shards[s.shard];
    const per = (of) => old && seconds > 0 && old.age_ms <= s.age_ms ? (of(s) - of(old)) / seconds : 0;
    const busy = s.turn ? (per((x) => x.turn ? x.turn.sum_us : 0) / 1e4).toFixed(1) + " %" : "–";
    return [s.shard, s.engine, number(s.connections), number(per((x) => x.events)), busy,
      micros(s.lag?.p50_us), micros(s.lag?.p99_us), micros(s.lag?.max_us), micros(s.longest_turn_us),
      number(s.timers), number(s.tasks), number(s.calls_queued),
      s.pool.threads + "/" + s.pool.threads_max, number(s.pool.jobs), number(s.slow_callbacks), number(s.panics)];
  }));
}

const columns = [
  ["peer", (c) => c.peer, (c) => c.peer],
  ["kind", (c) => c.kind + (c.tls ? " + TLS" : ""), (c) => c.kind],
  ["state", (c) => c.state, (c) => c.state],
  ["paused by", (c) => c.paused.join(", "), (c) => c.paused.join(", ")],
  ["age", (c) => age(c.counts?.age_ms), (c) => c.counts?.age_ms ?? 0],
  ["quiet", (c) => age(c.counts?.quiet_ms), (c) => c.counts?.quiet_ms ?? 0],
  ["received", (c) => c.counts ? size(c.counts.received) : "–", (c) => c.counts?.received ?? 0],
  ["sent", (c) => c.counts ? size(c.counts.sent) : "–", (c) => c.counts?.sent ?? 0],
  ["queued", (c) => size(c.queued), (c) => c.queued],
  ["longest", (c) => micros(c.counts?.longest_us), (c) => c.counts?.longest_us ?? 0],
  ["protocol", (c) => c.protocol ?? "–", (c) => c.protocol ?? ""],
];

function heads() {
  const row = $("list").tHead.rows[0];
  row.replaceChildren(...columns.map(([name]) => {
    const th = document.createElement("th"), button = document.createElement("button");
    button.type = "button";
    button.textContent = name + (sort.key === name ? (sort.down ? " ▼" : " ▲") : "");
    button.addEventListener("click", () => {
      sort = { key: name, down: sort.key === name ? !sort.down : true };
      list();
    });
    th.append(button);
    return th;
  }));
}

function list() {
  heads();
  const wanted = $("filter").value.trim().toLowerCase();
  const value = columns.find(([name]) => name === sort.key)[2];
  const found = connections.filter((c) => !wanted || columns.some(([, text]) => String(text(c)).toLowerCase().includes(wanted)));
  found.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y));
    return sort.down ? -order : order;
  });
  const rows = fill($("list").tBodies[0], found.slice(0, 500).map((c) => columns.map(([, text]) => text(c))));
  rows.forEach((row, index) => {
    row.tabIndex = 0;
    row.addEventListener("click", () => open(found[index].id));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") open(found[index].id); });
  });
  const all = last ? last.status.total.connections : connections.length;
  $("listed").textContent = number(Math.min(500, found.length)) + " shown, " + number(connections.length) + " of " + number(all) + " listed";
}

async function refresh() {
  const found = [];
  let next = { shard: 0, first: 0 };
  while (next && found.length < LIST_MAX) {
    const answer = await fetch(`/connections?shard=${next.shard}&first=${next.first}&max=500`);
    if (!answer.ok) throw new Error("the server answered " + answer.status);
    const page = await answer.json();
    found.push(...page.connections);
    next = page.next;
  }
  connections = found;
  list();
}

async function open(id) {
  shown = id;
  $("detail-message").textContent = "";
  await detail();
  if (!$("detail").open) $("detail").showModal();
}

async function detail() {
  const answer = await fetch("/connections/" + encodeURIComponent(shown));
  if (!answer.ok) { $("detail-message").textContent = "The connection is gone."; return; }
  const c = await answer.json();
  $("detail-title").textContent = c.peer;
  const n = c.counts;
  fill($("detail-rows").tBodies[0], [
    ["id", c.id], ["kind", c.kind], ["local address", c.local], ["port", c.port ?? "opened by this side"], ["state", c.state],
    ["paused by", c.paused.join(", ") || "nobody"], ["protocol", c.protocol], ["TLS", c.tls ? c.tls.version + ", " + c.tls.cipher : "no"],
    ["queued", size(c.queued)], ["timers", c.timers], ["age", age(n?.age_ms)], ["quiet for", age(n?.quiet_ms)],
    ["received", n ? size(n.received) : "–"], ["sent", n ? size(n.sent) : "–"], ["calls", number(n?.calls)],
    ["last call", micros(n?.last_us)], ["longest call", micros(n?.longest_us)],
  ]);
}

async function act(action) {
  if ((action === "close" || action === "abort") && !confirm(`${action} this connection?`)) return;
  const answer = await fetch(`/connections/${encodeURIComponent(shown)}/${action}`, { method: "POST", headers: { "X-Sinew-Token": token } });
  $("detail-message").textContent = answer.ok ? "Done: " + action + "." : (await answer.text());
  await detail();
}

document.querySelectorAll("[data-action]").forEach((button) =>
  button.addEventListener("click", () => act(button.dataset.action)));
$("detail-end").addEventListener("click", () => $("detail").close());
$("filter").addEventListener("input", list);
$("refresh").addEventListener("click", () => refresh().catch(lost));

function lost(error) {
  $("state").textContent = "not connected" + (error?.message ? ": " + error.message : "");
  $("state").className = "lost";
}

const events = new EventSource("/events");
events.onopen = () => { $("state").textContent = "live"; $("state").className = ""; };
events.onerror = () => lost();
events.onmessage = (event) => show(JSON.parse(event.data), performance.now());
refresh().catch(lost);
setInterval(() => { if (!document.hidden && !$("detail").open) refresh().catch(lost); }, 5000);
setInterval(() => { if ($("detail").open) detail().catch(lost); }, 2000);
