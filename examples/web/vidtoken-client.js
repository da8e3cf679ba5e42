/*
 * vidtoken-client.js: keeps the token of one appointment fresh
 *
 * One ES module without dependencies.  Types and the description of every
 * member are in vidtoken-client.d.ts.
 *
 * Invariants a maintainer must keep:
 * - The laptop's date is never compared with a time of the server's: it may
 *   be wrong by hours.  Times of the server are compared with each other,
 *   and what has passed since is measured here, see Stopwatch.
 * - A measurement begins before the request is sent, so that a token is never
 *   believed to live longer than it does.
 * - At most one request is on its way.  Whoever wants a token meanwhile waits
 *   for that one.
 * - A new token replaces the old one here and nowhere else.  A live call goes
 *   on with what it connected with: a second connection with the same
 *   identity would evict the first.
 * - Nothing is written to storage, and no message or event of an error holds
 *   a token.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/vidtoken-client.js
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;

// Browsers throttle and stop timers.  One that is due soon is noticed late by
// seconds, one that is due in an hour may be late by an hour.
const LOOK_EVERY = 15 * SECOND;

// The date got ahead of the monotonic clock by this: the machine slept, or
// somebody set the date.  The server knows which.
const JUMP = MINUTE;

// Whatever the server says, it is not asked more often than this.
const REFRESH_AT_MOST_EVERY = 10 * SECOND;

// A token with less than this left would not survive the way to the provider.
const USABLE = 5 * SECOND;

// A room that is not open yet: its appointment may be moved meanwhile.
const ASK_AGAIN_AFTER = 5 * MINUTE;

const RETRY_FIRST = SECOND;
const RETRY_MOST = 30 * SECOND;
const RETRY_AFTER_MOST = 10 * MINUTE;

// A call that was lost sooner than this is tried again more slowly.
const SETTLED = 10 * SECOND;

// For how long a call that was lost waits for something else.
const BRIEF = 3 * SECOND;

// How long the lock is kept after a new token was told to the other tabs, so
// that they have heard of it when the next of them gets the lock.
const LOCK_KEPT = 200;

/*
 * What happened when there is no token.  "final" ones end the client's work.
 */
export class VidtokenError extends Error {
    constructor(message, members = {}) {
        super(message, { cause: members.cause });
        this.name = 'VidtokenError';
        this.status = members.status ?? 0;
        this.reason = members.reason ?? null;
        this.details = members.details ?? null;
        this.retryAfter = members.retryAfter ?? null;
        this.final = members.final ?? false;
    }
}

/*
 * How much time has passed, by whichever clock says more: the monotonic clock
 * of some browsers stands still while the machine sleeps, and the date can be
 * set.  Only differences of readings are used.
 */
class Stopwatch {
    #monotonic;
    #date;

    constructor(age = 0) {
        this.#monotonic = performance.now() - age;
        this.#date = Date.now() - age;
    }

    get elapsed() {
        return Math.max(performance.now() - this.#monotonic,
            Date.now() - this.#date, 0);
    }
}

/* By how much the date is ahead of the monotonic clock. */
function lead() {
    return Date.now() - performance.now();
}

/* A grant with what the client has to know of its times. */
class Lease {
    constructor(grant, watch) {
        const issuedAt = Date.parse(grant.issued_at);

        this.grant = grant;
        this.watch = watch;
        this.issuedAt = issuedAt;
        // issued_at is cut to the second: up to one more may have passed.
        this.life = grant.expires_in * SECOND - SECOND;
        this.warnAfter = grant.warn_at
            ? Date.parse(grant.warn_at) - issuedAt : Infinity;
        this.refreshAfter = grant.refresh_at
            ? Math.max(Date.parse(grant.refresh_at) - issuedAt,
                REFRESH_AT_MOST_EVERY)
            : Infinity;
        this.warned = false;
        this.expired = false;
    }

    get remaining() {
        return Math.max(this.life - this.watch.elapsed, 0);
    }

    get isUsable() {
        return this.remaining > USABLE;
    }

    get isDue() {
        return this.watch.elapsed >= this.refreshAfter;
    }

    /* In how many milliseconds something is to be told. */
    get nextWord() {
        const next = this.warned ? this.life
            : Math.min(this.warnAfter, this.life);

        return this.expired ? Infinity : next - this.watch.elapsed;
    }

    /* Whether a token from another tab is of the same session, and newer. */
    isFollowedBy({ grant, of }) {
        return of === this.grant.user_identity && this.isOlderThan(grant);
    }

