#include "core/sync/reconcile.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/sync/names.h"

namespace hearth::sync {
namespace {

using What = Action::What;

struct Node {
  const Base* base = nullptr;
  const Side* here = nullptr;
  const Side* there = nullptr;
  bool left = false;
  bool same = false;
  std::map<std::string, Node, std::less<>> below;
};

enum Phase : std::uint8_t { kFirst, kFolders, kFiles, kLast, kPhases };

Node& node_at(Node& root, std::string_view path) {
  Node* node = &root;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    auto found = node->below.find(name);
    if (found == node->below.end()) found = node->below.emplace(name, Node()).first;
    node = &found->second;
    path.remove_prefix(std::min(name.size() + 1, path.size()));
  }
  return *node;
}

Node tree_of(const Trees& trees) {
  Node root;
  for (const auto& [path, base] : trees.base) node_at(root, path).base = &base;
  for (const auto& [path, side] : trees.here) node_at(root, path).here = &side;
  for (const auto& [path, side] : trees.there) node_at(root, path).there = &side;
  for (const std::set<std::string>* left : {&trees.left, &trees.closed}) {
    for (const std::string& path : *left) node_at(root, path).left = true;
  }
  for (const std::string& path : trees.same) node_at(root, path).same = true;
  return root;
}

bool is_folder(const Side* side) { return side != nullptr && side->kind == Kind::kFolder; }
bool is_file(const Side* side) { return side != nullptr && side->kind == Kind::kFile; }
bool was_folder(const Node& node) { return node.base != nullptr && node.base->here.kind == Kind::kFolder; }

const Side* base_of(const Node& node, const Side* Node::* side) {
  if (node.base == nullptr) return nullptr;
  return side == &Node::here ? &node.base->here : &node.base->there;
}

bool is_changed(const Node& node, const Side* Node::* side) {
  const Side* now = node.*side;
  const Side* before = base_of(node, side);
  if (now == nullptr || before == nullptr) return now != before;
  return *now != *before;
}

// Whether all that a side has at a node and below is as both had it: then the other side, which has removed it, may
// have its way.
bool is_as_it_was(const Node& node, const Side* Node::* side) {
  if (node.left) return false;
  if (node.*side == nullptr) return true;
  return !is_changed(node, side) &&
         std::ranges::all_of(node.below, [&](const auto& child) { return is_as_it_was(child.second, side); });
}

// Whether there will be something of that name once all is done.
bool survives(const Node& node) {
  if (node.left || (node.here != nullptr && node.there != nullptr)) return true;
  if (node.here == nullptr && node.there == nullptr) return false;
  return node.base == nullptr || !is_as_it_was(node, node.here != nullptr ? &Node::here : &Node::there);
}

std::optional<Side> copy_of(const Side* side) { return side == nullptr ? std::nullopt : std::optional(*side); }

class Planner {
 public:
  Planner(const std::string& label, Plan& plan) : label_(label), plan_(plan) {}

  void visit_below(Node& node, const std::string& path);
  void finish();

 private:
  void visit(Node& node, Node& above, const std::string& path);
  void visit_files(Node& node, Node& above, const std::string& path);
  void visit_folder_there(Node& node, Node& above, const std::string& path);
  void visit_folder_here(Node& node, Node& above, const std::string& path);
  void leave_collisions(Node& node, const std::string& path);
  void keep_both(Node& node, Node& above, const std::string& path);
  void remove_here(const Node& node, const std::string& path, Phase phase);
  void add(Phase phase, What what, const Node& node, const std::string& path);

  const std::string& label_;
  Plan& plan_;
  std::array<std::vector<Action>, kPhases> phases_;
};

std::string below_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "/" + name;
}

void Planner::add(Phase phase, What what, const Node& node, const std::string& path) {
  phases_[phase].push_back(
      {.what = what, .path = path, .to = {}, .here = copy_of(node.here), .there = copy_of(node.there)});
}

void Planner::finish() {
  for (std::vector<Action>& phase : phases_) std::ranges::move(phase, std::back_inserter(plan_.actions));
}

void Planner::leave_collisions(Node& node, const std::string& path) {
  std::map<std::string, std::vector<std::string>> alike;
  for (const auto& [name, child] : node.below) {
    if (survives(child)) alike[folded_name(name)].push_back(name);
  }
  for (const auto& [folded, names] : alike) {
    if (names.size() < 2) continue;
    std::vector<std::string> paths;
    for (const std::string& name : names) {
      node.below.find(name)->second.left = true;
      paths.push_back(below_path(path, name));
    }
    plan_.collisions.push_back(std::move(paths));
  }
}

void Planner::visit_below(Node& node, const std::string& path) {
  leave_collisions(node, path);
  for (auto& [name, child] : node.below) visit(child, node, below_path(path, name));
}

