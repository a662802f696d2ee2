#include "cli/backup_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/check.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

using nlohmann::json;

constexpr int kIndent = 2;
constexpr std::size_t kMostWhere = 4'096;
constexpr std::size_t kMostTargets = 100;
constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::string_view kKeyLetters = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kKeyLength = kBackupKeyBytes * 8 / 5;
constexpr std::size_t kKeyGroup = 4;
constexpr std::size_t kMostDamage = 20;  // sentences that are shown

// A field of JSON, or its default where it is absent or of another kind: all of it is restic's or our own.
template <class Value>
Value field(const json& object, const char* name, Value otherwise = {}) {
  const auto found = object.find(name);
  if (found == object.end()) return otherwise;
  if constexpr (std::is_same_v<Value, std::string>) {
    return found->is_string() ? found->get<std::string>() : otherwise;
  } else if constexpr (std::is_same_v<Value, bool>) {
    return found->is_boolean() ? found->get<bool>() : otherwise;
  } else if constexpr (std::is_same_v<Value, double>) {
    return found->is_number() ? found->get<double>() : otherwise;
  } else {
    return found->is_number_unsigned() ? found->get<Value>() : otherwise;
  }
}

WallTime moment(const json& object, const char* name) {
  return {static_cast<std::int64_t>(field<std::uint64_t>(object, name))};
}

// "2026-11-27T19:27:00.758514614Z", or with "+02:00" at its end.
std::optional<WallTime> parse_rfc3339(const std::string& text) {
  std::tm parts = {};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  std::int64_t millis = std::int64_t{::timegm(&parts)} * 1000;
  if (*rest == '.') {
    std::int64_t unit = 100;
    for (++rest; std::isdigit(static_cast<unsigned char>(*rest)) != 0; ++rest, unit /= 10)
      millis += (*rest - '0') * unit;
  }
  std::tm offset = {};
  if (*rest == 'Z') return WallTime{millis};
  if ((*rest != '+' && *rest != '-') || ::strptime(rest + 1, "%H:%M", &offset) == nullptr) return std::nullopt;
  const std::int64_t span = (offset.tm_hour * 60 + offset.tm_min) * 60'000LL;
  return WallTime{*rest == '+' ? millis - span : millis + span};
}

bool has(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [text](std::string_view word) { return text.contains(word); });
}

constexpr std::initializer_list<std::string_view> kFull = {"no space left on device", "disk quota exceeded",
                                                           "507 Insufficient", "(507)"};
constexpr std::initializer_list<std::string_view> kReadOnly = {"read-only file system"};

// Each line that is a JSON object.
std::vector<json> objects(std::string_view printed) {
  std::vector<json> found;
  while (!printed.empty()) {
    const std::size_t end = std::min(printed.find('\n'), printed.size());
    json value = json::parse(printed.substr(0, end), nullptr, false);
    if (value.is_object()) found.push_back(std::move(value));
    printed.remove_prefix(std::min(end + 1, printed.size()));
  }
  return found;
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) all.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return all;
}

BackupTarget target_of(const json& object) {
  return {.where = field<std::string>(object, "where"),
          .repository = field<std::string>(object, "repository"),
          .daily = field<bool>(object, "daily"),
          .keeps_all = field<bool>(object, "keeps_all"),
          .succeeded = moment(object, "succeeded"),
          .files = field<std::uint64_t>(object, "files"),
          .bytes = field<std::uint64_t>(object, "bytes"),
          .held_bytes = field<std::uint64_t>(object, "held_bytes"),
          .snapshots = field<std::uint64_t>(object, "snapshots"),
          .tried = moment(object, "tried"),
          .failure = field<std::string>(object, "failure"),
          .was_away = field<bool>(object, "was_away"),
          .checked = moment(object, "checked"),
          .damage = field<std::string>(object, "damage")};
}

}  // namespace

Result<std::vector<BackupTarget>> parse_targets(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || !document.contains("targets") || !document["targets"].is_array() ||
      document["targets"].size() > kMostTargets) {
    return fail(Code::kDataLoss, "this is no list of backup targets");
  }
  std::vector<BackupTarget> targets;
  for (const json& one : document["targets"]) {
    if (!one.is_object()) return fail(Code::kDataLoss, "a backup target must be an object");
    targets.push_back(target_of(one));
    if (targets.back().where.empty()) return fail(Code::kDataLoss, "a backup target must say \"where\"");
  }
  return targets;
}

