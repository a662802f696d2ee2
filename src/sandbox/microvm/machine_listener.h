// Hears a microVM: the records that come through its port, and what it says on its console when it fails. All of it may
// come from a hostile guest: sizes and counts are bounded, and files land in the sandbox's working directory or
// nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sandbox/fd.h"
#include "sandbox/listener.h"
#include "sandbox/microvm/wire.h"
#include "sandbox/working_directory.h"

namespace hearth::sandbox {

class MachineListener final : public Listener, private wire::Reader::Sink {
 public:
  // `directory` takes the files that come back; `program` is for sentences.
  MachineListener(WorkingDirectory& directory, std::string program);

  void hear(Stream pipe, std::string_view piece, const Print& print) override;
  bool has_heard_all() const override { return reader_.ended() || broken_; }
  void conclude(const Ending& ending, const Print& print, Exit& exit) override;

 private:
  Result<void> on_record(const wire::Header& header, std::string_view name) override;
  Result<void> on_content(std::string_view piece) override;
  Result<void> on_record_end() override;
  Result<void> begin_file(const wire::Header& header, std::string_view name);
  void look_for_kvm();
  std::string last_words() const;

  WorkingDirectory& directory_;
  std::string program_;
  wire::Reader reader_;
  std::optional<Error> broken_;
  std::string console_;  // its last few kilobytes
  const Print* print_ = nullptr;

  wire::Kind kind_ = wire::Kind::kEnd;
  Fd file_;
  std::uint32_t files_ = 0;
  bool started_ = false;
  std::optional<int> not_started_;  // errno
  std::optional<int> exit_code_;
  bool out_of_memory_ = false;
};

}  // namespace hearth::sandbox
