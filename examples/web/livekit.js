/*
 * livekit.js: a call over LiveKit, in place of echo.js
 *
 * livekit-client.esm.mjs is the file of that name in the npm package
 * livekit-client, beside this one.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/livekit.js
 */
import { DisconnectReason as Reason, Room } from './livekit-client.esm.mjs';

// Connecting again would not help, or would take the call from another tab.
const OVER = [Reason.DUPLICATE_IDENTITY, Reason.PARTICIPANT_REMOVED,
    Reason.ROOM_DELETED];

/*
 * Resolves to a call: what the others send is its stream, and share() tells it
 * what to send.  Interruptions that the SDK mends are not lost calls.
 */
export async function connect(grant, lost, over) {
    const room = new Room();
    const me = room.localParticipant;
    const stream = new MediaStream();

    room.on('trackSubscribed', ({ mediaStreamTrack: track }) =>
        stream.addTrack(track));
    room.on('trackUnsubscribed', ({ mediaStreamTrack: track }) =>
        stream.removeTrack(track));
    room.on('disconnected', reason => {
        if (reason === Reason.CLIENT_INITIATED) return;
        if (OVER.includes(reason)) over();
        else lost();
    });
    await room.connect(grant.server_url, grant.access_token);
    return Object.assign(room, {
        stream,
        share: ({ video, audio }) => Promise.all([
            me.setCameraEnabled(Boolean(video)),
            me.setMicrophoneEnabled(Boolean(audio))]),
    });
}
