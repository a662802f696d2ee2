// The checksums that tus's Upload-Checksum names.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::drive {

inline constexpr std::string_view kChecksums = "sha1,sha256,md5";

// What a piece of an upload is to have: "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=".
class Checksum {
 public:
  // Errors: kInvalidArgument, naming what there is.
  static Result<Checksum> parse(std::string_view header);
  ~Checksum();
  Checksum(Checksum&&) noexcept;
  Checksum& operator=(Checksum&&) noexcept;

  void update(std::string_view bytes);
  bool matches();  // what has been given to update(); once

 private:
  struct State;
  explicit Checksum(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace hearth::drive
