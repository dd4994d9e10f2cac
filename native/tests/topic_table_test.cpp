#include "engine/topic_table.h"

#include <map>
#include <random>

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

using Found = TopicTable::Found;

// Looks topics up as the receiver does, and believes what the table says as JavaScript does.
class Topics {
 public:
  Found look_up(const std::string& topic) {
    TopicTable::Result result;
    CHECK(table_.look_up(ExactCopy(bytes(topic)).view(), [](Bytes) { return true; }, result));
    switch (result.found) {
      case Found::kDefine:
        CHECK(result.number < TopicTable::kMostTopics);
        if (result.number == 0) known_.clear();
        known_[result.number] = topic;
        break;
      case Found::kKnown:
        CHECK_EQ(known_.at(result.number), topic);
        break;
      case Found::kInline:
        CHECK_EQ(result.number, TopicTable::kInline);
        break;
    }
    number_ = result.number;
    return result.found;
  }
  // Looks it up until it has a number.
  std::uint32_t define(const std::string& topic) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      if (look_up(topic) == Found::kDefine) return number_;
    }
    throw Failure("never defined: " + topic);
  }
  // Bytes of the names that JavaScript has.
  [[nodiscard]] std::size_t known_bytes() const {
    std::size_t size = 0;
    for (const auto& [number, name] : known_) size += name.size();
    return size;
  }
  // What the last look_up() gave.
  [[nodiscard]] std::uint32_t number() const { return number_; }
  TopicTable& table() { return table_; }

 private:
  TopicTable table_;
  std::map<std::uint32_t, std::string> known_;
  std::uint32_t number_ = 0;
};

TEST("topic table: a topic is inline the first time, defined the second, and known from then on") {
  Topics topics;
  CHECK_EQ(topics.look_up("a/b"), Found::kInline);
  CHECK_EQ(topics.look_up("a/b"), Found::kDefine);
  const std::uint32_t number = topics.number();
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(topics.look_up("a/b"), Found::kKnown);
    CHECK_EQ(topics.number(), number);
  }
}

TEST("topic table: topics of every length, alike but for one byte, are told apart") {
  for (const std::size_t size : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 1000, 65535}) {
    const Note note("length " + std::to_string(size));
    Topics topics;
    topics.define(std::string(size, 'x'));
    char letter = 'a';
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
      std::string other(size, 'x');
      other[at] = letter++;
      CHECK_EQ(topics.look_up(other), Found::kInline);
    }
    CHECK_EQ(topics.look_up(std::string(size + 1, 'x')), Found::kInline);
    if (size > 1) CHECK_EQ(topics.look_up(std::string(size - 1, 'x')), Found::kInline);
    CHECK_EQ(topics.look_up(std::string(size, 'x')), Found::kKnown);
  }
}

TEST("topic table: a flood of topics seen once costs no number, and washes out none that repeats") {
  Topics topics;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) (void)topics.look_up("steady/" + std::to_string(i));
  }
  for (int i = 0; i < 20'000; ++i) {
    CHECK_EQ(topics.look_up("once/" + std::to_string(i)), Found::kInline);
  }
  for (int i = 0; i < 10; ++i) {
    CHECK_EQ(topics.look_up("steady/" + std::to_string(i)), Found::kKnown);
  }
}

TEST("topic table: a fleet of topics that take turns gets its numbers, all but a few of it") {
  Topics topics;
  constexpr int kTopics = 10'000;
  int known = 0;
  for (int round = 0; round < 30; ++round) {
    known = 0;
    for (int i = 0; i < kTopics; ++i) {
      if (topics.look_up("turn/" + std::to_string(i)) == Found::kKnown) ++known;
    }
  }
  CHECK(known > kTopics * 9 / 10);
}

TEST("topic table: when all numbers are given out they are given anew, from the first") {
  Topics topics;
  const auto define = [&](int i) { return topics.define("n/" + std::to_string(i)); };
  const auto most = static_cast<int>(TopicTable::kMostTopics);
  for (int i = 0; i < most; ++i) CHECK_EQ(define(i), i);
  CHECK_EQ(topics.look_up("n/0"), Found::kKnown);
  CHECK_EQ(topics.look_up("n/" + std::to_string(most - 1)), Found::kKnown);
  // The number 0 means this one from now on; all others are forgotten, and may come back.
  CHECK_EQ(define(most), 0);
  CHECK_EQ(topics.look_up("n/" + std::to_string(most)), Found::kKnown);
  CHECK_EQ(define(0), 1);
}

TEST("topic table: an ill-formed topic never enters, however often it comes") {
  Topics topics;
  TopicTable::Result result;
  int asked = 0;
  const auto refuse = [&asked](Bytes) {
    ++asked;
    return false;
  };
  for (int i = 1; i <= 4; ++i) {
    CHECK(!topics.table().look_up(bytes("bad"), refuse, result));
    CHECK_EQ(asked, i);
  }
  // It left no trace: the same bytes from somebody who finds them good begin anew.
  CHECK_EQ(topics.look_up("bad"), Found::kInline);
  CHECK_EQ(topics.look_up("bad"), Found::kDefine);
  // A known topic was judged when it came first.
  CHECK(topics.table().look_up(bytes("bad"), refuse, result));
  CHECK_EQ(result.found, Found::kKnown);
  CHECK_EQ(asked, 4);
}

TEST("topic table: numbers always mean the topic that was defined last, for any sequence") {
  Topics topics;
  std::mt19937 random(311);
  int found[3] = {};
  for (int i = 0; i < 200'000; ++i) {
    // Few topics come often, many rarely.
    const std::uint32_t range = random() % 4 == 0 ? 100'000 : 300;
    ++found[static_cast<int>(topics.look_up("t/" + std::to_string(random() % range)))];
  }
  CHECK(found[static_cast<int>(Found::kKnown)] > 100'000);
  CHECK(found[static_cast<int>(Found::kDefine)] > 300);
  CHECK(found[static_cast<int>(Found::kInline)] > 10'000);
}

TEST("topic table: the names have a bound in bytes, on both sides, and what is used comes back") {
  Topics topics;
  const auto name = [](int i) { return std::to_string(i) + '/' + std::string(4'000, 'x'); };
  for (int i = 0; i < 3'000; ++i) {
    topics.define(name(i));
    CHECK(topics.known_bytes() <= TopicTable::kMostBytes);
  }
  CHECK_EQ(topics.look_up(name(2'999)), Found::kKnown);
  topics.define(name(0));
  CHECK_EQ(topics.look_up(name(0)), Found::kKnown);
}

}  // namespace
}  // namespace aiomqtt::testing
