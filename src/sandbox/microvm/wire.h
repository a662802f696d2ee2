// The records that a Host and the machine it started exchange: on a read-only disk towards the guest, through a serial
// port back. Used on both sides. On the Host's side they come from a stranger.
//
//   record := kind:u8 flags:u8 name_bytes:u16 number:u32 size:u64, little-endian, then the name, then `size` bytes
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::sandbox::wire {

enum class Kind : std::uint8_t {
  kEnd = 0,  // nothing follows
  // To the guest.
  kArgument = 1,  // content: one of the program's
  kVariable = 2,  // name and content
  kFilter = 3,    // content: the list of allowed system calls, as BPF
  kLimit = 4,     // name: see limit names below; content: a decimal number
  kFile = 5,  // both ways; name: path in the working directory; content; flags: kExecutable, kReadOnly (to the guest)
  // From the guest.
  kStarted = 6,     // the program runs
  kNotStarted = 7,  // number: errno of its execution
  kStdout = 8,      // content: at most kMaxPieceBytes
  kStderr = 9,
  kExit = 10,     // number: as a shell counts it; flags: kOutOfMemory
  kRemoved = 11,  // name: an input that is no longer there
};
constexpr Kind kLastKind = Kind::kRemoved;

constexpr std::uint8_t kExecutable = 1;
constexpr std::uint8_t kReadOnly =
    2;  // an input that is shown in place elsewhere: it can be neither changed nor replaced
constexpr std::uint8_t kOutOfMemory = 1;

constexpr std::string_view kLimitProcesses = "processes";
constexpr std::string_view kLimitOpenFiles = "open-files";
constexpr std::string_view kLimitMemoryBytes = "memory-bytes";  // of the processes; files do not count
constexpr std::string_view kLimitCpuSeconds = "cpu-seconds";
constexpr std::string_view kLimitScratchBytes = "scratch-bytes";

constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxPieceBytes = 64 << 10;

// What disks and ports are called.
constexpr const char* kImageDisk = "image";
constexpr const char* kParcelDisk = "parcel";
constexpr const char* kScratchDisk = "scratch";
constexpr const char* kPort = "hearth";

struct Header {
  Kind kind = Kind::kEnd;
  std::uint8_t flags = 0;
  std::uint16_t name_bytes = 0;
  std::uint32_t number = 0;
  std::uint64_t size = 0;
};

std::array<char, kHeaderBytes> encode(const Header& header);

// Errors: kInvalidArgument.
Result<Header> decode(std::string_view bytes);

// Takes a stream of records in pieces of any size.
class Reader {
 public:
  class Sink {
   public:
    virtual ~Sink() = default;
    // The beginning of a record. An error ends the reading.
    virtual Result<void> on_record(const Header& header, std::string_view name) = 0;
    virtual Result<void> on_content(std::string_view piece) = 0;
    virtual Result<void> on_record_end() = 0;
  };

  explicit Reader(Sink& sink) : sink_(sink) {}

  // Errors: kInvalidArgument for what is no record, and the sink's. What follows the end is ignored.
  Result<void> feed(std::string_view bytes);
  bool ended() const { return ended_; }

 private:
  Result<void> begin_record();
  Result<void> take_content(std::string_view& bytes);

  Sink& sink_;
  std::string head_;  // of the record that has begun to arrive
  Header header_;
  bool in_content_ = false;
  std::uint64_t left_ = 0;
  bool ended_ = false;
};

}  // namespace hearth::sandbox::wire
