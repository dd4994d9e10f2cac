#include "engine/lingering.h"

#include <algorithm>
#include <new>
#include <utility>

#include "engine/connection_state.h"

namespace aiomqtt {

void Lingering::add(std::uint32_t number, std::unique_ptr<Stream> stream) noexcept {
  stream->end_writing();
  const NativeSocket descriptor = stream->descriptor();
  try {
    streams_.emplace(number, Waiting{std::move(stream), Clock::now() + kPatience});
  } catch (const std::bad_alloc&) {
    return;
  }
  poller_.add(descriptor, {number, kStreamPart}, Poller::kReadable);
}

bool Lingering::on_ready(std::uint32_t number, std::span<std::uint8_t> scratch) {
  const auto found = streams_.find(number);
  if (found == streams_.end()) return false;
  Stream& stream = *found->second.stream;
  const Transfer got = stream.read(scratch);
  if (got.state == Transfer::State::kEnded || got.state == Transfer::State::kFailed) {
    poller_.remove(stream.descriptor());
    streams_.erase(found);
  }
  return true;
}

void Lingering::on_time(Clock::time_point now) {
  std::erase_if(streams_, [&](const auto& entry) {
    if (now < entry.second.until) return false;
    poller_.remove(entry.second.stream->descriptor());
    return true;
  });
}

Lingering::Clock::time_point Lingering::due() const noexcept {
  auto due = Clock::time_point::max();
  for (const auto& [number, waiting] : streams_) due = std::min(due, waiting.until);
  return due;
}

}  // namespace aiomqtt
