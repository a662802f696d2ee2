// Reads one film by ffmpeg, which becomes a process of its own that is shut off before it begins (confine.h). What that
// says is read by one that has shut itself off, too:
//
//   const int said = start_film_reader(file, order.size);
//   confine();
//   film_of(said, order.size)
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "pictures/answer.h"

namespace hearth::pictures {

// Where ffmpeg's words come from, until it ends: of an open film a frame of a second in, or the first one, or, if
// `size` is 0, its tags. -1: it could not be started. `size`: as in Order.
int start_film_reader(int file, std::uint32_t size);

// What was said so. The small picture lies as people see it and holds nothing else. Why not: a sentence for a person.
std::expected<Picture, std::string> film_of(int said, std::uint32_t size);

// When a film was made, as Picture::taken, out of ffmpeg's list of its tags: Apple's, which tells the clock of the
// place, before those of all containers, which are UTC. Empty: it does not say, or a clock said it that was never set.
std::string taken_of_tags(std::string_view tags);

}  // namespace hearth::pictures