std::string format_targets(const std::vector<BackupTarget>& targets) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const BackupTarget& one : targets) {
    list.push_back({{"where", one.where},
                    {"repository", one.repository},
                    {"daily", one.daily},
                    {"keeps_all", one.keeps_all},
                    {"succeeded", one.succeeded.unix_millis},
                    {"files", one.files},
                    {"bytes", one.bytes},
                    {"held_bytes", one.held_bytes},
                    {"snapshots", one.snapshots},
                    {"tried", one.tried.unix_millis},
                    {"failure", one.failure},
                    {"was_away", one.was_away},
                    {"checked", one.checked.unix_millis},
                    {"damage", one.damage}});
  }
  const nlohmann::ordered_json document = {{"targets", list}};
  return document.dump(kIndent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool is_directory_target(std::string_view where) { return where.starts_with('/'); }

bool is_granted_target(std::string_view where) { return where.starts_with("hearth:") || node_of_target(where); }

std::optional<std::string_view> node_of_target(std::string_view where) {
  constexpr std::string_view kNode = "node:";
  return where.starts_with(kNode) ? std::optional(where.substr(kNode.size())) : std::nullopt;
}

Result<std::string> parse_target(std::string_view option, std::string_view text, std::string_view here) {
  const auto wrong = [&](std::string_view what) {
    return fail(Code::kInvalidArgument, fmt::format("{} {}: {}", option, shown_target(plain(text)), what));
  };
  if (text.empty() || text.size() > kMostWhere || !is_plain_utf8(text)) {
    return wrong("a directory is needed, for example /media/usb-disk/hearth");
  }
  if (node_of_target(text) == "") return wrong("the node's name is needed, as hearth nodes shows it");
  if (text.starts_with("sftp:") || is_granted_target(text) || text.starts_with("rest:http://") ||
      text.starts_with("rest:https://")) {
    return std::string(text);
  }
  for (const std::string_view scheme : {"rest:", "s3:", "b2:", "azure:", "gs:", "swift:", "rclone:"}) {
    if (text.starts_with(scheme)) {
      return wrong("a directory, sftp:USER@HOST:/DIR, rest:https://HOST/DIR/, node:NAME or hearth:HOST:PORT is needed");
    }
  }
  std::string path = (std::filesystem::path(here) / text).lexically_normal().string();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string shown_target(std::string_view where) {
  const std::size_t scheme = where.find("://");
  if (!where.starts_with("rest:") || scheme == std::string_view::npos) return std::string(where);
  const std::size_t host = where.find('/', scheme + 3);
  const std::size_t user = where.substr(0, host).rfind('@');
  if (user == std::string_view::npos) return std::string(where);
  const std::size_t colon = where.substr(0, user).find(':', scheme + 3);
  if (colon == std::string_view::npos) return std::string(where);
  return fmt::format("{}:***{}", where.substr(0, colon), where.substr(user));
}

bool is_backup_due(const BackupTarget& target, WallTime now) {
  if (!target.daily) return false;
  if (target.was_away) return true;
  const std::int64_t wait = target.failure.empty() ? 20 * kHour : kHour;
  // A clock that was set back must not keep backups away.
  return target.tried.unix_millis > now.unix_millis || now.unix_millis - target.tried.unix_millis >= wait;
}

std::string target_state(const BackupTarget& target, WallTime now) {
  const std::int64_t age = now.unix_millis - target.succeeded.unix_millis;
  std::string text = target.succeeded.unix_millis == 0 ? "none yet" : format_age(target.succeeded, now);
  if (target.succeeded.unix_millis != 0 && age > 7 * kDay) text += ", old";
  if (!target.damage.empty()) text += "; DAMAGED";
  if (!target.failure.empty() && !target.was_away) text += "; the last attempt failed";
  if (!target.failure.empty() && target.was_away) text += "; not there at the last attempt";
  return text;
}

std::string format_backup_key(std::string_view random) {
  CHECK(random.size() == kBackupKeyBytes);
  std::string key;
  std::uint32_t held = 0;
  int bits = 0;
  std::size_t letters = 0;
  for (const char byte : random) {
    held = (held << 8 | static_cast<unsigned char>(byte)) & 0xFFFF;
    for (bits += 8; bits >= 5; bits -= 5) {
      if (letters > 0 && letters % kKeyGroup == 0) key += '-';
      key += kKeyLetters[held >> (bits - 5) & 31];
      ++letters;
    }
  }
  return key;
}

Result<std::string> parse_backup_key(std::string_view typed) {
  std::string key;
  std::size_t letters = 0;
  bool is_wrong = false;
  for (const char byte : typed) {
    if (byte == '-' || std::isspace(static_cast<unsigned char>(byte)) != 0) continue;
    const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(byte)));
    is_wrong = is_wrong || !kKeyLetters.contains(letter) || letters == kKeyLength;
    if (is_wrong) break;
    if (letters > 0 && letters % kKeyGroup == 0) key += '-';
    key += letter;
    ++letters;
  }
  if (!is_wrong && letters == kKeyLength) return key;
  return fail(Code::kInvalidArgument,
              fmt::format("this is no backup key: it has {} letters and digits (a to z, 2 to 7), usually in groups of "
                          "{}, as \"hearth drive backup-key\" shows it",
                          kKeyLength, kKeyGroup));
}

