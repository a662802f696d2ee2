// Uploads under way: what has come of each lies as a file of its own in `.hearth/uploads`, so that how far one has come
// is what the disk holds, whoever has died meanwhile. Beside it lies what is known of it.
//
//   Result<std::string> id = create_upload(folder, about);
//   Result<Fd> file = open_upload(folder, id);
//   append(*file, 0, bytes);
//   Result<Placed> placed = place_upload(folder, id, about);   // on the drive's thread of changes
//
// All functions block: call them on a worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "drive/folder.h"

namespace hearth::drive {

struct UploadAbout {
  enum class IfExists : std::uint8_t { kRename, kReplace, kFail };

  DeviceId owner;
  std::optional<std::uint64_t> bytes;  // none: its sender does not know yet
  bool is_part = false;                // of a file that is made of several
  std::string path;                    // where it is to lie; nothing for a part
  IfExists if_exists = IfExists::kRename;
  std::optional<WallTime> modified;
  std::string metadata;  // as it was sent
  std::string placed;    // where it came to lie, or was about to when its bytes are still here

  // While a piece with a checksum comes: what was there before, which is all that counts if it breaks off.
  std::optional<std::uint64_t> judged_bytes;

  bool operator==(const UploadAbout&) const = default;
};

std::string encode_about(const UploadAbout& about);
std::optional<UploadAbout> decode_about(std::string_view text);

// "path L2EudHh0,modified MTc=": what tus's Upload-Metadata says, into `about`. Errors: kInvalidArgument.
inline constexpr std::size_t kMaxMetadataBytes = 8 << 10;
Result<void> read_metadata(std::string_view header, UploadAbout& about);

struct KeptUpload {
  std::string id;
  UploadAbout about;
  WallTime changed;
};

// Those that were left by an ended process. What does not belong to one is removed, bytes after an hour; what cannot be
// read stays.
Result<std::vector<KeptUpload>> load_uploads(const Folder& folder);

Result<void> keep_about(const Folder& folder, const std::string& id, const UploadAbout& about);
Result<std::string> create_upload(const Folder& folder, const UploadAbout& about);  // its id
Result<Fd> open_upload(const Folder& folder, const std::string& id);                // for reading and writing
Result<std::uint64_t> upload_bytes(const Folder& folder, const std::string& id);    // kNotFound: no bytes here
void remove_upload(const Folder& folder, const std::string& id);

// At the end. Errors: as Incoming::write().
Result<void> append(const Fd& file, std::uint64_t at, std::string_view bytes);

// The bytes of `parts`, one after the other, become those of `id`.
Result<void> join_uploads(const Folder& folder, const std::vector<std::string>& parts, const std::string& id);

// Where one that may be renamed lies already: a file that holds the same, under its name or one that was given for it,
// as where a phone sends its pictures again. That becomes its place, and its bytes go.
bool rests_on_same(const Folder& folder, const std::string& id, UploadAbout& about);

// Gives a whole upload its place; parent folders are made. Errors: of Folder::place_own().
Result<Placed> place_upload(Folder& folder, const std::string& id, UploadAbout& about);

}  // namespace hearth::drive
