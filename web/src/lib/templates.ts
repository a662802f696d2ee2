// Programs to begin with: each does something that shows in a few seconds.
export type Language = "python" | "cpp" | "shell" | "file";

export interface LanguageInfo {
  label: string;
  file: string; // the program's name among the inputs
  template: string;
}

const kPython = `import os, struct, zlib

# Each task draws its own part of the Mandelbrot set.
task = int(os.environ["HEARTH_TASK_INDEX"])
zoom = 1.6 ** task
size, steps = 360, 120

def color(n):
    if n == steps:
        return bytes((24, 14, 8))
    t = n / steps
    return bytes((min(255, int(900 * t)), min(255, int(380 * t)), int(120 * t)))

rows = bytearray()
for y in range(size):
    rows.append(0)
    for x in range(size):
        c = complex(-0.7436 + (x / size - 0.5) * 3 / zoom, 0.1318 + (y / size - 0.5) * 3 / zoom)
        z, n = 0j, 0
        while n < steps and z.real * z.real + z.imag * z.imag < 4:
            z, n = z * z + c, n + 1
        rows += color(n)
    if y % 36 == 35:
        print(f"{100 * (y + 1) // size} %", flush=True)

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

with open(f"picture-{task}.png", "wb") as out:
    out.write(b"\\x89PNG\\r\\n\\x1a\\n")
    out.write(chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)))
    out.write(chunk(b"IDAT", zlib.compress(bytes(rows))))
    out.write(chunk(b"IEND", b""))
`;

const kCpp = `#include <cmath>
#include <cstdio>
#include <cstdlib>

// Each task grows its own sunflower.
int main() {
  const int task = std::atoi(std::getenv("HEARTH_TASK_INDEX"));
  char name[32];
  std::snprintf(name, sizeof name, "flower-%d.svg", task);
  std::FILE* out = std::fopen(name, "w");
  std::fprintf(out, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-110 -110 220 220'>\\n");
  const double angle = 2.39996 + task * 0.002;
  for (int i = 1; i < 900; ++i) {
    const double r = 3.4 * std::sqrt(i);
    std::fprintf(out, "<circle cx='%.2f' cy='%.2f' r='%.2f' fill='hsl(%d 85%% 55%%)'/>\\n",
                 r * std::cos(i * angle), r * std::sin(i * angle), 0.6 + i / 500.0, 8 + i / 20);
  }
  std::fprintf(out, "</svg>\\n");
  std::fclose(out);
  std::printf("wrote %s\\n", name);
}
`;

const kShell = `#!/bin/sh
# Which PC is this, and what does it have?
echo "task $HEARTH_TASK_INDEX of $HEARTH_TASK_COUNT"
uname -srm
nproc
head -3 /proc/meminfo
date > when.txt
`;

export const kLanguages: Record<Language, LanguageInfo> = {
  python: { label: "Python", file: "main.py", template: kPython },
  cpp: { label: "C++", file: "main.cpp", template: kCpp },
  shell: { label: "Shell", file: "main.sh", template: kShell },
  file: { label: "A file", file: "", template: "" },
};

// The language of a file that can be edited as text; "file" for everything else.
export function language_of(file_name: string): Language {
  const ending = file_name.slice(file_name.lastIndexOf(".") + 1).toLowerCase();
  if (ending === "py") return "python";
  if (["cpp", "cc", "cxx"].includes(ending)) return "cpp";
  if (ending === "sh") return "shell";
  return "file";
}