Result<std::vector<Snapshot>> parse_snapshots(std::string_view printed) {
  const json document = json::parse(printed, nullptr, false);
  std::vector<Snapshot> snapshots;
  if (document.is_null()) return snapshots;
  if (!document.is_array()) return fail(Code::kDataLoss, "restic's list of snapshots cannot be read");
  for (const json& one : document) {
    if (!one.is_object()) return fail(Code::kDataLoss, "restic's list of snapshots cannot be read");
    const std::optional<WallTime> time = parse_rfc3339(field<std::string>(one, "time"));
    const std::string id = field<std::string>(one, "id");
    if (!time || !from_hex(id) || id.size() != 64) return fail(Code::kDataLoss, "restic names a snapshot oddly");
    snapshots.push_back({.id = id, .time = *time});
  }
  std::ranges::sort(snapshots, {}, [](const Snapshot& one) { return std::pair(one.time, one.id); });
  return snapshots;
}

Result<WallTime> parse_moment(std::string_view option, std::string_view text) {
  if (text.size() == 10) {
    const Result<WallTime> day = parse_day(option, text);
    if (day) return WallTime{day->unix_millis + kDay - 1};
  }
  std::string typed(text);
  std::ranges::replace(typed, 'T', ' ');
  for (const char* form : {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"}) {
    std::tm parts = {};
    const char* end = ::strptime(typed.c_str(), form, &parts);
    if (end == nullptr || end != typed.c_str() + typed.size()) continue;
    const std::tm given = parts;
    const std::time_t seconds = ::timegm(&parts);
    if (seconds >= 0 && given.tm_mday == parts.tm_mday) return WallTime{std::int64_t{seconds} * 1000 + 999};
  }
  return fail(Code::kInvalidArgument,
              fmt::format("{} {}: a moment in UTC is needed, for example 2026-01-31 or \"2026-01-31 18:30\"", option,
                          plain(text)));
}

Result<Snapshot> choose_snapshot(const std::vector<Snapshot>& oldest_first, std::string_view id,
                                 std::optional<WallTime> at) {
  const Snapshot* found = nullptr;
  for (const Snapshot& one : oldest_first) {
    if (!one.id.starts_with(id) || (at && one.time > *at)) continue;
    if (!id.empty() && found != nullptr) {
      return fail(Code::kInvalidArgument, fmt::format("--snapshot {}: more than one begins so", plain(id)));
    }
    found = &one;
  }
  if (found != nullptr) return *found;
  if (!id.empty()) {
    return fail(Code::kNotFound,
                fmt::format("--snapshot {}: none has that ID; what there is: hearth drive backups", plain(id)));
  }
  if (oldest_first.empty()) return fail(Code::kNotFound, "no snapshot was ever completed there");
  return fail(Code::kNotFound,
              fmt::format("the oldest snapshot there is of {}", format_moment(oldest_first.front().time)));
}

std::string backup_progress(std::string_view line) {
  const json status = json::parse(line, nullptr, false);
  if (!status.is_object() || field<std::string>(status, "message_type") != "status") return "";
  const std::uint64_t total = field<std::uint64_t>(status, "total_bytes");
  const double part = std::clamp(field<double>(status, "percent_done"), 0.0, 1.0);
  if (total == 0) return "looking at what is there";
  return fmt::format("{} %, {} of {}", static_cast<int>(part * 100),
                     format_bytes(field<std::uint64_t>(status, "bytes_done")), format_bytes(total));
}

Result<BackupSummary> parse_summary(std::string_view printed) {
  const std::size_t last = printed.rfind("\"message_type\":\"summary\"");
  const std::size_t begin = last == std::string_view::npos ? last : printed.rfind('\n', last) + 1;
  const std::vector<json> found =
      begin == std::string_view::npos ? std::vector<json>() : objects(printed.substr(begin));
  if (found.empty()) return fail(Code::kDataLoss, "restic did not say what it has done");
  const json& summary = found.front();
  return BackupSummary{.snapshot = field<std::string>(summary, "snapshot_id"),
                       .files = field<std::uint64_t>(summary, "total_files_processed"),
                       .bytes = field<std::uint64_t>(summary, "total_bytes_processed"),
                       .added_bytes = field<std::uint64_t>(summary, "data_added")};
}

Result<std::vector<SnapshotEntry>> parse_entries(std::string_view printed) {
  std::vector<SnapshotEntry> entries;
  for (const json& one : objects(printed)) {
    if (field<std::string>(one, "struct_type") != "node") continue;
    entries.push_back({.path = field<std::string>(one, "path"),
                       .folder = field<std::string>(one, "type") == "dir",
                       .bytes = field<std::uint64_t>(one, "size"),
                       .changed = field<std::string>(one, "mtime")});
    if (entries.back().path.empty()) return fail(Code::kDataLoss, "restic names a file oddly");
  }
  return entries;
}

std::string exact_pattern(std::string_view path) {
  std::string pattern;
  for (const char byte : path) {
    if (std::string_view("*?[]\\").contains(byte)) pattern += '\\';
    pattern += byte;
  }
  return pattern;
}

bool is_hopeless(std::string_view said) {
  return std::ranges::any_of(lines(said), [](std::string_view line) {
    return line.contains("returned error, retrying after") && (has(line, kFull) || has(line, kReadOnly));
  });
}

Error explain_restic(std::string_view said, std::string_view where) {
  const std::string target = plain(shown_target(where));
  const auto is = [said](std::initializer_list<std::string_view> words) { return has(said, words); };
  if (is({"wrong password or no key found"})) {
    return {Code::kUnauthenticated, fmt::format("{}: what lies there was made with another key; --key-file FILE takes "
                                                "the one that was written down",
                                                target)};
  }
  if (is({"repository is already locked", "unable to create lock in backend: repository"})) {
    return {Code::kAborted,
            fmt::format("{}: another backup or check is going on there; try again when it has ended", target)};
  }
  if (has(said, kFull)) {
    return {Code::kResourceExhausted,
            fmt::format("{}: there is no room left; what is there stays as it is. Make room, or take another target",
                        target)};
  }
  if (has(said, kReadOnly)) {
    return {
        Code::kFailedPrecondition,
        fmt::format("{}: it is mounted read-only; mount it for writing (a disk that was pulled out may need a check "
                    "of its file system)",
                    target)};
  }
  if (is({"permission denied", "(403)"})) {
    return {Code::kPermissionDenied, fmt::format("{}: this user may not read or write there", target)};
  }
  if (is({"connection refused", "no route to host", "no such host", "i/o timeout", "network is unreachable",
          "Connection refused", "Connection timed out", "Could not resolve", "No route to host",
          "unable to start the sftp session", "input/output error", "transport endpoint", "stale NFS file handle"})) {
    return {Code::kUnavailable, fmt::format("{}: it cannot be reached now", target)};
  }
  const bool has_no_config =
      is({"Is there a repository at the following location"}) && is({"no such file or directory", "does not exist"});
  if (has_no_config || is({"not a directory"})) {
    return {Code::kNotFound, fmt::format("{}: no backup lies there", target)};
  }
  if (is({"ciphertext verification failed", "repository contains errors", "Pack ID does not match", "unexpected EOF",
          "does not match", "hash mismatch", "LoadIndex returned errors"})) {
    return {Code::kDataLoss, fmt::format("{}: what lies there is damaged; see: hearth drive check-backup", target)};
  }
  std::string text = fmt::format("{}: restic failed", target);
  for (const std::string& line : lines(said)) {
    // Of a Go program's stack of calls nobody learns anything.
    const bool is_stack = line.starts_with('\t') || line.starts_with('?') || has(line, {"github.com/", "runtime."});
    if (!is_stack) text += "\n  " + plain(line);
  }
  return {Code::kInternal, text};
}

std::vector<std::string> parse_damage(std::string_view said) {
  std::vector<std::string> damage;
  for (const std::string& line : lines(said)) {
    const bool is_noise =
        has(line, {"Fatal: repository contains errors", "using temporary cache", "create exclusive lock"});
    if (!is_noise && damage.size() < kMostDamage) damage.push_back(plain(line));
  }
  if (damage.empty()) damage.emplace_back("restic found it damaged, and did not say where");
  return damage;
}

}  // namespace hearth::cli
