#include "display/connection.h"

#include <X11/Xatom.h>

namespace hearth::display {
namespace {

int pass_over(Display* /*display*/, XErrorEvent* /*error*/) { return 0; }

int is_its_change(Display* /*display*/, XEvent* event, XPointer own) {
  return event->type == PropertyNotify && event->xproperty.window == *reinterpret_cast<Window*>(own) ? True : False;
}

}  // namespace

Result<Connection> connect() {
  Connection display(::XOpenDisplay(nullptr));
  if (!display) return fail(Code::kUnavailable, "the app's display does not answer");
  ::XSetErrorHandler(pass_over);
  return display;
}

bool has_events(Display* display) { return ::XEventsQueued(display, QueuedAfterReading) > 0; }

Time server_time(Display* display, Window own) {
  ::XSelectInput(display, own, PropertyChangeMask);
  ::XChangeProperty(display, own, XA_WM_NAME, XA_STRING, 8, PropModeAppend, nullptr, 0);
  XEvent event{};
  ::XIfEvent(display, &event, is_its_change, reinterpret_cast<XPointer>(&own));
  return event.xproperty.time;
}

}  // namespace hearth::display
