// Counts the primes of one slice of the numbers below LIMIT; compiled where it runs.
//   hearth run -n 8 -- examples/primes.cpp 20000000
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

std::vector<std::uint64_t> primes_up_to(std::uint64_t last) {
  std::vector<bool> composite(last + 1);
  std::vector<std::uint64_t> primes;
  for (std::uint64_t number = 2; number <= last; ++number) {
    if (composite[number]) continue;
    primes.push_back(number);
    for (std::uint64_t multiple = number * number; multiple <= last; multiple += number) composite[multiple] = true;
  }
  return primes;
}

std::uint64_t count_primes(std::uint64_t begin, std::uint64_t end) {
  std::vector<bool> composite(end - begin);
  for (const std::uint64_t prime : primes_up_to(static_cast<std::uint64_t>(std::sqrt(static_cast<double>(end))) + 1)) {
    std::uint64_t multiple = (begin + prime - 1) / prime * prime;
    if (multiple < prime * prime) multiple = prime * prime;
    for (; multiple < end; multiple += prime) composite[multiple - begin] = true;
  }
  std::uint64_t count = 0;
  for (std::uint64_t number = begin; number < end; ++number) count += number >= 2 && !composite[number - begin];
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t limit = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const std::uint64_t index = from_environment("HEARTH_TASK_INDEX", 0);
  const std::uint64_t tasks = from_environment("HEARTH_TASK_COUNT", 1);
  if (limit < 2 || limit > 10'000'000'000) {
    std::fprintf(stderr, "usage: primes LIMIT, from 2 to 10000000000\n");
    return 2;
  }
  const std::uint64_t begin = limit / tasks * index;
  const std::uint64_t end = index + 1 == tasks ? limit : limit / tasks * (index + 1);
  std::printf("%llu primes from %llu to below %llu\n", static_cast<unsigned long long>(count_primes(begin, end)),
              static_cast<unsigned long long>(begin), static_cast<unsigned long long>(end));
}
