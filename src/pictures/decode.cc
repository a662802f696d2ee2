#include "pictures/decode.h"

#include <algorithm>
#include <cstddef>
#include <memory>

#include <vips/vips.h>
// Needs what the other declares.
#include <vips/vector.h>

namespace hearth::pictures {
namespace {

constexpr std::uint64_t kMaxPixels = 300'000'000;  // panoramas, and cameras of 200 megapixels
constexpr int kQuality = 80;
constexpr std::size_t kTakenBytes = 19;

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
using Image = std::unique_ptr<VipsImage, Unref>;
using Source = std::unique_ptr<VipsSource, Unref>;

std::unexpected<std::string> refused() {
  std::string words = vips_error_buffer();
  vips_error_clear();
  words = words.substr(0, words.find('\n'));
  return std::unexpected(words.empty() ? "it cannot be read" : words);
}

// As EXIF has it, "2024:05:17 12:03:11", of when the camera took it. The clock is the place's where that was.
std::string taken(VipsImage* image) {
  for (const char* field : {"exif-ifd2-DateTimeOriginal", "exif-ifd2-DateTimeDigitized"}) {
    const char* text = nullptr;
    if (vips_image_get_typeof(image, field) == 0 || vips_image_get_string(image, field, &text) != 0) continue;
    const std::string moment = std::string(text).substr(0, kTakenBytes);
    const auto fits = [](char c) { return (c >= '0' && c <= '9') || c == ':' || c == ' '; };
    if (moment.size() == kTakenBytes && std::ranges::all_of(moment, fits)) return moment;
  }
  vips_error_clear();
  return {};
}

std::expected<std::string, std::string> small_of(int file, int size) {
  const Source source(vips_source_new_from_descriptor(file));
  if (!source) return refused();
  VipsImage* made = nullptr;
  if (vips_thumbnail_source(source.get(), &made, size, "height", size, "size", VIPS_SIZE_DOWN, "export_profile", "srgb",
                            nullptr) != 0) {
    return refused();
  }
  const Image image(made);
  void* bytes = nullptr;
  std::size_t count = 0;
  const std::unique_ptr<VipsArrayDouble, void (*)(VipsArrayDouble*)> white(
      vips_array_double_newv(1, 255.0), [](VipsArrayDouble* array) { vips_area_unref(VIPS_AREA(array)); });
  if (vips_jpegsave_buffer(image.get(), &bytes, &count, "Q", kQuality, "strip", TRUE, "optimize_coding", TRUE,
                           "background", white.get(), nullptr) != 0) {
    return refused();
  }
  std::string jpeg(static_cast<const char*>(bytes), count);
  g_free(bytes);
  return jpeg;
}

}  // namespace

bool start_decoding(const char* program) {
  if (vips_init(program) != 0) return false;
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  vips_vector_set_enabled(FALSE);  // it would write programs into memory, which confine() forbids
  vips_block_untrusted_set(TRUE);
  vips_operation_block_set("VipsForeignLoad", TRUE);
  for (const char* kind : {"Jpeg", "Png", "Webp", "Nsgif", "Tiff", "Heif"}) {
    vips_operation_block_set((std::string("VipsForeignLoad") + kind).c_str(), FALSE);
  }
  return true;
}

std::expected<Picture, std::string> look_at(int file, std::uint32_t size) {
  const Source source(vips_source_new_from_descriptor(file));
  if (!source) return refused();
  const Image image(vips_image_new_from_source(source.get(), "", "access", VIPS_ACCESS_SEQUENTIAL, nullptr));
  if (!image) return refused();
  Picture picture{.width = static_cast<std::uint32_t>(vips_image_get_width(image.get())),
                  .height = static_cast<std::uint32_t>(vips_image_get_height(image.get())),
                  .taken = taken(image.get()),
                  .small = {}};
  if (std::uint64_t{picture.width} * picture.height > kMaxPixels) {
    return std::unexpected("it has more than 300 megapixels");
  }
  constexpr int kFirstSideways = 5;  // EXIF's orientations from here on lie on their side
  if (vips_image_get_orientation(image.get()) >= kFirstSideways) std::swap(picture.width, picture.height);
  if (size == 0) return picture;
  std::expected<std::string, std::string> small = small_of(file, static_cast<int>(size));
  if (!small) return std::unexpected(small.error());
  picture.small = *std::move(small);
  return picture;
}

}  // namespace hearth::pictures
