/*
 * echo.js: a call with oneself, where a provider's SDK would be
 *
 * Makes a WebRTC connection inside of this page, which sends the camera and
 * microphone of one side to the other, as a provider's room would.  livekit.js
 * does the same with others.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * examples/web/echo.js
 */

/*
 * Resolves to a call when both sides are connected.  Its stream is what the
 * other side sends; share() tells it which tracks to send.  An SDK also calls
 * over() when the participant was taken out, or came from elsewhere.
 */
export async function connect(grant, lost) {
    const here = new RTCPeerConnection();
    const there = new RTCPeerConnection();
    const senders = {};
    const stream = new MediaStream();
    let hungUp = false;

    for (const [one, other] of [[here, there], [there, here]])
        one.onicecandidate = ({ candidate }) => other.addIceCandidate(
            candidate ?? undefined).catch(() => {});
    // What comes in there goes out again.
    there.ontrack = ({ track, transceiver }) => {
        transceiver.direction = 'sendrecv';
        transceiver.sender.replaceTrack(track);
    };
    here.ontrack = ({ track }) => stream.addTrack(track);
    for (const kind of ['video', 'audio'])
        senders[kind] = here.addTransceiver(kind).sender;

    await here.setLocalDescription();
    await there.setRemoteDescription(here.localDescription);
    await there.setLocalDescription();
    await here.setRemoteDescription(there.localDescription);
    await connected(here);

    here.onconnectionstatechange = () => {
        if (here.connectionState === 'failed' && !hungUp) lost();
    };
    return {
        stream,
        // Loudspeaker and microphone would howl.
        isEcho: true,
        share: ({ video = null, audio = null }) => Promise.all([
            senders.video.replaceTrack(video),
            senders.audio.replaceTrack(audio)]),
        disconnect: () => {
            hungUp = true;
            here.close();
            there.close();
        },
    };
}

function connected(connection) {
    return new Promise((resolve, reject) => {
        connection.onconnectionstatechange = () => {
            if (connection.connectionState === 'connected') resolve();
            if (connection.connectionState === 'failed')
                reject(new Error('no way between the two sides'));
        };
    });
}
