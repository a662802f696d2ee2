#include "drive/drive.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "drive/files.h"
#include "drive/lock_file.h"

namespace hearth::drive {
namespace {

constexpr std::string_view kLocks = "locks";
constexpr std::string_view kPrivate = "private";
constexpr Duration kBit = milliseconds(50);

// Read before anybody asks for anything, and without making the folder. Only where there is none, none was ever kept.
Result<PrivateFolders> read_private(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::symlink_status(file, error).type() == std::filesystem::file_type::not_found) {
    return PrivateFolders();
  }
  std::ifstream stream(file);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad() || !stream.is_open()) return fail(Code::kDataLoss, file.string() + " cannot be read");
  Result<PrivateFolders> folders = PrivateFolders::decode(text);
  return folders ? folders : fail(folders, file.string());
}

}  // namespace

Drive::Drive(net::Loop& loop, net::Workers& workers, std::filesystem::path folder)
    : loop_(loop),
      workers_(workers),
      root_(std::move(folder)),
      changes_(static_cast<std::uint64_t>(wall_now().unix_millis) * 1'000),
      private_(read_private(root_ / Path::kOwnFolder / kPrivate)) {}

Result<void> Drive::begin_change() {
  Result<void> may = may_change_();
  if (may) ++changing_;
  return may;
}

void Drive::end_change() {
  --changing_;
  ++changes_;
  changed_.notify();
}

Result<void> Drive::open_here() {
  if (folder_) return {};
  const Result<PrivateFolders> whose = private_folders();
  if (!whose) return fail(whose, "nobody is let into the drive, since it is not known whose its folders are");
  Result<std::unique_ptr<Folder>> folder = Folder::open(root_);
  if (!folder) return std::unexpected(folder.error());
  const Result<std::string> text = (*folder)->read_own(kLocks);
  const Result<std::vector<Lock>> kept = text ? decode_locks(*text) : std::unexpected(text.error());
  if (!kept) log_warning("no lock of the drive is known any more: " + kept.error().message);
  const std::lock_guard guard(mutex_);
  for (const Lock& lock : kept.value_or(std::vector<Lock>())) (void)locks_.lock(lock, wall_now());
  kept_changes_ = locks_.changes();
  (*folder)->allowances().set(*whose);
  folder_ = std::move(*folder);
  return {};
}

net::Async<Result<Copied>> Drive::copy_aside(const Path& from, const Path& to, bool replace, bool deep) {
  const Result<Folder*> folder = co_await open();
  if (!folder) co_return std::unexpected(folder.error());
  co_return co_await copies_.run([&] { return (*folder)->copy_aside(from, to, replace, deep); });
}

net::Async<void> Drive::drop(Copied copied) {
  co_await copies_.run([&copied] { const Copied gone(std::move(copied)); });
}

net::Async<Result<Folder*>> Drive::open() {
  if (!folder_) {
    const Result<void> opened = co_await names_.run([this] { return open_here(); });
    if (!opened) co_return std::unexpected(opened.error());
  }
  if (!tidied_ || loop_.now() - *tidied_ > minutes(24 * 60)) {
    tidied_ = loop_.now();
    Result<std::vector<std::filesystem::path>> old =
        co_await names_.run([this] { return folder_->discard_older(kTrashKept); });
    if (!old) log_warning("the drive's trash is not emptied: " + old.error().message);
    for (std::filesystem::path& one : old.value_or(std::vector<std::filesystem::path>())) erase_later(std::move(one));
    if (!std::exchange(is_thinning_, true)) loop_.spawn(thin_versions());
  }
  co_return folder_.get();
}

Result<PrivateFolders> Drive::private_folders() const {
  const std::lock_guard guard(mutex_);
  return private_;
}

net::Async<Result<void>> Drive::change_private_folders(std::function<Result<void>(PrivateFolders&)> change) {
  const Result<Folder*> folder = co_await open();
  if (!folder) co_return std::unexpected(folder.error());
  if (Result<void> may = begin_change(); !may) co_return may;
  Result<void> changed = co_await names_.run([&]() -> Result<void> {
    Result<PrivateFolders> folders = private_folders();
    if (!folders) return std::unexpected(folders.error());
    if (Result<void> changed = change(*folders); !changed) return changed;
    if (Result<void> kept = (*folder)->write_own(kPrivate, folders->encode()); !kept) return kept;
    (*folder)->allowances().set(*folders);
    const std::lock_guard guard(mutex_);
    private_ = std::move(folders);
    return {};
  });
  end_change();
  co_return changed;
}

LockTable Drive::locks() const {
  const std::lock_guard guard(mutex_);
  return locks_;
}

Result<void> Drive::check(const Holder& holder, const std::vector<Touched>& touched) const {
  const std::lock_guard guard(mutex_);
  return locks_.check(touched, holder, wall_now());
}

void Drive::forget(const std::vector<Touched>& touched) {
  const auto forget_all = [&](LockTable& locks) {
    for (const auto& [path, reach] : touched) {
      if (reach == Touched::Reach::kTree) locks.forget(path);
    }
  };
  with_locks(forget_all);
  keep_locks();
}

void Drive::keep_locks() {
  std::string text;
  {
    const std::lock_guard guard(mutex_);
    if (locks_.changes() == kept_changes_) return;
    kept_changes_ = locks_.changes();
    text = encode_locks(locks_.all());
  }
  const Result<void> kept = folder_->write_own(kLocks, text);
  if (!kept) log_warning("the drive's locks are not kept for a restart: " + kept.error().message);
}

void Drive::erase_later(std::filesystem::path discarded) { loop_.spawn(erase_bit_by_bit(std::move(discarded))); }

net::Async<void> Drive::erase_bit_by_bit(std::filesystem::path discarded) {
  for (;;) {
    const Result<bool> done =
        co_await workers_.run([&] { return erase_some(discarded, root_ / Path::kOwnFolder, kBit); });
    if (!done) log_warning("what was to be erased for good is not: " + done.error().message);
    if (done.value_or(true)) co_return;
  }
}

void Drive::thin_versions_if_due() {
  const std::uint64_t kept = folder_->kept_bytes();
  if (kept == 0 || is_thinning_) return;
  if (thinned_ && loop_.now() - *thinned_ < kThinned && kept < kThinnedBytes) return;
  is_thinning_ = true;
  loop_.spawn(thin_versions());
}

net::Async<void> Drive::thin_versions() {
  const Result<std::uint64_t> left = co_await workers_.run([this] { return folder_->thin_versions(); });
  if (!left) log_warning("earlier versions of files are not thinned out: " + left.error().message);
  thinned_ = loop_.now();
  is_thinning_ = false;
}

net::Async<void> Drive::release(DeviceId holder) {
  std::error_code error;
  if (!std::filesystem::exists(root_ / Path::kOwnFolder / kLocks, error)) co_return;
  (void)co_await change_locks([holder](LockTable& locks) -> Result<void> {
    locks.release(holder);
    return {};
  });
}

}  // namespace hearth::drive
