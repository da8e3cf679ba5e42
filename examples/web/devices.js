/*
 * devices.js: the camera and the microphone, and what keeps them from working
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/devices.js
 */

/* By the names of getUserMedia's errors. */
const TROUBLE = {
    NotAllowedError: 'not allowed. The lock or camera sign beside the ' +
        'address of this page lets you allow it',
    NotFoundError: 'not found',
    NotReadableError: 'used by another program',
    OverconstrainedError: 'not found',
};

/*
 * One camera or microphone.  Tells of a "change" of its state: off, asking,
 * on, or trouble, with the words for it.
 */
export class Device extends EventTarget {
    #constraints;
    #wanted = false;
    state = 'off';
    trouble = '';
    track = null;

    constructor(kind, constraints = true) {
        super();
        this.kind = kind;
        this.#constraints = { [kind]: constraints };
        this.#watchPermission();
    }

    async turnOn() {
        if (this.#wanted) return;
        this.#wanted = true;
        this.#become('asking');
        try {
            if (!navigator.mediaDevices)
                throw new DOMException('', 'NotAllowedError');
            const stream = await navigator.mediaDevices.getUserMedia(
                this.#constraints);
            const [track] = stream.getTracks();

            // It was turned off while the user was asked.
            if (!this.#wanted) return track.stop();
            this.track = track;
            track.onended = () => this.turnOff();
            this.#become('on');
        } catch (error) {
            this.#wanted = false;
            this.#become('trouble', TROUBLE[error.name] ?? 'not to be had');
        }
    }

    turnOff() {
        this.#wanted = false;
        this.track?.stop();
        this.track = null;
        this.#become('off');
    }

    toggle() {
        return this.#wanted ? this.turnOff() : this.turnOn();
    }

    /* Who allows it in the browser's settings need not press again. */
    async #watchPermission() {
        try {
            const permission = await navigator.permissions.query({
                name: this.kind === 'video' ? 'camera' : 'microphone' });

            permission.onchange = () => {
                if (permission.state === 'granted' &&
                    this.state === 'trouble') this.turnOn();
                if (permission.state === 'denied') this.turnOff();
            };
        } catch {
            // Not every browser tells.
        }
    }

    #become(state, trouble = '') {
        this.state = state;
        this.trouble = trouble;
        this.dispatchEvent(new Event('change'));
    }
}
