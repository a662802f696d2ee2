// What lies in a directory. A range over std::filesystem::directory_iterator would throw where the disk fails in the
// middle: an error_code is only for its beginning.
#pragma once

#include <filesystem>
#include <iterator>
#include <system_error>

namespace hearth {

// for (const auto& entry : Entries(directory, error)). Nothing, with `error`, where the directory cannot be read; ends
// early, with `error`, where the rest of it cannot.
class Entries {
 public:
  class Iterator {
   public:
    Iterator(std::filesystem::directory_iterator at, std::error_code& error) : at_(std::move(at)), error_(error) {}

    const std::filesystem::directory_entry& operator*() const { return *at_; }
    Iterator& operator++() {
      at_.increment(error_);
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return at_ == std::filesystem::directory_iterator(); }

   private:
    std::filesystem::directory_iterator at_;
    std::error_code& error_;
  };

  Entries(const std::filesystem::path& directory, std::error_code& error) : begin_(directory, error), error_(error) {}

  Iterator begin() const { return {begin_, error_}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::filesystem::directory_iterator begin_;
  std::error_code& error_;
};

}  // namespace hearth
