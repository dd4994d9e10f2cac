// What the I/O thread relies on, whatever the system's own way of waiting is.
#include "platform/poller.h"

#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>

#include "tests/harness.h"
#include "tests/open_poller.h"

namespace aiomqtt::testing {
namespace {

constexpr Poller::Token kToken{7, 3};
// Longer than any wait that is to end by itself.
constexpr int kPatienceMs = 10'000;

class Pair {
 public:
  Pair() {
    std::array<NativeSocket, 2> ends{};
    CHECK_EQ(open_pair(ends), 0);
    near = Descriptor(ends[0]);
    far = Descriptor(ends[1]);
  }

  void say(std::string_view text) const {
    const auto* const at = reinterpret_cast<const std::uint8_t*>(text.data());
    CHECK_EQ(send(far.get(), {at, text.size()}).bytes, text.size());
  }

  Descriptor near;
  Descriptor far;
};

// What is reported of one descriptor, in however many events.
std::uint32_t ready(Poller& poller, int timeout_ms, Poller::Token token = kToken) {
  std::array<Poller::Event, 8> events;
  const std::size_t count = poller.wait(timeout_ms, events);
  std::uint32_t all = 0;
  for (std::size_t i = 0; i < count; ++i) {
    CHECK_EQ(events[i].token.connection, token.connection);
    CHECK_EQ(events[i].token.part, token.part);
    all |= events[i].ready;
  }
  return all;
}

TEST("poller: reports what is asked for, and nothing else") {
  OpenPoller poller;
  const Pair pair;
  poller.add(pair.near.get(), kToken, Poller::kReadable);
  CHECK_EQ(ready(poller, 0), 0U);
  pair.say("a");
  CHECK_EQ(ready(poller, kPatienceMs), Poller::kReadable);
  poller.change(pair.near.get(), kToken, Poller::kWritable);
  CHECK_EQ(ready(poller, kPatienceMs), Poller::kWritable);
  poller.change(pair.near.get(), kToken, 0);
  CHECK_EQ(ready(poller, 0), 0U);
  poller.change(pair.near.get(), kToken, Poller::kReadable | Poller::kWritable);
  CHECK_EQ(ready(poller, kPatienceMs), Poller::kReadable | Poller::kWritable);
  poller.remove(pair.near.get());
  CHECK_EQ(ready(poller, 0), 0U);
}

TEST("poller: what was not read yet is reported again") {
  OpenPoller poller;
  const Pair pair;
  poller.add(pair.near.get(), kToken, Poller::kReadable);
  pair.say("a");
  CHECK_EQ(ready(poller, kPatienceMs), Poller::kReadable);
  CHECK_EQ(ready(poller, kPatienceMs), Poller::kReadable);
}

TEST("poller: the end of the stream is readable, and nobody at the other end is the end of both") {
  OpenPoller poller;
  Pair pair;
  poller.add(pair.near.get(), kToken, Poller::kReadable);
  shut_down_writing(pair.far.get());
  CHECK((ready(poller, kPatienceMs) & Poller::kReadable) != 0);
  pair.far.reset();
  poller.change(pair.near.get(), kToken, Poller::kReadable | Poller::kWritable);
  CHECK_EQ(ready(poller, kPatienceMs), Poller::kReadable | Poller::kWritable | Poller::kBroken);
}

TEST("poller: a number that is used again has nothing of its last owner") {
  OpenPoller poller;
  constexpr Poller::Token kNext{8, 0};
  {
    const Pair gone;
    poller.add(gone.near.get(), kToken, Poller::kReadable | Poller::kWritable);
    gone.say("a");
    poller.remove(gone.near.get());
  }
  const Pair pair;
  poller.add(pair.near.get(), kNext, Poller::kReadable);
  CHECK_EQ(ready(poller, 0, kNext), 0U);
  pair.say("b");
  CHECK_EQ(ready(poller, kPatienceMs, kNext), Poller::kReadable);
}

TEST("poller: a wake ends one wait, the current or the next") {
  OpenPoller poller;
  const auto started = std::chrono::steady_clock::now();
  poller.wake();
  poller.wake();
  CHECK_EQ(ready(poller, kPatienceMs), 0U);
  std::thread waker([&poller] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    poller.wake();
  });
  CHECK_EQ(ready(poller, kPatienceMs), 0U);
  waker.join();
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::milliseconds(kPatienceMs));
}

TEST("poller: a change takes effect on a wait that is under way") {
  OpenPoller poller;
  const Pair pair;
  poller.add(pair.near.get(), kToken, Poller::kReadable);
  std::thread changer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    poller.change(pair.near.get(), kToken, Poller::kReadable | Poller::kWritable);
  });
  std::uint32_t reported = 0;
  // The change itself may end a wait with nothing to report.
  for (int turn = 0; turn < 2 && reported == 0; ++turn) reported = ready(poller, kPatienceMs);
  changer.join();
  CHECK_EQ(reported, Poller::kWritable);
}

TEST("poller: without a descriptor it does not open, and opens once there is one") {
  rlimit limit{};
  CHECK_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  Poller poller;
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const int error = poller.open();
  const int again = poller.open();
  CHECK_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQ(error, EMFILE);
  CHECK_EQ(again, EMFILE);
  CHECK_EQ(poller.open(), 0);
  CHECK_EQ(poller.open(), 0);
  poller.wake();
  std::array<Poller::Event, 1> events;
  CHECK_EQ(poller.wait(-1, events), 0U);
}

}  // namespace
}  // namespace aiomqtt::testing
