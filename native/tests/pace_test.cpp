#include "engine/pace.h"

#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kLatency{1};

// A pace, and the time of the last look at it.
struct Looks {
  Pace pace;
  Pace::Clock::time_point now{std::chrono::hours(1)};

  explicit Looks(milliseconds latency = kLatency) { pace.set_latency(latency); }
  int after(microseconds gap, std::size_t packets = 1) {
    now += gap;
    return pace.note_look(now, packets);
  }
};

TEST("pace: messages that come alone are not waited for") {
  Looks looks;
  for (int i = 0; i < 100; ++i) CHECK_EQ(looks.after(milliseconds(5)), 0);
}

TEST("pace: when they come faster than the latency, the next ones are waited for") {
  Looks looks;
  (void)looks.after(milliseconds(5));
  // Two that are close may be coincidence.
  CHECK_EQ(looks.after(microseconds(500)), 0);
  for (int i = 0; i < 8; ++i) (void)looks.after(microseconds(500));
  CHECK_EQ(looks.after(microseconds(500)), kLatency.count());
  // A wait lasts a little longer than it should.
  for (int i = 0; i < 100; ++i) CHECK_EQ(looks.after(microseconds(1'150), 2), kLatency.count());
}

TEST("pace: a wait that finds nothing is the last") {
  Looks looks;
  for (int i = 0; i < 10; ++i) (void)looks.after(microseconds(500));
  CHECK_EQ(looks.after(microseconds(1'050), 0), 0);
  CHECK_EQ(looks.after(microseconds(500)), 0);
}

TEST("pace: nothing is held back that may answer what was sent") {
  Looks looks;
  for (int i = 0; i < 10; ++i) (void)looks.after(microseconds(500));
  looks.pace.note_asked(looks.now);
  for (int i = 0; i < 10; ++i) CHECK_EQ(looks.after(microseconds(500)), 0);
  (void)looks.after(milliseconds(30));
  for (int i = 0; i < 10; ++i) (void)looks.after(microseconds(500));
  CHECK_EQ(looks.after(microseconds(500)), kLatency.count());
}

TEST("pace: without latency nothing is held back") {
  Looks looks(milliseconds(0));
  for (int i = 0; i < 100; ++i) CHECK_EQ(looks.after(microseconds(10)), 0);
}

}  // namespace
}  // namespace aiomqtt::testing
