// Carries a file within the program: HEARTH_EMBED(hearth_init, "/path/to/it") at namespace scope outside of any
// namespace, then HEARTH_EMBEDDED(hearth_init).
#pragma once

#include <cstddef>
#include <string_view>

#define HEARTH_EMBED(name, path)        \
  asm(".section .rodata\n"              \
      ".balign 16\n"                    \
      ".global " #name "_begin\n" #name \
      "_begin:\n"                       \
      ".incbin \"" path                 \
      "\"\n"                            \
      ".global " #name "_end\n" #name   \
      "_end:\n"                         \
      ".byte 0\n"                       \
      ".text\n");                       \
  extern "C" const char name##_begin[]; \
  extern "C" const char name##_end[]

#define HEARTH_EMBEDDED(name) std::string_view(name##_begin, static_cast<std::size_t>(name##_end - name##_begin))
