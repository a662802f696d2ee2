#!/usr/bin/env python3
"""The 3D program that bench/screen measures: a body of the Mandelbulb's kind, of which each pixel is found by marching
along a ray in a fragment shader (OpenGL 2.1); a block turns from red to blue and back at each key. `rays.py
1280x720@60`: in so many pixels, so often a second where the GPU keeps up. Says by what it is drawn, and how many
pictures it makes. Xlib and GLX by ctypes, so that it needs no package."""
import ctypes
import select
import sys
import time

X = ctypes.CDLL("libX11.so.6")
GL = ctypes.CDLL("libGL.so.1")
P, U, I, L, F = ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_ulong, ctypes.c_float
WIDTH, HEIGHT, RATE = map(int, sys.argv[1].replace("@", "x").split("x"))
BLOCK = 320
KEY_PRESS = 2


class VisualInfo(ctypes.Structure):
    _fields_ = [("visual", P), ("id", L), ("screen", I), ("depth", I), ("kind", I), ("red", L), ("green", L),
                ("blue", L), ("size", I), ("bits", I)]


class WindowAttributes(ctypes.Structure):
    _fields_ = [("background_pixmap", L), ("background", L), ("border_pixmap", L), ("border", L), ("bit_gravity", I),
                ("win_gravity", I), ("backing_store", I), ("planes", L), ("pixel", L), ("save_under", I),
                ("event_mask", ctypes.c_long), ("not_propagated", ctypes.c_long), ("redirect", I), ("colormap", L),
                ("cursor", L)]


for library, name, result, arguments in (
    (X, "XOpenDisplay", P, (ctypes.c_char_p,)),
    (X, "XDefaultScreen", I, (P,)),
    (X, "XDefaultRootWindow", L, (P,)),
    (X, "XCreateColormap", L, (P, L, P, I)),
    (X, "XCreateWindow", L, (P, L, I, I, U, U, U, I, U, P, L, P)),
    (X, "XMapWindow", I, (P, L)),
    (X, "XPending", I, (P,)),
    (X, "XNextEvent", I, (P, P)),
    (X, "XConnectionNumber", I, (P,)),
    (GL, "glXChooseVisual", ctypes.POINTER(VisualInfo), (P, I, P)),
    (GL, "glXCreateContext", P, (P, P, P, I)),
    (GL, "glXMakeCurrent", I, (P, L, P)),
    (GL, "glXSwapBuffers", None, (P, L)),
    (GL, "glGetString", ctypes.c_char_p, (U,)),
    (GL, "glCreateShader", U, (U,)),
    (GL, "glShaderSource", None, (U, I, P, P)),
    (GL, "glCompileShader", None, (U,)),
    (GL, "glGetShaderiv", None, (U, U, P)),
    (GL, "glGetShaderInfoLog", None, (U, I, P, P)),
    (GL, "glCreateProgram", U, ()),
    (GL, "glAttachShader", None, (U, U)),
    (GL, "glLinkProgram", None, (U,)),
    (GL, "glUseProgram", None, (U,)),
    (GL, "glGetUniformLocation", I, (U, ctypes.c_char_p)),
    (GL, "glUniform1f", None, (I, F)),
    (GL, "glRecti", None, (I, I, I, I)),
    (GL, "glFinish", None, ()),
):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments

