// AES-256 in counter mode (NIST SP 800-38A), of which any part can be enciphered alone; and SHA-1, where a protocol
// wants it. By OpenSSL.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace hearth::net {

// Enciphers, or deciphers, which is the same. A key is good for one content: two under one key tell each other.
class CounterCipher {
 public:
  static constexpr std::size_t kKeyBytes = 32;

  // From `offset` on, a multiple of 16 bytes.
  CounterCipher(std::string_view key, std::uint64_t offset);
  ~CounterCipher();
  CounterCipher(const CounterCipher&) = delete;
  CounterCipher& operator=(const CounterCipher&) = delete;

  // In place; goes on where the last call ended.
  void apply(std::string& bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha1(std::string_view bytes);  // 20 bytes

}  // namespace hearth::net
