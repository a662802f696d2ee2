// A Host in a temporary directory and programs in it, for the tests of this folder.
#pragma once

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/walk.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "hearth-sandbox-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct Ran {
  Exit exit;
  std::string out;
  std::string err;
};

// A started program, to be waited for.
class Running {
 public:
  Running(Sandbox& box, const Command& command) : box_(box) {
    Result<void> started = box.start(
        command,
        [this](Stream stream, std::string_view piece) {
          std::lock_guard lock(mutex_);
          (stream == Stream::kStdout ? ran_.out : ran_.err) += piece;
          changed_.notify_all();
        },
        [this](const Exit& exit) {
          std::lock_guard lock(mutex_);
          ran_.exit = exit;
          ++exits_;
          changed_.notify_all();
        });
    if (!started) {
      ran_.exit.message = started.error().message;
      exits_ = 1;
    }
  }

  ~Running() {
    if (exits() == 0) box_.kill();
    wait();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  Ran wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return exits_ > 0; });
    return ran_;
  }
  void wait_for_output(std::string_view text) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return exits_ > 0 || ran_.out.contains(text); });
  }
  int exits() {
    std::lock_guard lock(mutex_);
    return exits_;
  }

 private:
  Sandbox& box_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Ran ran_;
  int exits_ = 0;
};

// The control groups of all Hearths of this machine; other tests' come and go meanwhile.
inline std::set<std::string> hearth_groups() {
  std::set<std::string> found;
  walk_below("/sys/fs/cgroup", [&](const std::filesystem::directory_entry& entry) {
    if (entry.path().filename().string().starts_with("hearth-")) found.insert(entry.path());
    return true;
  });
  return found;
}

// Small, so that a test which goes wrong hurts nobody.
inline Limits small_limits() {
  return {.cores = 2, .memory_bytes = 512ULL << 20, .scratch_bytes = 128ULL << 20, .max_processes = 256};
}

class TestHost {
 public:
  explicit TestHost(Options options = {}) {
    options.state_directory = directory_.path() / "state";
    options.cpu_weight = 100;
    Result<std::unique_ptr<Host>> opened = Host::open(options);
    if (!opened) {
      std::cerr << "no sandbox: " << opened.error().message << std::endl;
      std::abort();
    }
    host_ = std::move(*opened);
  }

  Host* operator->() { return host_.get(); }
  const std::filesystem::path& directory() const { return directory_.path(); }
  void close() { host_.reset(); }
  void set_up(Setup setup) { setup_ = std::move(setup); }  // what prepare() uses from now on

  std::unique_ptr<Sandbox> prepare(const Limits& limits = small_limits(), const Network& network = {}) {
    Setup setup = setup_;
    setup.network = network;
    Result<std::unique_ptr<Sandbox>> box = host_->prepare("test-" + std::to_string(++count_), limits, setup);
    if (!box) {
      ADD_FAILURE() << box.error().message;
      std::abort();
    }
    return std::move(*box);
  }

  Ran run(std::vector<std::string> argv, const Limits& limits = small_limits()) {
    std::unique_ptr<Sandbox> box = prepare(limits);
    return Running(*box, {.argv = std::move(argv), .variables = {{"HOME", "/job"}}, .bound_files = {}}).wait();
  }
  Ran shell(const std::string& script, const Limits& limits = small_limits()) {
    return run({"/bin/bash", "-c", script}, limits);
  }

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<Host> host_;
  Setup setup_;
  int count_ = 0;
};

inline void put(Sandbox& box, std::string_view path, std::string_view content, bool executable = false) {
  Result<int> file = box.create_file(path, executable);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(::write(*file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  ::close(*file);
}

}  // namespace hearth::sandbox
