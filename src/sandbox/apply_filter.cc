#include "sandbox/apply_filter.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

namespace hearth::sandbox {

bool apply_filter(std::string_view bpf) {
  std::vector<sock_filter> code(bpf.size() / sizeof(sock_filter));
  std::copy_n(bpf.data(), code.size() * sizeof(sock_filter), reinterpret_cast<char*>(code.data()));
  sock_fprog filter{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  errno = EINVAL;
  return !code.empty() && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

}  // namespace hearth::sandbox
