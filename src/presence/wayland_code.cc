// The tables of messages of the two protocols, as wayland-scanner writes them. They are C; the headers before them make
// them visible outside of this source.
extern "C" {
#include <ext-idle-notify-v1-client.h>
#include <idle-client.h>

#include <ext-idle-notify-v1-code.h>
#include <idle-code.h>
}
