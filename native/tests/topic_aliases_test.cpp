#include "engine/topic_aliases.h"

#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

struct Aliases {
  Aliases(std::uint16_t wanted, std::uint16_t allowed) : aliases(wanted) { aliases.allow(allowed); }
  // The alias of a topic, negative if it is new.
  int choose(const std::string& topic, bool may_assign = true) {
    const TopicAliases::Choice choice = aliases.choose(topic, may_assign);
    return choice.is_known ? choice.alias : -choice.alias;
  }
  TopicAliases aliases;
};

TEST(
    "topic aliases: there are as many as both sides want, and none before the broker has said so") {
  CHECK(TopicAliases(10).is_empty());
  CHECK(Aliases(10, 0).aliases.is_empty());
  CHECK(Aliases(0, 10).aliases.is_empty());
  const std::uint16_t pairs[][2] = {{2, 10}, {10, 2}};
  for (const auto& [wanted, allowed] : pairs) {
    Aliases aliases(wanted, allowed);
    CHECK_EQ(aliases.choose("topic/1"), -1);
    CHECK_EQ(aliases.choose("topic/2"), -2);
    CHECK_EQ(aliases.choose("topic/3"), -1);
  }
}

TEST("topic aliases: a topic keeps its alias while it is used more lately than others") {
  Aliases aliases(3, 3);
  CHECK_EQ(aliases.choose("topic/1"), -1);
  CHECK_EQ(aliases.choose("topic/2"), -2);
  CHECK_EQ(aliases.choose("topic/3"), -3);
  CHECK_EQ(aliases.choose("topic/1"), 1);
  CHECK_EQ(aliases.choose("topic/4"), -2);
  CHECK_EQ(aliases.choose("topic/1"), 1);
  CHECK_EQ(aliases.choose("topic/4"), 2);
  CHECK_EQ(aliases.choose("topic/3"), 3);
  CHECK_EQ(aliases.choose("topic/2"), -1);
}

TEST("topic aliases: short topics have none, and where there is no room there is no new one") {
  Aliases aliases(3, 3);
  CHECK_EQ(aliases.choose(""), 0);
  CHECK_EQ(aliases.choose("a/b"), 0);
  CHECK_EQ(aliases.choose("a/bc", false), 0);
  CHECK_EQ(aliases.choose("a/bc"), -1);
  CHECK_EQ(aliases.choose("a/bc", false), 1);
}

TEST("topic aliases: one that was not sent is not known") {
  Aliases aliases(2, 2);
  CHECK_EQ(aliases.choose("topic/1"), -1);
  CHECK_EQ(aliases.choose("topic/2"), -2);
  aliases.aliases.take_back();
  CHECK_EQ(aliases.choose("topic/1"), 1);
  CHECK_EQ(aliases.choose("topic/2"), -2);
  CHECK_EQ(aliases.choose("topic/2"), 2);
}

TEST("topic aliases: as many as there can be, with topics short and long") {
  constexpr int kAll = 65535;
  Aliases aliases(kAll, kAll);
  const auto topic = [](int i) {
    return std::string(static_cast<std::size_t>(i % 40), 't') + "/topic/" + std::to_string(i);
  };
  for (int i = 1; i <= kAll; ++i) CHECK_EQ(aliases.choose(topic(i)), -i);
  for (int i = kAll; i >= 1; --i) CHECK_EQ(aliases.choose(topic(i)), i);
  CHECK_EQ(aliases.choose(topic(kAll + 1)), -kAll);
  CHECK_EQ(aliases.choose(topic(1)), 1);
}

}  // namespace
}  // namespace aiomqtt::testing
