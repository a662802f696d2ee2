#!/usr/bin/env python3
"""The program that bench/screen measures: a block that turns from red to blue and back at each key; beside it nothing
moves ("still"), noise scrolls ("moving"), lines of text come as in a terminal ("text"), or the pictures of a file
follow each other forth and back ("film", then the file: zlib of WIDTH x HEIGHT pixels, 4 bytes each).
`app.py moving 1280x720@60`: in so many pixels, so often a second. Each picture's number among those of its kind stands
below the block: twelve squares, white for 1, the lowest bit first, then the same ones the other way round.
With `--pictures 3,17` nothing is shown: the pictures with these numbers are written to stdout, 4 bytes for each pixel.
Xlib by ctypes, so that it needs no package."""
import ctypes
import ctypes.util
import math
import random
import select
import sys
import time
import zlib

X = ctypes.CDLL("libX11.so.6")
P, U, I, L = ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_ulong
for name, result, arguments in (
    ("XOpenDisplay", P, (ctypes.c_char_p,)),
    ("XDefaultScreen", I, (P,)),
    ("XDefaultRootWindow", L, (P,)),
    ("XDefaultVisual", P, (P, I)),
    ("XCreateSimpleWindow", L, (P, L, I, I, U, U, U, L, L)),
    ("XCreatePixmap", L, (P, L, U, U, U)),
    ("XCreateGC", P, (P, L, L, P)),
    ("XSetForeground", I, (P, P, L)),
    ("XSetGraphicsExposures", I, (P, P, I)),
    ("XLoadFont", L, (P, ctypes.c_char_p)),
    ("XSetFont", I, (P, P, L)),
    ("XFillRectangle", I, (P, L, P, I, I, U, U)),
    ("XDrawImageString", I, (P, L, P, I, I, ctypes.c_char_p, I)),
    ("XCreateImage", P, (P, P, U, I, I, P, U, U, I, I)),
    ("XGetImage", P, (P, L, I, I, U, U, L, I)),
    ("XDestroyImage", I, (P,)),
    ("XPutImage", I, (P, L, P, P, I, I, I, I, U, U)),
    ("XCopyArea", I, (P, L, L, P, I, I, U, U, I, I)),
    ("XSelectInput", I, (P, L, ctypes.c_long)),
    ("XMapWindow", I, (P, L)),
    ("XPending", I, (P,)),
    ("XNextEvent", I, (P, P)),
    ("XFlush", I, (P,)),
    ("XConnectionNumber", I, (P,)),
):
    function = getattr(X, name)
    function.restype, function.argtypes = result, arguments

kind = sys.argv[1]
WIDTH, HEIGHT, RATE = map(int, sys.argv[2].replace("@", "x").split("x"))
wanted = [int(number) for number in sys.argv[-1].split(",")] if sys.argv[-2] == "--pictures" else []
BLOCK = 320
BITS, SQUARE = 12, 16  # of the number
ROW, BASE = 13, 11  # of the font
RED, BLUE, GREY, BLACK, WHITE = 0xFF0000, 0x0000FF, 0x808080, 0x000000, 0xFFFFFF
KEY_PRESS, EXPOSE = 2, 12
Z_PIXMAP, ALL_PLANES = 2, 0xFFFFFFFF

display = X.XOpenDisplay(None)
screen = X.XDefaultScreen(display)
window = X.XCreateSimpleWindow(display, X.XDefaultRootWindow(display), 0, 0, WIDTH, HEIGHT, 0, 0, GREY)
context = X.XCreateGC(display, window, 0, None)
X.XSetGraphicsExposures(display, context, 0)
shown = X.XCreatePixmap(display, window, WIDTH, HEIGHT, 24) if wanted else window
color = RED


def fill(value, x, y, width, height):
    X.XSetForeground(display, context, value)
    X.XFillRectangle(display, shown, context, x, y, width, height)


def stored(pixels, height):
    pixmap = X.XCreatePixmap(display, window, WIDTH, height, 24)
    image = X.XCreateImage(display, X.XDefaultVisual(display, screen), 24, Z_PIXMAP, 0, pixels, WIDTH, height, 32, 0)
    X.XPutImage(display, pixmap, context, image, 0, 0, 0, 0, WIDTH, height)
    X.XFlush(display)
    return pixmap