    isOlderThan(grant) {
        if (grant.access_token === this.grant.access_token) return false;
        const issuedAt = Date.parse(grant.issued_at);

        // Of two of one second all tabs take the same.
        return issuedAt > this.issuedAt || (issuedAt === this.issuedAt &&
            grant.access_token > this.grant.access_token);
    }
}

export class VidtokenClient extends EventTarget {
    #options;
    #state = 'idle';
    #lease = null;
    #error = null;          // what ended the work
    #renewal = null;        // promise of a token, however many attempts
    #attempt = null;        // promise of the attempt that is under way
    #pause = null;          // between two attempts
    #timer = null;
    #lead = lead();
    #serverTime = null;     // {time, watch}: what the server last said
    #channel = null;
    #abort = new AbortController();
    #connections = new Set();
    #wasConnected = false;

    constructor(options) {
        super();
        const id = encodeURIComponent(options.appointmentId);
        const base = options.baseUrl ?? '/api/appointments';

        this.#options = {
            issueUrl: `${base}/video-token/${id}/`,
            refreshUrl: `${base}/video-token-refresh/${id}/`,
            timeout: 15 * SECOND,
            ...options,
        };
        this.#listen();
    }

    get state() {
        return this.#state;
    }

    get grant() {
        return this.#lease?.grant ?? null;
    }

    get error() {
        return this.#error;
    }

    get remaining() {
        return this.#lease?.remaining ?? 0;
    }

    get serverNow() {
        const said = this.#serverTime;

        return said && said.time + said.watch.elapsed;
    }

    async start() {
        this.#throwIfClosed();
        if (!this.#lease || this.#error) {
            this.#error = null;
            await this.#renew();
        }
        return this.#lease.grant;
    }

