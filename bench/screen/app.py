#!/usr/bin/env python3
"""The program that bench/screen measures: a block that turns from red to blue and back at each key; beside it nothing
moves ("still"), or noise that scrolls ("moving"). `app.py moving 1280x720@60`: in so many pixels, so often a second.
Xlib by ctypes, so that it needs no package."""
import ctypes
import ctypes.util
import random
import select
import sys
import time

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
    ("XFillRectangle", I, (P, L, P, I, I, U, U)),
    ("XCreateImage", P, (P, P, U, I, I, P, U, U, I, I)),
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

WIDTH, HEIGHT, RATE = map(int, sys.argv[2].replace("@", "x").split("x"))
BLOCK = 320
RED, BLUE = 0xFF0000, 0x0000FF
KEY_PRESS, EXPOSE = 2, 12

moving = sys.argv[1] == "moving"
display = X.XOpenDisplay(None)
screen = X.XDefaultScreen(display)
window = X.XCreateSimpleWindow(display, X.XDefaultRootWindow(display), 0, 0, WIDTH, HEIGHT, 0, 0, 0x808080)
context = X.XCreateGC(display, window, 0, None)
X.XSelectInput(display, window, 1 | 1 << 15)
X.XMapWindow(display, window)

tall = 2 * HEIGHT
noise = X.XCreatePixmap(display, window, WIDTH, tall, 24)
numbers = random.Random(1)
row = b"".join(bytes((a, (a * 3) % 256, 255 - a, 0)) for a in (numbers.randrange(256) for _ in range(WIDTH // 8)) for _ in range(8))
pixels = b"".join(row[4 * (y % 97):] + row[:4 * (y % 97)] for y in range(tall))
image = X.XCreateImage(display, X.XDefaultVisual(display, screen), 24, 2, 0, pixels, WIDTH, tall, 32, 0)
X.XPutImage(display, noise, context, image, 0, 0, 0, 0, WIDTH, tall)

color = RED


def draw_block():
    X.XSetForeground(display, context, color)
    X.XFillRectangle(display, window, context, 0, 0, BLOCK, BLOCK)


step = 0
due = time.monotonic()
event = ctypes.create_string_buffer(192)
while True:
    if not X.XPending(display):
        wait = max(0.0, due - time.monotonic()) if moving else None
        select.select([X.XConnectionNumber(display)], [], [], wait)
    while X.XPending(display):
        X.XNextEvent(display, event)
        kind = ctypes.cast(event, ctypes.POINTER(I))[0]
        if kind == KEY_PRESS:
            color = BLUE if color == RED else RED
        if kind in (KEY_PRESS, EXPOSE):
            draw_block()
    if moving and time.monotonic() >= due:
        step, due = step + 3, max(due + 1 / RATE, time.monotonic())
        offset = step % HEIGHT
        X.XCopyArea(display, noise, window, context, BLOCK, offset, WIDTH - BLOCK, HEIGHT, BLOCK, 0)
        X.XCopyArea(display, noise, window, context, 0, offset, BLOCK, HEIGHT - BLOCK, 0, BLOCK)
    X.XFlush(display)
