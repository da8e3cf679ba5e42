/*
 * page.js: a video visit, from the waiting room to the good-bye
 *
 * The link that a participant gets is /#47:KEY, an appointment and a bearer
 * token of the back end.  The part behind # is not sent anywhere; it is taken
 * out of the address, and kept for this tab alone.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/page.js
 */
import { Device } from './devices.js';
import { connect } from './echo.js';
import { drawTimeline, figures, fill, hour, inWords } from './timeline.js';
import { VidtokenClient } from './vidtoken-client.js';

const SECOND = 1000;
const POLL_EVERY = 10 * SECOND;
const LINK = /^#([^:]+):(.+)$/;

const ROLE = { host: 'Host', guest: 'Guest', observer: 'Observer' };

const byId = id => document.getElementById(id);
const camera = new Device('video', { width: 1280, height: 720 });
const microphone = new Device('audio');

let login = null;           // { id, key }
let isAsked = false;        // who it is
let client = null;
let connection = null;
let visit = null;           // the appointment, and when it was asked for
let presence = null;        // what the provider reported, when known
let joinedAt = null;
let tries = 0;              // to ask for the visit
let again = null;           // the timer for the next
let trouble = null;         // why the server cannot be reached
let leaving = null;         // why the call is over for this participant

//
// Who is here
//

function begin() {
    const [, id, key] = LINK.exec(location.hash) ?? [];

    if (id) {
        sessionStorage.login = JSON.stringify({ id, key });
        history.replaceState(null, '', location.pathname);
    }
    login = JSON.parse(sessionStorage.login ?? 'null');
    if (login) enter();
    else askWho();
}

const PROBLEM = {
    401: 'This access key is not valid.',
    404: 'There is no such appointment for you.',
    other: 'You cannot join this appointment. Please call the clinic.',
};

function askWho(problem = '') {
    clearTimeout(again);
    trouble = null;
    isAsked = true;
    render();
    byId('sign-in-problem').textContent = problem;
    byId('appointment-id').value = login?.id ?? '';
    byId(login ? 'access-key' : 'appointment-id').focus();
}

byId('sign-in-form').addEventListener('submit', event => {
    event.preventDefault();
    login = { id: byId('appointment-id').value.toLowerCase(),
        key: byId('access-key').value };
    byId('access-key').value = '';
    sessionStorage.login = JSON.stringify(login);
    enter();
});

function headers() {
    return { Authorization: 'Bearer ' + login.key };
}

async function ask(path) {
    const response = await fetch('/api/appointments/' + path +
        encodeURIComponent(login.id) + '/', { headers: headers(),
        cache: 'no-store' });

    if (!response.ok)
        throw Object.assign(new Error(), { status: response.status });
    return await response.json();
}

