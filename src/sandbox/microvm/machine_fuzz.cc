// What a hostile machine could send through its port: whatever arrives, files land in the working directory or nowhere.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fcntl.h>

#include "base/check.h"
#include "sandbox/microvm/machine_listener.h"

namespace {

using hearth::Fd;
using hearth::sandbox::Ending;
using hearth::sandbox::Exit;
using hearth::sandbox::GuestUser;
using hearth::sandbox::Mount;
using hearth::sandbox::Stream;

// A plain directory instead of a mount; emptied after every input.
struct Place {
  Place() {
    std::string name = std::filesystem::temp_directory_path() / "hearth-fuzz-XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Place() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  const std::filesystem::path work = place.path / "work";
  std::filesystem::create_directory(work);
  {
    hearth::sandbox::WorkingDirectory directory(std::make_unique<Mount>(work, Mount::Borrowed{}),
                                                Fd(::open(work.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
                                                GuestUser{});
    hearth::sandbox::MachineListener listener(directory, "program");
    std::size_t printed = 0;
    const auto print = [&printed](Stream, std::string_view piece) { printed += piece.size(); };
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t cut = size / 2;
    listener.hear(Stream::kStdout, input.substr(0, cut), print);
    listener.hear(Stream::kStderr, input, print);
    listener.hear(Stream::kStdout, input.substr(cut), print);
    Exit exit;
    listener.conclude(Ending{.exit_code = 0, .kill_wanted = false}, print, exit);
    CHECK(printed <= size);
    CHECK(exit.started || !exit.message.empty());
  }
  std::filesystem::remove_all(work);
  for (const auto& entry : std::filesystem::directory_iterator(place.path)) CHECK(entry.path() == work);
  return 0;
}