void Planner::visit(Node& node, Node& above, const std::string& path) {
  if (node.left) return;
  if (is_folder(node.here) && is_folder(node.there)) {
    if (!was_folder(node)) add(kFolders, What::kAdopt, node, path);
    return visit_below(node, path);
  }
  if (is_folder(node.there)) return visit_folder_there(node, above, path);
  if (is_folder(node.here)) return visit_folder_here(node, above, path);
  visit_files(node, above, path);
}

void Planner::visit_files(Node& node, Node& above, const std::string& path) {
  if (node.here == nullptr && node.there == nullptr) {
    if (node.base != nullptr) add(kFolders, What::kForget, node, path);
    return;
  }
  const bool changed_here = is_changed(node, &Node::here);
  const bool changed_there = is_changed(node, &Node::there);
  if (!changed_here && !changed_there) return;
  if (node.here == nullptr) {
    return changed_there ? add(kFiles, What::kFetch, node, path) : add(kLast, What::kRemoveThere, node, path);
  }
  if (node.there == nullptr) {
    return changed_here ? add(kFiles, What::kSend, node, path) : add(kLast, What::kRemoveHere, node, path);
  }
  if (!changed_there) return add(kFiles, What::kSend, node, path);
  if (!changed_here) return add(kFiles, What::kFetch, node, path);
  if (node.same) return add(kFiles, What::kAdopt, node, path);
  keep_both(node, above, path);
}

// The one from here gets another name, so that the one from there has its place. What lies in a folder that is renamed
// is new with the next run.
void Planner::keep_both(Node& node, Node& above, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  const std::string other =
      conflict_name(name, label_, [&](const std::string& wanted) { return above.below.contains(wanted); });
  add(kFirst, What::kRenameHere, node, path);
  phases_[kFirst].back().to = below_path(folder, other);
  if (is_file(node.here)) {
    phases_[kFiles].push_back({.what = What::kSend,
                               .path = below_path(folder, other),
                               .to = {},
                               .here = copy_of(node.here),
                               .there = std::nullopt});
  }
  plan_.conflicts.push_back(path);
  node.here = nullptr;
  node.base = nullptr;
  if (is_file(node.there)) add(kFiles, What::kFetch, node, path);
}

void Planner::visit_folder_there(Node& node, Node& above, const std::string& path) {
  const bool was_here = was_folder(node);
  if (is_file(node.here)) {
    if (!is_changed(node, &Node::here)) {
      add(kFirst, What::kRemoveHere, node, path);
      node.here = nullptr;
    } else if (was_here && is_as_it_was(node, &Node::there)) {
      add(kFirst, What::kRemoveThere, node, path);
      node.there = nullptr;
      return add(kFiles, What::kSend, node, path);
    } else {
      keep_both(node, above, path);
    }
  } else if (was_here && is_as_it_was(node, &Node::there)) {
    return add(kLast, What::kRemoveThere, node, path);
  }
  add(kFolders, What::kMakeHere, node, path);
  visit_below(node, path);
}

void Planner::visit_folder_here(Node& node, Node& above, const std::string& path) {
  const bool was_there = was_folder(node);
  if (is_file(node.there)) {
    if (!is_changed(node, &Node::there)) {
      add(kFirst, What::kRemoveThere, node, path);
      node.there = nullptr;
    } else if (was_there && is_as_it_was(node, &Node::here)) {
      remove_here(node, path, kFirst);
      node.here = nullptr;
      return add(kFiles, What::kFetch, node, path);
    } else {
      return keep_both(node, above, path);
    }
  } else if (was_there && is_as_it_was(node, &Node::here)) {
    return remove_here(node, path, kLast);
  }
  add(kFolders, What::kMakeThere, node, path);
  visit_below(node, path);
}

void Planner::remove_here(const Node& node, const std::string& path, Phase phase) {
  for (const auto& [name, child] : node.below) {
    if (child.here != nullptr) remove_here(child, below_path(path, name), phase);
  }
  add(phase, What::kRemoveHere, node, path);
}

void compare_below(const Node& node, const std::string& path, std::vector<std::string>& found) {
  for (const auto& [name, child] : node.below) {
    if (child.left) continue;
    const std::string place = below_path(path, name);
    if (is_file(child.here) && is_file(child.there) && is_changed(child, &Node::here) &&
        is_changed(child, &Node::there)) {
      found.push_back(place);
    }
    compare_below(child, place, found);
  }
}

}  // namespace

std::vector<std::string> to_ask(const Trees& trees) {
  std::vector<std::string> found;
  for (const auto& [name, node] : tree_of(trees).below) {
    if (!node.left && node.there == nullptr && (is_folder(node.here) || was_folder(node))) found.push_back(name);
  }
  return found;
}

std::vector<std::string> to_compare(const Trees& trees) {
  std::vector<std::string> found;
  compare_below(tree_of(trees), "", found);
  return found;
}

Plan reconcile(const Trees& trees, const std::string& label) {
  Plan plan;
  Node root = tree_of(trees);
  Planner planner(label, plan);
  planner.visit_below(root, "");
  planner.finish();
  return plan;
}

}  // namespace hearth::sync