    async refresh() {
        this.#throwIfClosed();
        if (this.#error) throw this.#error;
        await this.#renew();
        return this.#lease.grant;
    }

    async getGrant() {
        this.#throwIfClosed();
        if (!this.#error && (this.#renewal || !this.#lease?.isUsable ||
            this.#lease.isDue))
            await this.#renewOrGoOn();
        if (this.#error && !this.#mayGoOn()) throw this.#error;
        return this.#lease.grant;
    }

    async getToken() {
        return (await this.getGrant()).access_token;
    }

    keepConnected(connect) {
        this.#throwIfClosed();
        const connection = new VidtokenConnection(this, connect,
            this.#wasConnected);
        const forget = () => this.#connections.delete(connection);

        this.#wasConnected = true;
        this.#connections.add(connection);
        connection.ended.then(forget, forget);
        return connection;
    }

    close() {
        if (this.#state === 'closed') return;
        this.#setState('closed');
        this.#abort.abort();
        clearTimeout(this.#timer);
        this.#pause?.resolve();
        this.#channel?.close();
        for (const connection of this.#connections) connection.close();
    }

    //
    // Time
    //

    #listen() {
        const look = () => this.#look();
        const hurry = () => {
            this.#endPause();
            this.#look();
        };
        const options = { signal: this.#abort.signal };

        // Where there is no page, as in a worker, the timer has to do.
        globalThis.document?.addEventListener('visibilitychange', look,
            options);
        globalThis.document?.addEventListener('resume', look, options);
        globalThis.addEventListener?.('pageshow', look, options);
        globalThis.addEventListener?.('focus', look, options);
        globalThis.addEventListener?.('online', hurry, options);
        try {
            this.#channel = new BroadcastChannel(
                'vidtoken ' + this.#options.refreshUrl);
        } catch {
            return;         // unknown here, or forbidden in this frame
        }
        this.#channel.onmessage = ({ data }) => this.#hear(data);
        // In node a channel would keep the process alive.
        this.#channel.unref?.();
    }

    /* Does what is due, and sees to it that it is looked at again. */
    #look() {
        if (this.#state === 'closed') return;
        const lease = this.#lease;
        const jumped = lead() - this.#lead > JUMP;

        this.#lead = lead();
        if (jumped || this.#pause?.watch.elapsed >= this.#pause?.length)
            this.#endPause();
        // Where no later token is to be had there is nothing to ask for.
        if (lease && !this.#error &&
            (lease.isDue || (jumped && lease.refreshAfter < Infinity)))
            this.#renew();
        this.#tellTime();
        this.#lookAgain();
    }

    #lookAgain() {
        const times = [];

        clearTimeout(this.#timer);
        if (this.#pause)
            times.push(this.#pause.length - this.#pause.watch.elapsed);
        if (this.#lease && !this.#attempt) times.push(this.#lease.nextWord);
        if (this.#lease && !this.#renewal && !this.#error)
            times.push(this.#lease.refreshAfter - this.#lease.watch.elapsed);
        const next = Math.min(...times);

        if (this.#state === 'closed' || next === Infinity) return;
        this.#timer = setTimeout(() => this.#look(),
            Math.max(Math.min(next, LOOK_EVERY), 50));
        this.#timer.unref?.();
    }

    #tellTime() {
        const lease = this.#lease;

        // In a moment the server will have said what time it is.
        if (!lease || this.#attempt) return;
        const elapsed = lease.watch.elapsed;

        if (!lease.expired && elapsed >= lease.life) {
            lease.expired = lease.warned = true;
            if (!this.#error) this.#setState('expired');
            this.#tell('expired', { grant: lease.grant });
        } else if (!lease.warned && elapsed >= lease.warnAfter) {
            lease.warned = true;
            if (!this.#error) this.#setState('warning');
            this.#tell('warning', {
                grant: lease.grant,
                remaining: lease.remaining,
                refreshIn: lease.refreshAfter === Infinity || this.#error
                    ? null : Math.max(lease.refreshAfter - elapsed, 0),
            });
        }
    }

    /* Waits; ended early, but not too early, when the network is back. */
    async #sleep(length, atLeast) {
        await new Promise(resolve => {
            this.#pause = { watch: new Stopwatch(), length, atLeast, resolve };
            this.#lookAgain();
        });
        this.#pause = null;
    }

    /* What the server asked for holds, whatever else has happened. */
    #endPause() {
        if (this.#pause?.watch.elapsed >= this.#pause?.atLeast)
            this.#pause.resolve();
    }

    //
    // Renewal
    //

    /* The way to a newer token, and the only one: there is one at a time. */
    #renew() {
        if (!this.#renewal) {
            const renewal = this.#tryUntilRenewed().finally(() => {
                // Who was told of a failure may have begun anew.
                if (this.#renewal === renewal)
                    this.#renewal = this.#attempt = null;
                this.#lookAgain();
            });

            this.#renewal = renewal;
            renewal.catch(() => {});
        }
        return this.#renewal;
    }

    /*
     * A token that lives is good enough while the server cannot be reached:
     * a call that lost its network must not wait for the server as well.
     */
    async #renewOrGoOn() {
        const renewal = this.#renew();

        if (this.#lease?.isUsable) await this.#attempt?.catch(() => {});
        if (!this.#lease?.isUsable) await renewal;
        this.#throwIfClosed();
    }

    async #tryUntilRenewed() {
        const before = this.#lease;

        for (let tries = 1; this.#lease === before; tries++) {
            let wait;
            let atLeast = 0;

            try {
                this.#attempt = this.#exclusively(before);
                const lease = await this.#attempt;

                // What another tab told meanwhile may be newer.
                if (this.#lease === before ||
                    this.#lease.isOlderThan(lease.grant))
                    this.#take(lease);
                return;
            } catch (error) {
                this.#throwIfClosed();
                if (error.final) {
                    this.#fail(error);
                    throw error;
                }
                if (error.status === 425) {
                    wait = this.#untilOpen(error);
                    tries = 0;
                } else {
                    atLeast = error.retryAfter ?? 0;
                    // Everybody was told the same.
                    wait = atLeast + backoff(tries);
                    this.#tell('retrying', { error, tries, wait });
                }
            }
            this.#attempt = null;
            this.#tellTime();
            await this.#sleep(wait, atLeast);
            this.#throwIfClosed();
        }
    }

    /*
     * One request, or two where the first shows that there is no session to
     * refresh.  The answer is a lease.
     */
    async #ask() {
        const { issueUrl, refreshUrl } = this.#options;

        if (this.#lease) {
            try {
                return await this.#request('GET', refreshUrl);
            } catch (error) {
                if (error.status !== 409) throw error;
            }
        }
        return await this.#request('POST', issueUrl);
    }

    async #request(method, url) {
        this.#throwIfClosed();
        const { timeout, headers } = this.#options;
        const fetch = this.#options.fetch ?? globalThis.fetch;
        const limit = AbortSignal.timeout(timeout);
        const request = new AbortController();
        const abort = () => request.abort();

        limit.addEventListener('abort', abort);
        this.#abort.signal.addEventListener('abort', abort);
        try {
            const given = typeof headers === 'function'
                ? await headers() : headers;
            const watch = new Stopwatch();
            const response = await fetch(url, {
                method,
                headers: { Accept: 'application/json', ...given },
                cache: 'no-store',
                redirect: 'error',
                signal: request.signal,
            });
            const body = await response.text();

            if (!response.ok) throw refusal(response, body);
            return new Lease(grantOf(body), watch);
        } catch (error) {
            if (error instanceof VidtokenError) throw error;
            throw limit.aborted
                ? new VidtokenError('no answer in time',
                    { reason: 'timeout', cause: error })
                : new VidtokenError('no connection to the server',
                    { reason: 'network', cause: error });
        } finally {
            limit.removeEventListener('abort', abort);
            this.#abort.signal.removeEventListener('abort', abort);
        }
    }

    #take(lease) {
        const before = this.#lease;

        this.#lease = lease;
        this.#serverTime = { time: lease.issuedAt, watch: lease.watch };
        this.#setState('fresh');
        this.#tell(before ? 'refreshed' : 'issued',
            { grant: lease.grant, previous: before?.grant ?? null });
    }

    #fail(error) {
        this.#error = error;
        this.#renewal = this.#attempt = null;
        this.#setState('failed');
        this.#tell('failed', { error, status: error.status,
            reason: error.reason });
    }

    /*
     * Who has to log in again may end the call that is going on.  Who is no
     * longer wanted may not.
     */
    #mayGoOn() {
        return this.#error.status === 401 && this.#lease?.isUsable;
    }

    /* Both times are the server's. */
    #untilOpen(error) {
        const now = Date.parse(error.details?.now);
        const opensAt = Date.parse(error.details?.opens_at);
        // Not everybody in the same moment.
        const spread = Math.random() * SECOND;

        if (Number.isNaN(opensAt - now)) return RETRY_MOST + spread;
        this.#serverTime = { time: now, watch: new Stopwatch() };
        this.#setState('waiting');
        this.#tell('waiting', { opensAt: error.details.opens_at,
            opensIn: Math.max(opensAt - now, 0) });
        return Math.min(Math.max(opensAt - now, 0), ASK_AGAIN_AFTER) + spread;
    }

