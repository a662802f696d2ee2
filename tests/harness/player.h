// A player that is not Hearth's: its end of a WebRTC session as WHEP sets it up, over the loopback. It knows none of
// the header extensions that Hearth's page knows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace hearth::e2e {

class Player {
 public:
  Player();
  ~Player();
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  std::string offer() const;
  // False: no handshake came about within a while.
  bool connect(const std::string& answer);
  // Takes in what comes until the picture's middle is of that colour (viewing.h), in that size; false: it never was.
  bool becomes(const std::string& colour, const std::filesystem::path& directory, int width, int height);
  // Whether the first picture that came needs no other.
  bool began_with_key() const;
  // Packets of pictures that come within a while.
  int packets_within(int milliseconds);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::e2e
