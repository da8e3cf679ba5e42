/*
 * timeline.js: the appointment, its window and the token's life, to scale
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/timeline.js
 */

const MINUTE = 60000;
const byId = id => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined,
    { hour: '2-digit', minute: '2-digit' });

/* The hour and minute of a time, where the reader is. */
export function hour(time) {
    return clock.format(time);
}

/* 1:05:09, 12:30 */
export function figures(length) {
    const seconds = Math.max(Math.round(length / 1000), 0);
    const parts = [Math.floor(seconds / 3600),
        Math.floor(seconds / 60) % 60, seconds % 60];

    if (parts[0] === 0) parts.shift();
    return parts.map((part, index) =>
        index ? String(part).padStart(2, '0') : part).join(':');
}

/* "10 minutes", for those who hear it. */
export function inWords(length) {
    const minutes = Math.round(length / MINUTE);

    if (minutes >= 120) return `${Math.round(minutes / 60)} hours`;
    if (minutes > 1) return `${minutes} minutes`;
    return minutes === 1 ? 'one minute' : 'less than a minute';
}

const filled = new WeakMap();

/*
 * Makes an element's children anew, but only when what they are made of has
 * changed: a reader may be among them.
 */
export function fill(element, items, make) {
    const made = JSON.stringify(items);

    if (filled.get(element) === made) return;
    filled.set(element, made);
    element.replaceChildren(...items.map(make));
}

/* visit: times of the appointment; grant: what is known of the token. */
export function drawTimeline(visit, grant, now) {
    const times = Object.fromEntries(Object.entries({
        opens: visit.opens_at,
        closes: visit.closes_at,
        starts: visit.starts_at,
        ends: visit.ends_at,
        issued: grant?.issued_at,
        expires: grant?.expires_at,
        warns: grant?.warn_at,
        refreshes: grant?.refresh_at,
    }).filter(([, time]) => time).map(
        ([name, time]) => [name, Date.parse(time)]));
    const from = Math.min(times.opens, times.issued ?? Infinity);
    const to = Math.max(times.closes, times.expires ?? 0);
    const part = time => Math.min(Math.max((time - from) / (to - from), 0), 1);
    const put = (id, values) => {
        const element = byId(id);

        element.hidden = Object.values(values).some(
            time => time === undefined);
        for (const [name, time] of Object.entries(values))
            element.style.setProperty('--' + name,
                element.hidden ? 0 : part(time).toFixed(4));
    };

    put('band-window', { from: times.opens, to: times.closes });
    put('band-visit', { from: times.starts, to: times.ends });
    put('band-token', { from: times.issued, to: times.expires });
    put('flag-warn', { at: times.warns });
    put('flag-refresh', { at: times.refreshes });
    put('now', { at: now });
    byId('lane-token').hidden = times.issued === undefined;
    byId('now-text').textContent = now < from ? `now, ${hour(now)}`
        : hour(now);
    drawAxis(from, to, part);
    drawLegend(times);
}

/* Whole hours, or their halves or quarters where there is room for them. */
function drawAxis(from, to, part) {
    const step = [15, 30, 60, 120, 240].find(
        minutes => (to - from) / (minutes * MINUTE) <= 5) * MINUTE;
    const shift = new Date(from).getTimezoneOffset() * MINUTE;
    const marks = [];

    for (let time = Math.ceil((from - shift) / step) * step + shift;
        time <= to; time += step)
        marks.push([hour(time), part(time).toFixed(4)]);
    fill(byId('axis'), marks, ([text, at]) => {
        const mark = document.createElement('span');

        mark.textContent = text;
        mark.style.setProperty('--at', at);
        return mark;
    });
}

function drawLegend({ opens, closes, starts, ends, issued, expires, warns,
    refreshes }) {
    const rows = [
        ['window', 'Room open', opens, closes],
        ['visit', 'Appointment', starts, ends],
        ['token', 'Your access', issued, expires],
        ['warn', 'Warning', warns],
        ['refresh', 'Renewal', refreshes],
    ].filter(([, , time]) => time !== undefined);

    fill(byId('legend'), rows, ([name, label, ...hours]) => {
        const row = document.createElement('div');
        const term = document.createElement('dt');
        const value = document.createElement('dd');

        row.className = name;
        term.append(document.createElement('i'), label);
        value.textContent = hours.map(hour).join(' – ');
        row.append(term, value);
        return row;
    });
}
