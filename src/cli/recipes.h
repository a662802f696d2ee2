// The environments that every Hearth knows how to make, as lists of packages. To add one, add a row to recipes.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::cli {

struct Recipe {
  std::string_view name;
  std::string_view what;                   // for people
  std::vector<std::string_view> packages;  // of Debian
};

const std::vector<Recipe>& recipes();

// Null if there is none of that name.
const Recipe* find_recipe(std::string_view name);

}  // namespace hearth::cli
