/*
 * portrait.mjs: somebody before the camera, for the pictures of the page
 *
 * Draws a person in a room, who nods a little, as an uncompressed film that
 * chromium takes for what its fake camera sees.
 *
 * Copyright (c) 2026, the vidtoken authors
 *
 * test/e2e/lib/portrait.mjs
 */
import { createWriteStream } from 'node:fs';
import { once } from 'node:events';

const WIDTH = 640;
const HEIGHT = 480;
const FRAMES = 20;

/* The first shape that a point is in gives it its colour. */
function colourAt(x, y, nod) {
    const inside = (cx, cy, rx, ry) =>
        ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1;
    const face = 205 + nod;

    // glasses
    for (const eye of [289, 351]) {
        if (inside(eye, face - 2, 25, 21) && !inside(eye, face - 2, 21, 17))
            return [52, 48, 60];
        if (inside(eye, face + 1, 5, 6)) return [52, 40, 36];
    }
    if (Math.abs(y - face) < 2 && Math.abs(x - 320) < 7) return [52, 48, 60];
    // mouth
    if (inside(320, face + 42, 22, 11) && y > face + 43)
        return [176, 84, 80];
    // fringe, face, hair
    if (inside(320, face - 38, 84, 72) && y < face - 44 + (x - 320) / 14)
        return [74, 50, 40];
    if (inside(320, face, 74, 94)) return [226, 176, 146];
    if (inside(320, face + 12, 96, 122) && y < face + 105)
        return [64, 43, 35];
    // neck, collar, coat
    if (Math.abs(x - 320) < 34 && y > face + 60 && y < 340)
        return [208, 158, 130];
    if (inside(320, 326, 62, 34)) return [236, 240, 240];
    if (inside(320, 500, 210, 178)) {
        const fold = Math.abs(x - 320) < 2 && y > 350 ? -18 : 0;

        return [58 + fold, 110 + fold, 122 + fold];
    }
    return room(x, y);
}

/* A window with evening light, a shelf with books, a plant. */
function room(x, y) {
    if (x > 44 && x < 206 && y > 46 && y < 250) {
        const isBar = Math.abs(x - 125) < 4 || Math.abs(y - 140) < 4;

        return isBar ? [224, 218, 206]
            : [188 + y / 6, 206 + y / 12, 214 - y / 10];
    }
    if (y > 200 && y < 210 && x > 452 && x < 612) return [146, 108, 78];
    if (y > 132 && y <= 200 && x > 466 && x < 596) {
        const book = Math.floor((x - 466) / 19);

        if (y > 134 + (book * 13) % 26)
            return [[96, 124, 118], [196, 142, 96], [122, 96, 112],
                [214, 192, 150], [84, 104, 132]][book % 5];
    }
    const shade = 1 - 0.16 * (y / HEIGHT) - 0.1 * Math.abs(x - 200) / WIDTH;

    return [222 * shade, 212 * shade, 196 * shade];
}

function frame(nod) {
    const size = WIDTH * HEIGHT;
    const pixels = Buffer.alloc(size * 3 / 2);

    for (let y = 0; y < HEIGHT; y++)
        for (let x = 0; x < WIDTH; x++) {
            const [r, g, b] = colourAt(x, y, nod);

            pixels[y * WIDTH + x] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
            if (x % 2 || y % 2) continue;
            const at = size + (y / 2) * (WIDTH / 2) + x / 2;

            pixels[at] = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
            pixels[at + size / 4] = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
        }
    return pixels;
}

/* Writes the film, and returns its path. */
export async function portrait(path) {
    const file = createWriteStream(path);

    file.write(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`);
    for (let index = 0; index < FRAMES; index++) {
        file.write('FRAME\n');
        file.write(frame(Math.round(
            4 * Math.sin(2 * Math.PI * index / FRAMES))));
    }
    file.end();
    await once(file, 'finish');
    return path;
}
