/*
 * time.mjs: a machine whose clocks a test moves, for client.test.mjs
 *
 * Replaces the clocks and timers that vidtoken-client.js uses, and fetch, by
 * a server that counts seconds on a clock of its own.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/time.mjs
 */

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

/* Lets everything happen that needs no time. */
export async function settle() {
    for (let turn = 0; turn < 20; turn++)
        await new Promise(done => setImmediate(done));
}

export class Machine {
    #timers = new Map();
    #lastTimer = 0;

    constructor({ dateIsWrongBy = 0 } = {}) {
        this.monotonic = 5000;
        this.date = Date.UTC(2026, 2, 2, 10) + dateIsWrongBy;
        globalThis.performance.now = () => this.monotonic;
        Date.now = () => this.date;
        globalThis.setTimeout = (run, delay) => {
            this.#timers.set(++this.#lastTimer,
                { run, at: this.monotonic + delay });
            return this.#lastTimer;
        };
        // node has no window to tell of the network.
        const window = new EventTarget();

        for (const method of ['addEventListener', 'dispatchEvent'])
            globalThis[method] = window[method].bind(window);
        globalThis.clearTimeout = id => this.#timers.delete(id);
    }

    /* How many timers there are. */
    get timers() {
        return this.#timers.size;
    }

    /* Time passes, and each timer runs when it is due. */
    async pass(length) {
        const end = this.monotonic + length;

        await settle();
        for (;;) {
            const [id, timer] = [...this.#timers].sort(
                ([, a], [, b]) => a.at - b.at)[0] ?? [];

            if (!timer || timer.at > end) break;
            this.#timers.delete(id);
            this.#move(Math.max(timer.at - this.monotonic, 0));
            timer.run();
            await settle();
        }
        this.#move(end - this.monotonic);
        await settle();
    }

    /*
     * The lid is closed: nothing runs, and not every monotonic clock goes on.
     */
    async sleep(length, { monotonicGoesOn = false } = {}) {
        this.date += length;
        this.world(length);
        if (monotonicGoesOn) this.monotonic += length;
        await this.pass(0);
    }

    /* What goes on outside of this machine. */
    world() {}

    #move(length) {
        this.monotonic += length;
        this.date += length;
        this.world(length);
    }
}

/* A server with the default policy, and an appointment that starts now. */
export class Server {
    constructor(machine, { minutes = 60, opensIn = 0 } = {}) {
        this.now = Date.UTC(2026, 2, 2, 10) + 250;
        this.opensAt = this.now + opensIn;
        this.endsAt = this.now + minutes * MINUTE;
        this.minutes = minutes;
        this.requests = [];
        this.answers = [];          // instead of a grant, one a request
        this.identity = '2-jane';
        this.room = 'apt-47';
        machine.world = length => { this.now += length; };
        globalThis.fetch = (url, options) => this.#fetch(url, options);
    }

    get counts() {
        return Object.fromEntries(['POST', 'GET'].map(method =>
            [method, this.requests.filter(r => r.method === method).length]));
    }

    async #fetch(url, { method, headers, signal }) {
        signal.throwIfAborted();
        this.requests.push({ method, url, headers, at: this.now });
        const answer = this.answers.shift() ?? (this.now < this.opensAt
            ? refusal(425, 'too_early', {
                now: new Date(this.now).toISOString(),
                opens_at: new Date(this.opensAt).toISOString(),
            })
            : this.grant());

        if (answer === 'nothing') throw new TypeError('Failed to fetch');
        if (answer === 'never')
            return await new Promise((_, reject) =>
                signal.addEventListener('abort',
                    () => reject(signal.reason)));
        if (answer instanceof Promise) return await answer;
        if (answer instanceof Response) return answer;
        return Response.json(answer);
    }

    grant({ life, refreshable } = {}) {
        const hardStop = this.endsAt + 120 * MINUTE;
        const longest = Math.min(Math.max(this.minutes + 30, 60), 240);
        const issuedAt = Math.floor(this.now / SECOND) * SECOND;
        const expiresAt = Math.min(issuedAt + (life ?? longest * MINUTE),
            hardStop);
        const iso = time => new Date(time).toISOString();

        return {
            access_token: `token ${this.requests.length} of ${issuedAt}`,
            room_name: this.room,
            user_identity: this.identity,
            expires_in: Math.round((expiresAt - issuedAt) / SECOND),
            expires_at: iso(expiresAt),
            issued_at: iso(issuedAt),
            refresh_at: (refreshable ?? expiresAt < hardStop)
                ? iso(expiresAt - 5 * MINUTE) : null,
            warn_at: iso(expiresAt - 10 * MINUTE),
        };
    }
}

export function refusal(status, reason, more = {}, headers = {}) {
    return Response.json({ code: `PT${status}`, message: 'refused', reason,
        ...more }, { status, headers });
}