/* Whether asking again is of no use, as in vidtoken-client.js. */
function isFinal(status) {
    return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

async function enter() {
    // What no header can carry is no key.
    if (!/^[\x20-\x7e]+$/.test(login.key)) return askWho(PROBLEM[401]);
    isAsked = false;
    render();
    try {
        visit = { ...await ask(''), askedAt: performance.now() };
        // Not everybody has a name.
        for (const person of visit.participants)
            person.name ??= ROLE[person.role];
    } catch ({ status = 0 }) {
        if (isFinal(status))
            return askWho(PROBLEM[status] ?? PROBLEM.other);
        trouble = 'network';
        render();
        again = setTimeout(enter, SECOND *
            (1 + Math.random() * Math.min(2 ** ++tries, 30)));
        return;
    }
    tries = 0;
    trouble = null;
    // Who has only signed in again goes on where he was.
    if (client?.error?.status === 401 && client.id === login.id) {
        leaving = null;
        client.start().catch(() => {});
    } else {
        start();
    }
}

//
// The token
//

function start() {
    client?.close();
    connection = leaving = null;
    client = new VidtokenClient({ appointmentId: login.id, headers });
    client.id = login.id;
    client.addEventListener('statechange', render);
    client.addEventListener('waiting', ({ detail }) =>
        say(`The room opens at ${hour(Date.parse(detail.opensAt))}.`));
    client.addEventListener('issued', () => {
        recovered();
        say('The room is open. You can join.');
    });
    client.addEventListener('warning', ({ detail }) => say(
        `Your access ends in ${inWords(detail.remaining)}. ` +
        (detail.refreshIn === null ? 'It cannot be renewed.'
            : 'It is renewed without your doing.')));
    client.addEventListener('refreshed', ({ detail }) => {
        recovered();
        say('Your access was renewed. It lasts until ' +
            `${hour(Date.parse(detail.grant.expires_at))}.`);
    });
    client.addEventListener('retrying', ({ detail }) => {
        if (!trouble) say('There is no connection to the clinic.');
        trouble = detail.error.reason ?? 'server';
        render();
    });
    client.addEventListener('expired', ({ detail }) => {
        // Nothing comes after the last of all tokens, or without a login.
        if (client.error) leave({ status: client.error.status });
        else if (!detail.grant.refresh_at) leave({ reason: 'ended' });
        say('Your access has ended.');
    });
    client.addEventListener('failed', ({ detail }) => {
        recovered();
        // A call may go on until its token ends; signing in is in time then.
        if (detail.status !== 401 || !connection) leave(detail);
        say(GOODBYE[goodbye(detail)][0]);
    });
    client.start().catch(() => {});
    render();
}

function recovered() {
    trouble = null;
    render();
}

//
// The call
//

function join() {
    leaving = null;
    joinedAt ??= performance.now();
    connection = client.keepConnected((grant, lost) => connect(grant, lost,
        () => leave({ reason: 'out' })));
    connection.addEventListener('statechange', ({ detail: { state } }) => {
        if (state === 'connected') {
            share();
            say('You are in the call.');
        }
        if (state === 'reconnecting')
            say('The call was interrupted. You are being reconnected.');
        render();
    });
    connection.ended.catch(() => {});
    render();
}

function leave(reason = { reason: 'left' }) {
    connection?.close();
    connection = null;
    leaving = reason;
    if (reason.reason === 'left') say('You have left the call.');
    if (reason.reason === 'out') say('You are no longer in the call.');
    camera.turnOff();
    microphone.turnOff();
    render();
}

function share() {
    connection?.call?.share?.(
        { video: camera.track, audio: microphone.track });
}

byId('join').addEventListener('click', () =>
    connection ? leave() : join());
byId('message-action').addEventListener('click', () => {
    if (leaving?.status === 401) askWho();
    else join();
});
byId('notice-action').addEventListener('click', () => askWho());
byId('camera').addEventListener('click', () => camera.toggle());
byId('microphone').addEventListener('click', () => microphone.toggle());
for (const device of [camera, microphone])
    device.addEventListener('change', () => {
        if (device.trouble)
            say(`The ${nameOf(device)} is ${device.trouble}.`);
        byId('self').srcObject = camera.track
            ? new MediaStream([camera.track]) : null;
        share();
        render();
    });

function nameOf(device) {
    return device === camera ? 'camera' : 'microphone';
}

/* Who is there, as the provider told the clinic. */
async function poll() {
    let wait = POLL_EVERY;

    try {
        if (visit && !leaving && !document.hidden) {
            tellPresence(await ask('video-status/'));
            render();
        }
    } catch {
        presence = null;
        wait = 6 * POLL_EVERY;
    }
    setTimeout(poll, wait);
}

function tellPresence(status) {
    const before = new Set(present());
    const news = [];

    presence = status;
    for (const { identity, name, you } of visit.participants)
        if (!you && before.has(identity) !== present().includes(identity))
            news.push(`${name} has ${before.has(identity)
                ? 'left' : 'joined'}.`);
    if (news.length) say(news.join(' '));
}

function present() {
    return (presence?.participants ?? []).filter(
        ({ left_at: left }) => !left).map(({ identity }) => identity);
}

//
// What is seen
//

const GOODBYE = {
    left: ['You have left the call', 'You can come back as long as the ' +
        'appointment goes on.', 'i-done', 'Join again'],
    out: ['You are no longer in the call', 'You were taken out of it, or ' +
        'have joined from elsewhere.', 'i-stop', 'Join again'],
    ended: ['This appointment is over', 'Thank you for coming. You can ' +
        'close this page.', 'i-done'],
    cancelled: ['This appointment was cancelled', 'The clinic will tell ' +
        'you about another one.', 'i-stop'],
    revoked: ['You are no longer expected here', 'If that is a surprise, ' +
        'please call the clinic.', 'i-stop'],
    not_found: ['There is no such appointment', 'It may have been moved. ' +
        'Please look at the message from the clinic.', 'i-stop'],
    no_user: ['Please sign in again', 'Your access key is not valid any ' +
        'more.', 'i-stop', 'Sign in'],
    refused: ['You cannot join this appointment', 'Please call the clinic.',
        'i-stop'],
};

function goodbye({ reason, status }) {
    if (status === 401) return 'no_user';
    return Object.hasOwn(GOODBYE, reason) ? reason : 'refused';
}

/* The one word that the page's looks depend on. */
function phase() {
    if (leaving) return 'ended';
    if (connection?.state === 'connected') return 'live';
    if (connection) return 'joining';
    if (client?.state === 'waiting') return 'waiting';
    if (client?.grant) return 'open';
    return 'loading';
}

function serverNow() {
    return client?.serverNow ??
        Date.parse(visit.now) + performance.now() - visit.askedAt;
}

function render() {
    const focused = document.activeElement;

    document.body.dataset.phase = phase();
    byId('sign-in').hidden = !isAsked;
    byId('visit').hidden = isAsked;
    renderHead();
    renderStage();
    renderDevices();
    renderNotice();
    keepFocus(focused);
    if (!visit) return;
    renderTime();
    renderPeople();
}

/* Where what has the focus goes away, Tab would begin anew. */
function keepFocus(focused) {
    const isSeen = element => element?.getClientRects().length > 0;

    if (focused && !isSeen(focused))
        [byId('message-action'), byId('stage')].find(isSeen)?.focus();
}

function renderHead() {
    const [state, text] = trouble ? ['lost', 'No connection'] : {
        loading: ['busy', 'Loading'],
        waiting: ['waiting', 'Waiting room'],
        open: ['waiting', 'Ready to join'],
        joining: ['busy', connection?.state === 'reconnecting'
            ? 'Reconnecting' : 'Connecting'],
        live: ['connected', 'Connected'],
        ended: ['idle', 'Not connected'],
    }[phase()];

    byId('pill').dataset.state = state;
    byId('pill-text').textContent = text;
    if (!visit) return;
    const others = visit.participants.filter(({ you }) => !you).map(
        ({ name }) => name);
    const title = others.length
        ? `Visit with ${new Intl.ListFormat('en').format(others)}`
        : 'Video visit';
    const starts = Date.parse(visit.starts_at);
    const day = new Intl.DateTimeFormat(undefined, { weekday: 'long',
        day: 'numeric', month: 'long' }).format(starts);

    byId('title').textContent = document.title = title;
    byId('when').textContent =
        `${day}, ${hour(starts)} – ${hour(Date.parse(visit.ends_at))}`;
}

function renderStage() {
    const now = phase();
    const { stream = null, isEcho = false } = connection?.call ?? {};
    const isSent = isEcho ? camera.track : stream?.getVideoTracks().length;
    const [title, text, icon, action] = {
        loading: () => ['One moment', 'Looking for your appointment.',
            'i-door'],
        waiting: () => ['You are early', 'The room opens at ' +
            `${hour(Date.parse(visit.opens_at))}. This page lets you know.`,
        'i-door'],
        open: () => ['The room is open', 'Look at yourself, then join.',
            'i-door'],
        joining: () => ['One moment', 'You are being connected.', 'i-join'],
        live: () => ['You are in the call', 'The other side shows no ' +
            'picture.', 'i-join'],
        ended: () => GOODBYE[goodbye(leaving)],
    }[now]();

    byId('message-title').textContent = title;
    byId('message-text').textContent = text;
    byId('message-icon').setAttribute('href', '#' + icon);
    byId('message-action').hidden = !action;
    byId('message-action').textContent = action ?? '';
    if (byId('remote').srcObject !== stream) byId('remote').srcObject = stream;
    byId('remote').muted = isEcho;
    byId('stage').dataset.picture = isSent ? 'some' : 'none';

    const inCall = now === 'live' || now === 'joining';

    byId('join').disabled = !inCall && now !== 'open';
    byId('join').hidden = now === 'ended';
    byId('join-text').textContent = inCall ? 'Leave' : 'Join';
    byId('join-icon').setAttribute('href', inCall ? '#i-leave' : '#i-join');
}

function renderDevices() {
    for (const device of [camera, microphone]) {
        const button = byId(nameOf(device));

        button.setAttribute('aria-pressed',
            device.state === 'on' || device.state === 'asking');
        button.hidden = phase() === 'ended';
    }
    byId('self-view').hidden = phase() === 'ended';
    byId('self-view').dataset.camera = camera.state;
    byId('self-caption').textContent = {
        off: 'Your camera is off',
        asking: 'Please allow the camera',
        on: 'You',
        trouble: `The camera is ${camera.trouble}.`,
    }[camera.state];
}

function renderNotice() {
    const [kind, title, text] = notice() ?? [];

    byId('notice').hidden = !kind;
    byId('notice').dataset.kind = kind ?? '';
    byId('notice-title').textContent = title ?? '';
    byId('notice-text').textContent = text ?? '';
    byId('notice-action').hidden = !kind || client?.error?.status !== 401;
}

function notice() {
    const { grant, remaining = 0, state } = client ?? {};

    if (leaving) return null;
    if (state === 'failed')
        return ['trouble', 'Please sign in again.', 'Your access key is not ' +
            `valid any more. Your access lasts ${inWords(remaining)} more.`];
    if (state === 'expired')
        return ['trouble', 'Your access has ended.', 'It is renewed when ' +
            'the clinic can be reached. Please stay.'];
    if (trouble && grant)
        return ['trouble', 'No connection to the clinic.', 'It is tried ' +
            `again. Your access lasts ${inWords(remaining)} more.`];
    if (trouble)
        return ['trouble', 'No connection to the clinic.',
            'It is tried again.'];
    if (state !== 'warning') return null;
    if (!grant.refresh_at)
        return ['warning', `Your access ends in ${figures(remaining)}.`,
            'Please come to an end: it cannot be renewed.'];
    const renewal = Date.parse(grant.refresh_at) - serverNow();

    return ['warning', `Your access ends in ${figures(remaining)}.`,
        renewal > 0 ? `It is renewed in ${figures(renewal)}, and the call ` +
            'goes on.' : 'It is being renewed.'];
}

function renderTime() {
    const now = serverNow();
    const { grant } = client ?? {};
    const [label, figure, note, kind = ''] = countdown(now,
        ...['opens_at', 'starts_at', 'ends_at'].map(
            name => Date.parse(visit[name])));

    byId('countdown-label').textContent = label;
    byId('countdown').textContent = figure;
    byId('countdown-note').textContent = note;
    document.querySelector('.countdown').dataset.kind = kind;
    drawTimeline(visit, leaving?.reason === 'left' ? null : grant, now);
}

function countdown(now, opens, starts, ends) {
    if (leaving && joinedAt !== null)
        return ['Your visit', leaving.lasted ??= figures(
            performance.now() - joinedAt), 'This is how long you were here.'];
    if (leaving)
        return ['Appointment', hour(starts), `until ${hour(ends)}`];
    if (now < opens)
        return ['The room opens in', figures(opens - now),
            `The appointment begins at ${hour(starts)}.`];
    if (now < starts)
        return ['Begins in', figures(starts - now),
            'You can join already.'];
    if (now < ends)
        return ['Time left', figures(ends - now), `of ${Math.round(
            (ends - starts) / 60000)} minutes, until ${hour(ends)}`];
    return ['Over time', '+' + figures(now - ends),
        `The appointment ended at ${hour(ends)}.`, 'over'];
}

function renderPeople() {
    const here = present();
    // Without reports, and without an identity, nobody knows.
    const isKnown = presence?.participants && !leaving;
    const people = visit.participants.map(({ name, role, identity, you }) => ({
        name,
        role,
        you,
        isHere: you ? phase() === 'live'
            : isKnown && identity ? here.includes(identity) : null,
    }));

    fill(byId('people'), people, ({ name, role, you, isHere }) => {
        const item = document.createElement('li');
        const names = document.createElement('div');

        item.className = role;
        add(item, 'span', initials(name), 'avatar')
            .setAttribute('aria-hidden', 'true');
        item.append(names);
        add(names, 'b', name + (you ? ' (you)' : ''));
        add(names, 'small', ROLE[role]);
        if (isHere !== null)
            add(item, 'span', isHere ? 'In the call' : 'Not here',
                'presence').toggleAttribute('data-here', isHere);
        return item;
    });
    byId('people-note').textContent = phase() === 'live' &&
        people.some(({ isHere }) => isHere === null)
        ? 'Who else is in the call is not known at the moment.' : '';
    byId('self-avatar').textContent = initials(
        visit.participants.find(({ you }) => you)?.name ?? '');
}

function add(parent, tag, text, className = '') {
    const element = document.createElement(tag);

    element.textContent = text;
    element.className = className;
    parent.append(element);
    return element;
}

function initials(name) {
    const words = name.replace(/^(Dr|Prof|Mr|Ms|Mrs)\.?\s+/i, '').split(/\s+/);

    return (words[0].charAt(0) + (words.length > 1
        ? words.at(-1).charAt(0) : '')).toUpperCase();
}

/* For screen readers: what has happened, not what the time is. */
function say(text) {
    byId('announcer').textContent = text;
}

setInterval(render, SECOND);
setTimeout(poll, SECOND);
addEventListener('hashchange', () =>
    LINK.test(location.hash) && location.reload());
begin();