def show(pixmap, offset):
    X.XCopyArea(display, pixmap, shown, context, BLOCK, offset, WIDTH - BLOCK, HEIGHT, BLOCK, 0)
    X.XCopyArea(display, pixmap, shown, context, 0, offset + BLOCK, BLOCK, HEIGHT - BLOCK, 0, BLOCK)


class Still:
    period = 1

    def draw(self, number):
        pass


class Moving:
    period = HEIGHT // math.gcd(3, HEIGHT)

    def __init__(self):
        numbers = random.Random(1)
        row = b"".join(bytes((a, (a * 3) % 256, 255 - a, 0)) for a in (numbers.randrange(256) for _ in range(WIDTH // 8))
                       for _ in range(8))
        pixels = b"".join(row[4 * (y % 97):] + row[:4 * (y % 97)] for y in range(2 * HEIGHT))
        self.noise = stored(pixels, 2 * HEIGHT)

    def draw(self, number):
        show(self.noise, 3 * number)


class Text:
    """Its own source, a line at a time; what stands there already is moved up, as terminals do it."""

    def __init__(self):
        with open(__file__, encoding="ascii") as file:
            columns = (WIDTH - BLOCK) // 6
            self.lines = [line.rstrip().ljust(columns)[:columns].encode() for line in file]
        self.period = len(self.lines)
        self.rows = HEIGHT // ROW
        self.last = None
        X.XSetFont(display, context, X.XLoadFont(display, b"fixed"))

    def draw(self, number):
        if self.last is None or number != (self.last + 1) % self.period:
            fill(BLACK, BLOCK, 0, WIDTH - BLOCK, HEIGHT)
            for row in range(self.rows):
                self.write(number - self.rows + 1 + row, row)
        else:
            X.XCopyArea(display, shown, shown, context, BLOCK, ROW, WIDTH - BLOCK, (self.rows - 1) * ROW, BLOCK, 0)
            self.write(number, self.rows - 1)
        self.last = number

    def write(self, number, row):
        line = self.lines[number % self.period]
        X.XSetForeground(display, context, WHITE)
        X.XDrawImageString(display, shown, context, BLOCK, row * ROW + BASE, line, len(line))


class Film:
    def __init__(self):
        with open(sys.argv[3], "rb") as file:
            pixels = zlib.decompress(file.read())
        size = 4 * WIDTH * HEIGHT
        self.pictures = [stored(pixels[at:at + size], HEIGHT) for at in range(0, len(pixels), size)]
        self.period = 2 * (len(self.pictures) - 1)

    def draw(self, number):
        show(self.pictures[min(number, self.period - number)], 0)


def draw_block():
    fill(color, 0, 0, BLOCK, BLOCK)


def draw(number):
    of_kind.draw(number)
    for at in range(2 * BITS):
        bit = number >> (at % BITS) & 1
        fill(WHITE if bit == (at < BITS) else BLACK, at * SQUARE, HEIGHT - SQUARE, SQUARE, SQUARE)


def picture():
    image = X.XGetImage(display, shown, 0, 0, WIDTH, HEIGHT, ALL_PLANES, Z_PIXMAP)
    data = ctypes.cast(image + 16, ctypes.POINTER(P))[0]
    pixels = ctypes.string_at(data, 4 * WIDTH * HEIGHT)
    X.XDestroyImage(image)
    return pixels


of_kind = {"still": Still, "moving": Moving, "text": Text, "film": Film}[kind]()
if wanted:
    fill(GREY, 0, 0, WIDTH, HEIGHT)
    draw_block()
    for number in range(of_kind.period):
        draw(number)
        if number in wanted:
            sys.stdout.buffer.write(picture())
    sys.exit()

X.XSelectInput(display, window, 1 | 1 << 15)
X.XMapWindow(display, window)
step = 0
due = time.monotonic()
event = ctypes.create_string_buffer(192)
while True:
    if not X.XPending(display):
        wait = max(0.0, due - time.monotonic()) if kind != "still" else None
        select.select([X.XConnectionNumber(display)], [], [], wait)
    while X.XPending(display):
        X.XNextEvent(display, event)
        happened = ctypes.cast(event, ctypes.POINTER(I))[0]
        if happened == KEY_PRESS:
            color = BLUE if color == RED else RED
        if happened in (KEY_PRESS, EXPOSE):
            draw_block()
        if happened == EXPOSE:
            draw(step)
    if kind != "still" and time.monotonic() >= due:
        step, due = (step + 1) % of_kind.period, max(due + 1 / RATE, time.monotonic())
        draw(step)
    X.XFlush(display)
