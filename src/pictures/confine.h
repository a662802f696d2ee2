// What a process that reads one picture, or film, still may do: think, with the memory and time it has, read what it
// has open and write its answer.
#pragma once

namespace hearth::pictures {

// For the calling process and what threads it makes. From here on it opens nothing, starts nothing, signals nobody, and
// ends when it needs more than 512 MiB or 15 s of a processor. False: the kernel refuses; nothing may be read then.
bool confine();

// The same for one that becomes a program: it opens files to read them, and may run what lies in them, as programs do.
// It makes no process.
bool confine_program();

}  // namespace hearth::pictures