VERTEX = "#version 120\nvoid main() { gl_Position = gl_Vertex; }"
FRAGMENT = """#version 120
uniform float time, blue;
float distance_to(vec3 at) {
  vec3 z = at;
  float slope = 1.0, radius = 0.0;
  for (int i = 0; i < 8; i++) {
    radius = length(z);
    if (radius > 2.0) break;
    float theta = 8.0 * acos(z.z / radius), phi = 8.0 * atan(z.y, z.x), power = pow(radius, 7.0);
    slope = power * 8.0 * slope + 1.0;
    z = power * radius * vec3(sin(theta) * cos(phi), sin(phi) * sin(theta), cos(theta)) + at;
  }
  return 0.5 * log(radius) * radius / slope;
}
void main() {
  vec2 at = gl_FragCoord.xy;
  if (at.x < %(block)d.0 && at.y > %(floor)d.0) { gl_FragColor = vec4(1.0 - blue, 0.0, blue, 1.0); return; }
  vec2 on = (2.0 * at - vec2(%(width)d.0, %(height)d.0)) / %(height)d.0;
  float turn = 0.5 * time, way = 0.0;
  vec3 ahead = normalize(vec3(on, 1.8));
  vec3 from = vec3(2.6 * sin(turn), 0.0, -2.6 * cos(turn));
  ahead.xz = vec2(ahead.x * cos(turn) - ahead.z * sin(turn), ahead.x * sin(turn) + ahead.z * cos(turn));
  float steps = 0.0;
  for (int i = 0; i < 96; i++) {
    float rest = distance_to(from + way * ahead);
    if (rest < 0.0008 || way > 4.0) break;
    way += rest;
    steps += 1.0;
  }
  float light = way > 4.0 ? 0.0 : 1.0 - steps / 96.0;
  gl_FragColor = vec4(light, 0.8 * light * light, 0.3 + 0.5 * light * on.y, 1.0);
}""" % {"block": BLOCK, "floor": HEIGHT - BLOCK, "width": WIDTH, "height": HEIGHT}


def shader(kind, text):
    made = GL.glCreateShader(kind)
    source = ctypes.c_char_p(text.encode())
    GL.glShaderSource(made, 1, ctypes.byref(source), None)
    GL.glCompileShader(made)
    good = I()
    GL.glGetShaderiv(made, 0x8B81, ctypes.byref(good))
    if not good.value:
        told = ctypes.create_string_buffer(4096)
        GL.glGetShaderInfoLog(made, 4096, None, told)
        sys.exit(told.value.decode())
    return made


display = X.XOpenDisplay(None) or sys.exit("no display")
root = X.XDefaultRootWindow(display)
wanted = (I * 4)(4, 5, 0, 0)  # GLX_RGBA, GLX_DOUBLEBUFFER
visual = GL.glXChooseVisual(display, X.XDefaultScreen(display), wanted)
if not visual:
    sys.exit("the display has no OpenGL")
of = visual.contents
attributes = WindowAttributes(event_mask=1, colormap=X.XCreateColormap(display, root, of.visual, 0))
window = X.XCreateWindow(display, root, 0, 0, WIDTH, HEIGHT, 0, of.depth, 1, of.visual, 1 << 3 | 1 << 11 | 1 << 13,
                         ctypes.byref(attributes))
X.XMapWindow(display, window)
GL.glXMakeCurrent(display, window, GL.glXCreateContext(display, visual, None, 1))
print("drawn by", GL.glGetString(0x1F01).decode(), flush=True)

program = GL.glCreateProgram()
for kind, text in ((0x8B31, VERTEX), (0x8B30, FRAGMENT)):
    GL.glAttachShader(program, shader(kind, text))
GL.glLinkProgram(program)
GL.glUseProgram(program)
time_at, blue_at = (GL.glGetUniformLocation(program, name) for name in (b"time", b"blue"))

blue = False
event = (ctypes.c_long * 24)()
begun = told = time.monotonic()
due, pictures = begun, 0
while True:
    while X.XPending(display):
        X.XNextEvent(display, ctypes.byref(event))
        if ctypes.cast(event, ctypes.POINTER(I))[0] == KEY_PRESS:
            blue = not blue
    GL.glUniform1f(time_at, time.monotonic() - begun)
    GL.glUniform1f(blue_at, float(blue))
    GL.glRecti(-1, -1, 1, 1)
    GL.glXSwapBuffers(display, window)
    GL.glFinish()
    pictures += 1
    now = time.monotonic()
    if now - told >= 5:
        print(f"{pictures / (now - told):.1f} pictures/s", flush=True)
        told, pictures = now, 0
    due = max(due + 1 / RATE, now)
    select.select([X.XConnectionNumber(display)], [], [], max(0.0, due - now))
    # A key is drawn at once; else the next picture is made when it is due.
    if not X.XPending(display) and time.monotonic() < due:
        time.sleep(due - time.monotonic())
