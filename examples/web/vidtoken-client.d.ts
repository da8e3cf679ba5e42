/*
 * vidtoken-client.d.ts: what vidtoken-client.js offers
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/vidtoken-client.d.ts
 */

/** The answer of the token endpoint: a vidtoken_grant as JSON. */
export interface VidtokenGrant {
    access_token: string;
    room_name: string;
    user_identity: string;
    /** Seconds from issued_at to expires_at. */
    expires_in: number;
    /** All times are ISO 8601, by the server's clock. */
    expires_at: string;
    appointment_id: number | string;
    appointment_duration_minutes: number;
    token_valid_until: string;
    issued_at: string;
    /** Null when the token lasts as long as any may. */
    refresh_at: string | null;
    warn_at: string | null;
    role: string;
    provider: string;
    server_url: string | null;
}

export interface VidtokenOptions {
    appointmentId: number | string;
    /** The default is "/api/appointments". */
    baseUrl?: string;
    /** The default is `${baseUrl}/video-token/${appointmentId}/`, with POST. */
    issueUrl?: string;
    /** `${baseUrl}/video-token-refresh/${appointmentId}/`, with GET. */
    refreshUrl?: string;
    /** Such as Authorization; a function is called before every request. */
    headers?: Record<string, string> |
        (() => Record<string, string> | Promise<Record<string, string>>);
    /** How long to wait for an answer, in milliseconds: 15000. */
    timeout?: number;
    /** Instead of the global one. */
    fetch?: typeof fetch;
}

export type VidtokenState =
    /** start() was not called yet. */
    | 'idle'
    /** The room is not open yet. It is asked for again when it opens. */
    | 'waiting'
    | 'fresh'
    /** Near the expiry, and not refreshed yet. */
    | 'warning'
    /** No token until the server can be reached again. */
    | 'expired'
    /** The server has refused for good: see error. */
    | 'failed'
    | 'closed';

export class VidtokenError extends Error {
    /** The HTTP status, 0 without an answer. */
    readonly status: number;
    /**
     * What the server said (not_found, no_session, too_early, ended,
     * cancelled, revoked, no_user), or network, timeout, bad_answer, closed.
     */
    readonly reason: string | null;
    /** Of a refusal: reason, opens_at, closes_at, now. */
    readonly details: Record<string, unknown> | null;
    readonly retryAfter: number | null;
    /** Whether asking again is of no use: 401, 403, 404, 410 and the like. */
    readonly final: boolean;
}

export interface VidtokenEvents {
    /** The first token. */
    issued: CustomEvent<{ grant: VidtokenGrant; previous: null }>;
    /** A token that follows another one, also when another tab got it. */
    refreshed: CustomEvent<{ grant: VidtokenGrant; previous: VidtokenGrant }>;
    /** warn_at has passed. refreshIn is null when no later token will come. */
    warning: CustomEvent<{
        grant: VidtokenGrant; remaining: number; refreshIn: number | null;
    }>;
    expired: CustomEvent<{ grant: VidtokenGrant }>;
    /** Nothing more will be asked for, unless start() is called again. */
    failed: CustomEvent<{
        error: VidtokenError; status: number; reason: string | null;
    }>;
    /** Too early: opensIn milliseconds, both times by the server's clock. */
    waiting: CustomEvent<{ opensAt: string; opensIn: number }>;
    /** The server could not be reached, or not answer; asked again in wait. */
    retrying: CustomEvent<{
        error: VidtokenError; tries: number; wait: number;
    }>;
    statechange: CustomEvent<{ state: VidtokenState }>;
}

/** A call of an SDK, such as the Room of LiveKit or of Twilio. */
export interface Call {
    /** Also called for a call that was lost; what it throws is of no use. */
    disconnect(): unknown;
}

export class VidtokenClient extends EventTarget {
    constructor(options: VidtokenOptions);

    readonly state: VidtokenState;
    readonly grant: VidtokenGrant | null;
    /** Why the state is failed. */
    readonly error: VidtokenError | null;
    /** Milliseconds that the token has left; 0 without one. */
    readonly remaining: number;
    /** The server's time in milliseconds since 1970, null while unknown. */
    readonly serverNow: number | null;

    /**
     * Asks for the first token and keeps it fresh from then on. While the
     * room is not open, or the server cannot be reached, it waits. After a
     * failure, say when the user has logged in again, it begins anew.
     */
    start(): Promise<VidtokenGrant>;

    /**
     * A token that can be used now. One that is due to be replaced is
     * replaced first, or the refresh that is under way is joined; while the
     * server cannot be reached, one that still lives has to do.
     */
    getToken(): Promise<string>;
    /** The same, with everything that belongs to the token. */
    getGrant(): Promise<VidtokenGrant>;

    /** Asks for a new token now. The client calls this itself in time. */
    refresh(): Promise<VidtokenGrant>;

    /**
     * Connects a call, and connects it again when it was lost or could not be
     * had, with the token that is fresh then: the server is asked for a new
     * one, and within seconds one that still lives has to do. So it is when an
     * earlier call was closed, whose room may be another one by now. connect()
     * is never called while a call lives: with the same identity that would
     * end it, so a call that was lost is hung up first. It calls lost() when
     * the call was lost; not when the user has left, was taken out, or was
     * taken over from elsewhere: close() is for that.
     */
    keepConnected<T extends Call>(
        connect: (grant: VidtokenGrant, lost: () => void) => Promise<T>,
    ): VidtokenConnection<T>;

    /** Ends everything, the calls of keepConnected() included. */
    close(): void;

    addEventListener<K extends keyof VidtokenEvents>(
        type: K, listener: (event: VidtokenEvents[K]) => unknown,
        options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener(
        type: string, listener: EventListenerOrEventListenerObject | null,
        options?: boolean | AddEventListenerOptions,
    ): void;
}

export interface VidtokenConnection<T extends Call> extends EventTarget {
    readonly state: 'connecting' | 'connected' | 'reconnecting' | 'closed';
    /** What connect() returned; null while there is no call. */
    readonly call: T | null;
    /** Resolved by close(), rejected with what ended the client's work. */
    readonly ended: Promise<void>;
    /** Hangs up, also what connect() returns later; connects no more. */
    close(): void;

    addEventListener(
        type: 'statechange',
        listener: (event: CustomEvent<{
            state: 'connecting' | 'connected' | 'reconnecting' | 'closed';
        }>) => unknown,
        options?: boolean | AddEventListenerOptions,
    ): void;
    /** What connect() threw; it is called again, ever more slowly. */
    addEventListener(
        type: 'error',
        listener: (event: CustomEvent<{ error: unknown }>) => unknown,
        options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener(
        type: string, listener: EventListenerOrEventListenerObject | null,
        options?: boolean | AddEventListenerOptions,
    ): void;
}
