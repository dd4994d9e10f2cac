// What the fuzzers found worth keeping, and what they once failed on, without a fuzzer.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/targets.h"
#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

Buffer contents_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

TEST("fuzzing: every input of the corpus is taken as it should be") {
  for (const fuzz::Target& target : fuzz::kTargets) {
    std::size_t inputs = 0;
    const std::filesystem::path folder = std::filesystem::path(AIOMQTT_FUZZ_CORPUS) / target.name;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const Note note(entry.path().string());
      target.run(contents_of(entry.path()));
      ++inputs;
    }
    const Note note(target.name);
    CHECK(inputs > 0);
  }
}

}  // namespace
}  // namespace aiomqtt::testing
