#include "cli/qr.h"

#include <memory>

#include <qrencode.h>

namespace hearth::cli {
namespace {

constexpr int kQuietZone = 4;
// Colours of the fixed 256-colour cube, which no theme changes, unlike the first sixteen.
constexpr std::string_view kBlackOnWhite = "\x1b[38;5;16m\x1b[48;5;231m";
constexpr std::string_view kReset = "\x1b[0m";

class Modules {
 public:
  explicit Modules(const QRcode& code) : code_(code) {}
  int side() const { return code_.width + 2 * kQuietZone; }
  bool dark(int row, int column) const {
    row -= kQuietZone;
    column -= kQuietZone;
    if (row < 0 || column < 0 || row >= code_.width || column >= code_.width) return false;
    return (code_.data[row * code_.width + column] & 1) != 0;
  }

 private:
  const QRcode& code_;
};

std::string_view half_block(bool upper, bool lower) {
  if (upper) return lower ? "█" : "▀";
  return lower ? "▄" : " ";
}

std::string line(const Modules& modules, int row, QrStyle style) {
  const bool coloured = style == QrStyle::kColoured;
  std::string text(coloured ? kBlackOnWhite : "");
  for (int column = 0; column < modules.side(); ++column) {
    const bool below = row + 1 < modules.side();
    const bool upper = modules.dark(row, column) == coloured;
    const bool lower = below && modules.dark(row + 1, column) == coloured;
    text += half_block(upper, lower);
  }
  if (coloured) text += kReset;
  return text + "\n";
}

}  // namespace

Result<std::string> qr_text(std::string_view content, QrStyle style) {
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString8bit(std::string(content).c_str(), 0, QR_ECLEVEL_L), &QRcode_free);
  if (code == nullptr) return fail(Code::kInvalidArgument, "the text is too long for a QR code");
  const Modules modules(*code);
  std::string text;
  for (int row = 0; row < modules.side(); row += 2) text += line(modules, row, style);
  return text;
}

}  // namespace hearth::cli
