// A small test harness. A test is a function with a sentence for a name; it registers itself and
// fails by throwing. native-tests runs all of them, one after the other, and prints TAP.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <ranges>
#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace aiomqtt::testing {

struct TestCase {
  const char* name;
  const char* file;
  void (*run)();
};

// All tests that registered themselves.
std::vector<TestCase>& test_cases();
bool register_test(const char* name, const char* file, void (*run)());

// The file's name without its folders.
std::string base_name(const char* path);

class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& text,
                   std::source_location where = std::source_location::current());
};

// What the checks of a scope are about, shown when one fails: for tables and loops.
class Note {
 public:
  explicit Note(std::string text);
  Note(const Note&) = delete;
  Note& operator=(const Note&) = delete;
  ~Note();
};

template <typename T>
concept ByteRange = std::ranges::contiguous_range<T> &&
                    std::same_as<std::remove_cv_t<std::ranges::range_value_t<T>>, std::uint8_t>;

template <typename T>
std::string shown(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<std::int64_t>(value));
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (ByteRange<T>) {
    constexpr std::size_t kMost = 64;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : value | std::views::take(kMost)) {
      if (!text.empty()) text += ' ';
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
    const std::size_t size = std::ranges::size(value);
    return "[" + text + (size > kMost ? " ... " + std::to_string(size) + " bytes" : "") + "]";
  } else if constexpr (requires(std::ostringstream stream) { stream << value; }) {
    return (std::ostringstream() << value).str();
  } else {
    return "(something)";
  }
}

template <typename A, typename B>
bool are_equal(const A& a, const B& b) {
  if constexpr (std::integral<A> && std::integral<B> && !std::same_as<A, bool> &&
                !std::same_as<B, bool>) {
    return std::cmp_equal(a, b);
  } else if constexpr (ByteRange<A> && ByteRange<B>) {
    return std::ranges::equal(a, b);
  } else {
    return a == b;
  }
}

inline void check(bool holds, const char* text,
                  std::source_location where = std::source_location::current()) {
  if (!holds) throw Failure(text, where);
}

template <typename A, typename B>
void check_equal(const A& actual, const B& expected, const char* text,
                 std::source_location where = std::source_location::current()) {
  if (are_equal(actual, expected)) return;
  throw Failure(std::string(text) + " is " + shown(actual) + ", not " + shown(expected), where);
}

namespace {
// One specialization a test, told apart by its number in what is compiled together.
template <int number>
struct TestAt;
}  // namespace

}  // namespace aiomqtt::testing

#define TEST(sentence) TEST_WITH_NUMBER(sentence, __COUNTER__)
#define TEST_WITH_NUMBER(sentence, number)                                        \
  template <>                                                                     \
  struct TestAt<number> {                                                         \
    static void run();                                                            \
    static inline const bool registered = register_test(sentence, __FILE__, run); \
  };                                                                              \
  void TestAt<number>::run()

#define CHECK(condition) ::aiomqtt::testing::check(static_cast<bool>(condition), #condition)
#define CHECK_EQ(actual, expected) ::aiomqtt::testing::check_equal(actual, expected, #actual)