    //
    // Other tabs
    //

    /*
     * Asks, unless another tab has brought a newer token while this one
     * waited.  Where there are no locks, or where the one who has it does not
     * give it back, everybody asks for himself.
     */
    async #exclusively(before) {
        const ask = async () => {
            if (this.#lease !== before) return this.#lease;
            const lease = await this.#ask();

            this.#say(lease, before);
            return lease;
        };

        if (!before || !globalThis.navigator?.locks) return await ask();
        const name = 'vidtoken ' + this.#options.refreshUrl + ' ' +
            before.grant.user_identity;
        const signal = AbortSignal.timeout(
            this.#options.timeout + 5 * SECOND);

        return await new Promise((resolve, reject) => {
            const asked = () => ask().then(resolve, reject);

            navigator.locks.request(name, { signal }, async () => {
                const lease = await ask();

                resolve(lease);
                await new Promise(done => setTimeout(done, LOCK_KEPT));
            }).catch(error => error instanceof VidtokenError
                ? reject(error) : asked());
        });
    }

    #say({ grant, watch }, before) {
        this.#channel?.postMessage({
            grant,
            of: (before?.grant ?? grant).user_identity,
            age: watch.elapsed,
            sentAt: Date.now(),
        });
    }

    /* A stopped tab hears late: by how much, the machine's date says. */
    #hear(message) {
        if (!this.#lease || this.#error ||
            !this.#lease.isFollowedBy(message))
            return;
        const late = Math.max(Date.now() - message.sentAt, 0);

        this.#take(new Lease(message.grant,
            new Stopwatch(message.age + late)));
        this.#pause?.resolve();
        this.#lookAgain();
    }

    //
    // Words
    //

    #setState(state) {
        if (this.#state === state) return;
        this.#state = state;
        this.#tell('statechange', { state });
    }

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }

    #throwIfClosed() {
        if (this.#state === 'closed')
            throw new VidtokenError('the client is closed',
                { reason: 'closed', final: true });
    }
}

/*
 * A call that is connected again when it was lost, with a token that is
 * fresh then.  As long as it is not lost, no other connection is made.
 */
class VidtokenConnection extends EventTarget {
    #client;
    #connect;
    #state = 'connecting';
    #call = null;
    #isClosed = false;
    #close;
    #whenClosed = new Promise(resolve => { this.#close = resolve; });

    constructor(client, connect, isAgain) {
        super();
        this.#client = client;
        this.#connect = connect;
        this.ended = this.#run(isAgain).finally(() => this.close());
        this.ended.catch(() => {});
    }

