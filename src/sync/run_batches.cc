// Many small changes with one request, both ways.
#include <utility>

#include <fmt/format.h>

#include "net/crypto.h"
#include "sync/run.h"

namespace hearth::sync {

Result<void> Run::send_folders() {
  const std::vector<Action> actions = std::exchange(folders_, {});
  if (actions.empty()) return {};
  std::vector<Change> changes;
  changes.reserve(actions.size());
  for (const Action& action : actions) changes.push_back({.what = Change::What::kFolder, .path = action.path});
  const Result<std::vector<Outcome>> outcomes = remote_.change(changes);
  if (!outcomes) return std::unexpected(outcomes.error());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Outcome& outcome = (*outcomes)[i];
    if (outcome.message.empty()) {
      note_folder(actions[i].path);
    } else if (Result<void> ended = trouble({outcome.code, outcome.message}); !ended) {
      return ended;
    }
  }
  return keep();
}

Result<void> Run::send_removals() {
  const std::vector<Action> actions = std::exchange(removals_, {});
  if (actions.empty()) return {};
  options_.progress(fmt::format("removing {} from the drive", actions.front().path));
  std::vector<Change> changes;
  std::vector<std::uint64_t> files;
  for (const Action& action : actions) {
    Change change{.what = Change::What::kRemoval, .path = action.path, .etag = action.there->version};
    std::map<std::string, Side> below;
    files.push_back(action.there->kind == Kind::kFile ? 1 : 0);
    const std::string folder = action.path + "/";
    for (auto one = there_.lower_bound(folder); one != there_.end() && one->first.starts_with(folder); ++one) {
      below.emplace(one->first.substr(folder.size()), one->second.side);
      files.back() += one->second.side.kind == Kind::kFile ? 1 : 0;
    }
    if (action.there->kind == Kind::kFolder) change.content = net::sha256(tree_digest_text(below));
    changes.push_back(std::move(change));
  }
  const Result<std::vector<Outcome>> outcomes = remote_.change(changes);
  if (!outcomes) return std::unexpected(outcomes.error());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Outcome& outcome = (*outcomes)[i];
    if (outcome.message.empty()) {
      state_.forget(actions[i].path);
      report_.removed_there += files[i];
    } else if (Result<void> ended = trouble({outcome.code, outcome.message}); !ended) {
      return ended;
    }
  }
  return keep();
}

Result<void> Run::send_small() {
  sends_bytes_ = 0;
  std::vector<Change> changes;
  std::vector<Content> contents;
  for (const Action& action : std::exchange(sends_, {})) {
    Result<Content> content = read_here(action.path);
    if (!content) {
      if (Result<void> ended = trouble(content.error()); !ended) return ended;
      continue;
    }
    changes.push_back({.what = Change::What::kFile,
                       .path = action.path,
                       .etag = wanted(action).etag,
                       .content = std::move(content->bytes),
                       .modified_millis = scan_.seen.at(action.path).modified_nanos / 1'000'000,
                       .is_executable = scan_.seen.at(action.path).is_executable});
    contents.push_back(*std::move(content));
  }
  if (changes.empty()) return {};
  options_.progress(fmt::format("sending {}", changes.front().path));
  Result<std::vector<Outcome>> outcomes = remote_.change(changes);
  if (!outcomes) return std::unexpected(outcomes.error());
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Outcome& outcome = (*outcomes)[i];
    if (outcome.message.empty()) {
      note_file(changes[i].path, std::move(contents[i].version), std::move(outcome.etag), std::move(contents[i].hash));
      ++report_.sent;
    } else if (Result<void> ended = trouble({outcome.code, outcome.message}); !ended) {
      return ended;
    }
  }
  return keep();
}

Result<void> Run::fetch_small() {
  fetches_bytes_ = 0;
  const std::vector<Action> actions = std::exchange(fetches_, {});
  if (actions.empty()) return {};
  options_.progress(fmt::format("fetching {}", actions.front().path));
  std::vector<Wanted> files;
  files.reserve(actions.size());
  for (const Action& action : actions) files.push_back(wanted(action));
  Result<std::vector<Given>> given = remote_.read(files);
  if (!given) return std::unexpected(given.error());
  return place_fetched(actions, *given);
}

// All are written before the disk is waited for.
Result<void> Run::place_fetched(const std::vector<Action>& actions, std::vector<Given>& given) {
  std::vector<std::pair<std::size_t, Aside>> files;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (!given[i].message.empty()) {
      if (Result<void> ended = trouble({given[i].code, given[i].message}); !ended) return ended;
      continue;
    }
    Result<Aside> file = local_.receive(fmt::format("file-{}", i));
    if (!file) return std::unexpected(file.error());
    if (Result<void> written = write_all_to(file->file.get(), given[i].content); !written) return written;
    LocalFolder::set_modified(*file, there_.at(actions[i].path).modified_millis);
    if (there_.at(actions[i].path).is_executable) LocalFolder::make_executable(*file);
    files.emplace_back(i, *std::move(file));
  }
  std::vector<const Aside*> all;
  all.reserve(files.size());
  for (const auto& [i, file] : files) all.push_back(&file);
  if (Result<void> finished = LocalFolder::finish(all); !finished) return finished;
  for (const auto& [i, file] : files) {
    const Result<Side> placed = local_.place(file, actions[i].path, here_now(actions[i]));
    if (!placed) {
      local_.drop(file.name);
      if (Result<void> ended = trouble(placed.error()); !ended) return ended;
      continue;
    }
    note_file(actions[i].path, placed->version, actions[i].there->version, net::sha256(given[i].content));
    ++report_.fetched;
  }
  return keep();
}

}  // namespace hearth::sync
