// A stream that reads what a script says and writes as much as a script lets it, over a socket pair
// that gives it a descriptor to poll.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <deque>
#include <optional>

#include "platform/descriptor.h"
#include "streams/stream.h"
#include "tests/bytes.h"
#include "tests/harness.h"

namespace aiomqtt::testing {

// Kept by the test, and by the stream that acts it out.
struct Script {
  // What reads give, one after the other and each at most once; then `then`.
  std::deque<Buffer> reads;
  Transfer then{Transfer::State::kWouldBlock, 0, 0};
  // How many bytes the next writes take; 0 is a write that would block. Then all of them take all.
  std::deque<std::size_t> writes;
  // The errno that writes fail with from now on.
  std::optional<int> write_error;

  Buffer written;
  std::size_t write_calls = 0;
  bool writing_ended = false;
  bool destroyed = false;
};

class ScriptedStream final : public Stream {
 public:
  explicit ScriptedStream(Script& script) : script_(script) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      throw Failure("socketpair() failed");
    }
    ends_ = {Descriptor(ends[0]), Descriptor(ends[1])};
  }
  ~ScriptedStream() override { script_.destroyed = true; }

  Transfer read(std::span<std::uint8_t> into) noexcept override {
    if (script_.reads.empty()) return script_.then;
    Buffer& next = script_.reads.front();
    const std::size_t size = std::min(into.size(), next.size());
    std::copy_n(next.begin(), size, into.begin());
    next.erase(next.begin(), next.begin() + static_cast<std::ptrdiff_t>(size));
    if (next.empty()) script_.reads.pop_front();
    return {Transfer::State::kMoved, size, 0};
  }

  Transfer write(std::span<const std::uint8_t> from) noexcept override {
    ++script_.write_calls;
    if (script_.write_error) return {Transfer::State::kFailed, 0, *script_.write_error};
    std::size_t size = from.size();
    if (!script_.writes.empty()) {
      size = std::min(size, script_.writes.front());
      script_.writes.pop_front();
      if (size == 0) return {Transfer::State::kWouldBlock, 0, 0};
    }
    script_.written.insert(script_.written.end(), from.begin(),
                           from.begin() + static_cast<std::ptrdiff_t>(size));
    return {Transfer::State::kMoved, size, 0};
  }

  void end_writing() noexcept override { script_.writing_ended = true; }
  [[nodiscard]] int descriptor() const noexcept override { return ends_[0].get(); }
  // The peer's end of the socket pair.
  [[nodiscard]] int peer() const noexcept { return ends_[1].get(); }

 private:
  Script& script_;
  std::array<Descriptor, 2> ends_;
};

}  // namespace aiomqtt::testing
