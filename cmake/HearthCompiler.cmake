# Flags that every target shares: warnings as errors, sanitizers by preset, ccache and mold where present.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-designated-field-initializers -Werror -fno-omit-frame-pointer)
# Asio 1.22 looks for the coroutines of an older clang; these tell it that the standard ones are there.
add_compile_definitions(ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_HAS_CO_AWAIT=1 ASIO_HAS_STD_COROUTINE=1)
add_compile_definitions(SPDLOG_FMT_EXTERNAL)

set(HEARTH_SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread")
if(HEARTH_SANITIZE)
  add_compile_options(-fsanitize=${HEARTH_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HEARTH_SANITIZE})
endif()

# Without it a fuzzer sees which branches it takes in its own file alone, and not in the library that it feeds.
option(HEARTH_FUZZ_COVERAGE "let the libraries tell the fuzzers which branches they take" OFF)
if(HEARTH_FUZZ_COVERAGE)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
add_compile_definitions(HEARTH_VERSION="${PROJECT_VERSION}")
