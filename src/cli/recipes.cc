#include "cli/recipes.h"

#include <algorithm>

namespace hearth::cli {

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> kRecipes = {
      {"base", "a shell and the usual small programs", {"busybox", "ca-certificates"}},
      {"python", "Python with numpy, scipy and pillow", {"python3", "python3-numpy", "python3-scipy", "python3-pil"}},
      {"cpp", "C++ compiler, make and cmake", {"g++", "make", "cmake", "ninja-build"}},
      {"media", "ffmpeg, POV-Ray and Blender", {"ffmpeg", "povray", "povray-includes", "blender", "fonts-dejavu-core"}},
  };
  return kRecipes;
}

const Recipe* find_recipe(std::string_view name) {
  const auto found = std::ranges::find(recipes(), name, &Recipe::name);
  return found == recipes().end() ? nullptr : &*found;
}

}  // namespace hearth::cli
