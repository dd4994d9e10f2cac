#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

thread_local std::vector<std::string> notes;

}  // namespace

std::string base_name(const char* path) {
  const std::string_view whole(path);
  return std::string(whole.substr(whole.rfind('/') + 1));
}

std::vector<TestCase>& test_cases() {
  static std::vector<TestCase> cases;
  return cases;
}

bool register_test(const char* name, const char* file, void (*run)()) {
  test_cases().push_back({name, file, run});
  return true;
}

Failure::Failure(const std::string& text, std::source_location where)
    : std::runtime_error([&] {
        std::string whole = base_name(where.file_name()) + ":" + std::to_string(where.line());
        whole += ": " + text;
        for (const std::string& note : notes) whole += "\nwith " + note;
        return whole;
      }()) {}

Note::Note(std::string text) { notes.push_back(std::move(text)); }
Note::~Note() { notes.pop_back(); }

}  // namespace aiomqtt::testing
