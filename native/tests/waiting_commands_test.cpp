#include "engine/waiting_commands.h"

#include <chrono>

#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

std::vector<std::uint32_t> drained(WaitingCommands& waiting) {
  std::vector<std::uint32_t> order;
  while (!waiting.empty()) {
    const WaitingCommands::Waiting next = waiting.take();
    CHECK_EQ(next.bytes, bytes(static_cast<std::uint8_t>(next.operation)));
    order.push_back(next.operation);
  }
  return order;
}

void put(WaitingCommands& waiting, std::uint32_t operation) {
  waiting.put(operation, bytes(static_cast<std::uint8_t>(operation)), nullptr);
}

using Order = std::vector<std::uint32_t>;

TEST("waiting commands: they leave in their order, without those that were withdrawn") {
  WaitingCommands waiting;
  for (std::uint32_t i = 1; i <= 6; ++i) put(waiting, i);
  CHECK(waiting.withdraw(1));
  CHECK(waiting.withdraw(4));
  CHECK(waiting.withdraw(6));
  CHECK(!waiting.withdraw(4));
  CHECK(!waiting.withdraw(7));
  CHECK(!waiting.withdraw(0));
  CHECK(drained(waiting) == (Order{2, 3, 5}));
  CHECK(!waiting.withdraw(2));
  put(waiting, 2);
  CHECK(waiting.withdraw(2));
  CHECK(waiting.empty());
}

TEST("waiting commands: a number is used again once its command has left") {
  WaitingCommands waiting;
  put(waiting, 1);
  put(waiting, 2);
  CHECK_EQ(waiting.take().operation, 1U);
  put(waiting, 1);
  CHECK(waiting.withdraw(2));
  CHECK(drained(waiting) == Order{1});
  put(waiting, 1);
  waiting.clear();
  CHECK(waiting.empty());
  CHECK(!waiting.withdraw(1));
}

TEST("waiting commands: withdrawing drops the payload at once") {
  WaitingCommands waiting;
  const SharedBuffer payload = std::make_shared<RawBuffer>(std::size_t{100});
  for (std::uint32_t i = 1; i <= 3; ++i) waiting.put(i, bytes(1), payload);
  CHECK_EQ(payload.use_count(), 4);
  CHECK(waiting.withdraw(2));
  CHECK_EQ(payload.use_count(), 3);
}

TEST("waiting commands: 100,000 are withdrawn in any order in no time, between others that stay") {
  constexpr std::uint32_t kCount = 100'000;
  const auto begun = std::chrono::steady_clock::now();
  for (const std::uint32_t step : {1U, kCount - 1, 3U, 77'777U}) {
    WaitingCommands waiting;
    for (std::uint32_t i = 1; i <= kCount; ++i) put(waiting, i);
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      at = (at + step) % kCount;
      if (at % 2 == 0) CHECK(waiting.withdraw(at + 1));
    }
    const Order left = drained(waiting);
    CHECK_EQ(left.size(), kCount / 2);
    for (std::uint32_t i = 0; i < kCount / 2; ++i) CHECK_EQ(left[i], 2 * i + 2);
  }
  // Walking through all that wait for each would take a minute.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(10));
}

}  // namespace
}  // namespace aiomqtt::testing
