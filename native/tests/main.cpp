// native-tests [part of a name]: runs all tests, or those whose file or name has that part.
// native-tests --share <number> <count>: every <count>th test, from the first, the second and so
// on, for runs at a time.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

// No test comes near it: what takes this long hangs, and its own deadlines did not see that.
constexpr unsigned kSecondsATest = 60;

// For the signal handler, which may not allocate.
char running[512];

void on_alarm(int) {
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, running, std::strlen(running));
  ::_exit(1);
}

// What one run takes of all tests; numbers are from 0.
struct Share {
  std::size_t number = 0;
  std::size_t count = 1;
};

bool is_wanted(const TestCase& test, const char* part) {
  return part == nullptr || base_name(test.file).find(part) != std::string::npos ||
         std::strstr(test.name, part) != nullptr;
}

// The failure, or nothing when the test passed.
std::string failure_of(const TestCase& test) {
  try {
    test.run();
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

void print_comment(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::printf("#   %.*s\n", static_cast<int>(end), text.data());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

int run_all(const char* part, Share share) {
  std::vector<TestCase> tests = test_cases();
  std::erase_if(tests, [part](const TestCase& test) { return !is_wanted(test, part); });
  // By file, in the order of each file.
  std::ranges::stable_sort(
      tests, [](const TestCase& a, const TestCase& b) { return std::strcmp(a.file, b.file) < 0; });
  std::size_t number = 0;
  std::erase_if(tests, [&](const TestCase&) { return number++ % share.count != share.number; });
  std::signal(SIGALRM, on_alarm);
  std::printf("TAP version 13\n1..%zu\n", tests.size());
  int failed = 0;
  const char* file = "";
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const TestCase& test = tests[i];
    if (std::strcmp(file, test.file) != 0) std::printf("# %s\n", base_name(test.file).c_str());
    file = test.file;
    std::fflush(stdout);
    std::snprintf(running, sizeof running, "not ok %zu - %s\n#   it hangs\n", i + 1, test.name);
    ::alarm(kSecondsATest);
    const auto start = std::chrono::steady_clock::now();
    const std::string failure = failure_of(test);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    ::alarm(0);
    std::printf("%s %zu - %s", failure.empty() ? "ok" : "not ok", i + 1, test.name);
    if (took.count() >= 100) std::printf(" # %.0f ms", took.count());
    std::printf("\n");
    if (!failure.empty()) ++failed;
    print_comment(failure);
    std::fflush(stdout);
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace aiomqtt::testing

int main(int count, char** arguments) {
  using aiomqtt::testing::run_all;
  if (count == 4 && std::strcmp(arguments[1], "--share") == 0)
    return run_all(nullptr, {std::stoul(arguments[2]) - 1, std::stoul(arguments[3])});
  return run_all(count > 1 ? arguments[1] : nullptr, {});
}
