#include "cli/qr.h"

#include <vector>

#include <qrencode.h>

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

constexpr std::string_view kLink = "https://192.168.1.7:7443/#pair=1.AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBB";

// The rows of dark modules that the text shows, with the quiet zone. `drawn`: what a drawn half means.
std::vector<std::string> modules_of(const std::string& text, char drawn, char blank) {
  std::vector<std::string> rows;
  for (std::size_t i = 0, start = 0; i < text.size(); start = ++i) {
    i = text.find('\n', start);
    std::string_view line = std::string_view(text).substr(start, i - start);
    std::string upper;
    std::string lower;
    while (!line.empty()) {
      if (line.starts_with("\x1b")) {
        line.remove_prefix(line.find('m') + 1);
        continue;
      }
      const bool full = line.starts_with("█");
      const bool above = line.starts_with("▀");
      const bool below = line.starts_with("▄");
      line.remove_prefix(full || above || below ? 3 : 1);
      upper += full || above ? drawn : blank;
      lower += full || below ? drawn : blank;
    }
    rows.push_back(upper);
    rows.push_back(lower);
  }
  return rows;
}

void expect_same_code(const std::vector<std::string>& rows) {
  QRcode* code = QRcode_encodeString8bit(std::string(kLink).c_str(), 0, QR_ECLEVEL_L);
  ASSERT_NE(code, nullptr);
  const std::size_t side = static_cast<std::size_t>(code->width) + 8;
  ASSERT_GE(rows.size(), side);
  for (std::size_t row = 0; row < side; ++row) {
    ASSERT_EQ(rows[row].size(), side);
    for (std::size_t column = 0; column < side; ++column) {
      const bool inside = row >= 4 && row + 4 < side && column >= 4 && column + 4 < side;
      const bool dark = inside && (code->data[(row - 4) * static_cast<std::size_t>(code->width) + column - 4] & 1) != 0;
      EXPECT_EQ(rows[row][column], dark ? 'D' : 'L') << row << "," << column;
    }
  }
  QRcode_free(code);
}

TEST(Qr, ColouredTextShowsTheModulesAndTheQuietZone) {
  const Result<std::string> text = qr_text(kLink, QrStyle::kColoured);
  ASSERT_TRUE(text);
  expect_same_code(modules_of(*text, 'D', 'L'));
  EXPECT_NE(text->find("\x1b[0m\n"), std::string::npos) << "a line must not colour what follows";
}

TEST(Qr, PlainTextDrawsTheLightModules) {
  const Result<std::string> text = qr_text(kLink, QrStyle::kPlain);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->find('\x1b'), std::string::npos);
  expect_same_code(modules_of(*text, 'L', 'D'));
}

TEST(Qr, RefusesWhatNoCodeHolds) { EXPECT_FALSE(qr_text(std::string(4000, 'x'), QrStyle::kPlain)); }

}  // namespace
}  // namespace hearth::cli