    get state() {
        return this.#state;
    }

    get call() {
        return this.#call;
    }

    close() {
        if (this.#isClosed) return;
        this.#isClosed = true;
        this.#close();
        this.#hangUp();
        this.#setState('closed');
    }

    async #run(isAgain) {
        let failures = 0;
        let coming = isAgain ? this.#newest(0) : this.#client.getGrant();

        for (;;) {
            const grant = await this.#orClosed(coming);

            if (this.#isClosed) return;
            failures = await this.#callOnce(grant) ? 0 : failures + 1;
            if (this.#isClosed) return;
            this.#setState('reconnecting');
            if (failures > 0)
                await this.#orClosed(new Promise(
                    done => setTimeout(done, backoff(failures))));
            if (this.#isClosed) return;
            coming = this.#newest(failures);
        }
    }

    /*
     * The provider may know more of a token than its age, and its room may be
     * another one by now: the server is asked once.  It may also be what is
     * not there, and then the token that lives has to do.
     */
    async #newest(failures) {
        const client = this.#client;

        if (failures < 2)
            await this.#briefly(client.refresh().catch(() => {}));
        return !client.error && client.remaining > USABLE
            ? client.grant : await client.getGrant();
    }

    /* Returns when the call is lost: whether it was one worth the name. */
    async #callOnce(grant) {
        const since = new Stopwatch();
        let lose;
        const lost = new Promise(resolve => { lose = resolve; });

        try {
            const connecting = Promise.resolve(this.#connect(grant, lose));

            this.#call = await this.#orClosed(connecting);
            if (this.#isClosed) {
                this.#call = null;
                connecting.then(hangUp, () => {});
                return true;
            }
            this.#setState('connected');
            await this.#orClosed(lost);
            await this.#briefly(this.#hangUp());
        } catch (error) {
            this.dispatchEvent(new CustomEvent('error',
                { detail: { error } }));
            return false;
        }
        return since.elapsed > SETTLED;
    }

    #hangUp() {
        const call = this.#call;

        this.#call = null;
        return hangUp(call);
    }

    /* What is of use, but not worth a call's being away for long. */
    async #briefly(promise) {
        let timer;
        const enough = new Promise(resolve => {
            timer = setTimeout(resolve, BRIEF);
        });

        await this.#orClosed(Promise.race([promise, enough]));
        clearTimeout(timer);
    }

    #orClosed(promise) {
        return Promise.race([promise, this.#whenClosed]);
    }

    #setState(state) {
        if (this.#state === state) return;
        this.#state = state;
        this.dispatchEvent(new CustomEvent('statechange',
            { detail: { state } }));
    }
}

/* An SDK may have noticed itself, and be at odds with being told. */
async function hangUp(call) {
    try {
        await call?.disconnect();
    } catch {
        // It is not there any more.
    }
}

/* Exponential, with full jitter. */
function backoff(tries) {
    return Math.random() * Math.min(RETRY_FIRST * 2 ** tries, RETRY_MOST);
}

/* The first-hand reason of a refusal, as a back end or PostgREST tells it. */
function refusal(response, text) {
    const { status } = response;
    const body = parsed(text) ?? {};
    const details = typeof body.details === 'string'
        ? parsed(body.details) ?? {} : body;
    const again = status === 408 || status === 425 || status === 429 ||
        status >= 500;

    return new VidtokenError(
        typeof body.message === 'string' ? body.message : `HTTP ${status}`, {
            status,
            reason: typeof details.reason === 'string' ? details.reason : null,
            details,
            retryAfter: retryAfter(response),
            // 409 asks for the other request.
            final: !again && status !== 409,
        });
}

/* Seconds, or a date, which is compared with the server's own. */
function retryAfter({ headers }) {
    const value = headers.get('Retry-After');

    if (value === null) return null;
    const wait = /^\d+$/.test(value)
        ? value * SECOND : Date.parse(value) - Date.parse(headers.get('Date'));

    return wait > 0 ? Math.min(wait, RETRY_AFTER_MOST) : null;
}

/* What a network's login page answers with 200 is no grant. */
function grantOf(text) {
    const grant = parsed(text);
    const isTime = time => !Number.isNaN(Date.parse(time));

    if (typeof grant?.access_token !== 'string' ||
        !Number.isInteger(grant.expires_in) ||
        !isTime(grant.issued_at) ||
        ![grant.refresh_at, grant.warn_at].every(
            time => !time || isTime(time)))
        throw new VidtokenError('the answer is no grant',
            { reason: 'bad_answer' });
    return grant;
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}
