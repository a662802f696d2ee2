// Reads one picture by libvips: what it says of itself, and a small one of it. Called where nothing is to be lost: see
// confine.h.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "pictures/answer.h"

namespace hearth::pictures {

// Once, before any other: readies libvips, with the loaders of kinds of pictures that phones and cameras make alone
// (JPEG, PNG, WebP, GIF, TIFF, HEIC and AVIF). False: it does not work here.
bool start_decoding(const char* program);

// Of an open file. `size`: as in Order. The small picture lies as people see it (EXIF's rotation is done), in sRGB, on
// white where it is transparent, and holds nothing else. Why not: a sentence for a person.
std::expected<Picture, std::string> look_at(int file, std::uint32_t size);

}  // namespace hearth::pictures
