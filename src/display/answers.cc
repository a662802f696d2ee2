#include "display/answers.h"

#include <algorithm>

#include <X11/Xatom.h>

namespace hearth::display {
namespace {

constexpr std::size_t kPiece = 64 << 10;
constexpr std::size_t kShort = 192 << 10;  // what every server takes in one request
constexpr std::size_t kMaxTransfers = 16;
constexpr long kMaxPairs = 16;
constexpr std::chrono::seconds kPatience(10);

void put_bytes(Display* display, Window window, Atom property, Atom type, std::string_view bytes) {
  ::XChangeProperty(display, window, property, type, 8, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
}

template <class T>
void put_words(Display* display, Window window, Atom property, Atom type, const std::vector<T>& words) {
  static_assert(sizeof(T) == sizeof(long));  // Xlib's items of 32 bits
  ::XChangeProperty(display, window, property, type, 32, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(words.data()), static_cast<int>(words.size()));
}

}  // namespace

Answers::Answers(Display* display)
    : display_(display),
      targets_(::XInternAtom(display, "TARGETS", False)),
      timestamp_(::XInternAtom(display, "TIMESTAMP", False)),
      multiple_(::XInternAtom(display, "MULTIPLE", False)),
      pair_(::XInternAtom(display, "ATOM_PAIR", False)),
      incr_(::XInternAtom(display, "INCR", False)) {}

void Answers::give(const XSelectionRequestEvent& request, const Offer& offer, Clock::time_point now) {
  // Old programs name no property: it is called as the target then.
  const Atom property = request.property == None ? request.target : request.property;
  const bool given = request.target == multiple_ ? put_many(request.requestor, property, offer, now)
                                                 : put(request.requestor, request.target, property, offer, now);
  XEvent answer{};
  answer.xselection.type = SelectionNotify;
  answer.xselection.requestor = request.requestor;
  answer.xselection.selection = request.selection;
  answer.xselection.target = request.target;
  answer.xselection.property = given ? property : None;
  answer.xselection.time = request.time;
  ::XSendEvent(display_, request.requestor, False, 0, &answer);
}

bool Answers::put(Window window, Atom target, Atom property, const Offer& offer, Clock::time_point now) {
  if (target == targets_) {
    std::vector<Atom> kinds = {targets_, timestamp_, multiple_};
    for (const auto& [kind, value] : offer.values) kinds.push_back(kind);
    put_words(display_, window, property, XA_ATOM, kinds);
    return true;
  }
  if (target == timestamp_) {
    put_words(display_, window, property, XA_INTEGER, std::vector<unsigned long>{offer.since});
    return true;
  }
  const auto found = offer.values.find(target);
  if (found == offer.values.end()) return false;
  if (found->second.bytes->size() > kShort) return begin_long(window, property, found->second, now);
  put_bytes(display_, window, property, found->second.type, *found->second.bytes);
  return true;
}

// The property lists pairs of a target and a property; what cannot be given gets no property.
bool Answers::put_many(Window window, Atom property, const Offer& offer, Clock::time_point now) {
  Atom type = 0;
  int format = 0;
  unsigned long count = 0;
  unsigned long rest = 0;
  unsigned char* data = nullptr;
  const int read = ::XGetWindowProperty(display_, window, property, 0, 2 * kMaxPairs, False, pair_, &type, &format,
                                        &count, &rest, &data);
  if (read != Success || data == nullptr) return false;
  const bool good = type == pair_ && format == 32 && rest == 0 && count % 2 == 0;
  std::vector<Atom> pairs;
  if (good) pairs.assign(reinterpret_cast<Atom*>(data), reinterpret_cast<Atom*>(data) + count);
  ::XFree(data);
  for (std::size_t at = 0; at < pairs.size(); at += 2) {
    if (!put(window, pairs[at], pairs[at + 1], offer, now)) pairs[at + 1] = None;
  }
  if (good) put_words(display_, window, property, pair_, pairs);
  return good;
}

bool Answers::begin_long(Window window, Atom property, const Value& value, Clock::time_point now) {
  if (transfers_.size() >= kMaxTransfers) return false;
  ::XSelectInput(display_, window, PropertyChangeMask);
  put_words(display_, window, property, incr_, std::vector<unsigned long>{value.bytes->size()});
  transfers_.push_back({window, property, value, 0, now + kPatience});
  return true;
}

void Answers::take(const XPropertyEvent& event, Clock::time_point now) {
  if (event.state != PropertyDelete) return;
  const auto found = std::ranges::find_if(
      transfers_, [&](const Transfer& one) { return one.window == event.window && one.property == event.atom; });
  if (found == transfers_.end()) return;
  const std::string_view piece = std::string_view(*found->value.bytes).substr(found->at, kPiece);
  put_bytes(display_, found->window, found->property, found->value.type, piece);
  found->at += piece.size();
  found->until = now + kPatience;
  if (piece.empty()) transfers_.erase(found);  // an empty one says that it was the last
}

void Answers::expire(Clock::time_point now) {
  std::erase_if(transfers_, [&](const Transfer& one) { return one.until <= now; });
}

std::optional<Clock::time_point> Answers::due() const {
  if (transfers_.empty()) return std::nullopt;
  return std::ranges::min_element(transfers_, {}, &Transfer::until)->until;
}

}  // namespace hearth::display
