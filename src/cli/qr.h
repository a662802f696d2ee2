// QR codes (ISO/IEC 18004) as text for a terminal: two rows of modules a line, by half blocks, with the quiet zone of
// four modules that the standard asks for.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::cli {

enum class QrStyle {
  kColoured,  // black on white whatever the terminal's colours are
  kPlain,     // no colours: light modules are drawn, as for a dark background; scanners read both
};

// Lines that each end in '\n'. Errors: kInvalidArgument (longer than a QR code holds).
Result<std::string> qr_text(std::string_view content, QrStyle style);

}  // namespace hearth::cli
