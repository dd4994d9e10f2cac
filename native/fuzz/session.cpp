#include "fuzz/targets.h"
#include "tests/direct.h"
#include "tests/environment.h"
#include "tests/harness.h"

namespace aiomqtt::fuzz {
namespace {

using namespace aiomqtt::testing;

// What a connection leaves behind that took `state` up and did nothing.
Buffer taken_up(const Buffer& state) {
  static IdleThreads threads;
  const auto inbox = std::make_shared<Inbox>([] {}, [] {});
  ConnectionOptions options = options_for({}, kMqtt5);
  options.session = state;
  const auto connection =
      std::make_shared<Connection>(1, std::move(options), inbox, threads.lane, threads.api);
  connection->io().end({});
  const std::vector<Event> events = InboxReader(*inbox).drain();
  CHECK_EQ(events.size(), 2U);
  CHECK_EQ(events[0].kind, event::kSession);
  return events[0].bytes;
}

}  // namespace

void session(Bytes input) {
  const Buffer once = taken_up(copy_of(input));
  CHECK(once.size() <= std::max<std::size_t>(input.size(), 4));
  // Messages come in no particular order, hence the sizes alone.
  CHECK_EQ(taken_up(once).size(), once.size());
}

}  // namespace aiomqtt::fuzz
