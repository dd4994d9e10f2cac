// kqueue: a filter each for reading and writing, there while it is asked for.
#include "platform/poller.h"

#include <poll.h>
#include <sys/event.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/system_calls.h"

namespace aiomqtt {
namespace {

using Change = struct kevent;

// Of EVFILT_USER, whose identifiers are no descriptors.
constexpr std::uintptr_t kWakeIdentifier = 0;

static_assert(sizeof(void*) == sizeof(std::uint64_t), "a token travels in a pointer");

void* pack(Poller::Token token) noexcept {
  return reinterpret_cast<void*>(static_cast<std::uint64_t>(token.connection) << 32 | token.part);
}

Poller::Token unpack(const void* packed) noexcept {
  const auto token = reinterpret_cast<std::uint64_t>(packed);
  return {static_cast<std::uint32_t>(token >> 32), static_cast<std::uint32_t>(token)};
}

}  // namespace

struct Poller::System {
  Descriptor queue;

  // One at a time: taking away a filter that is not there is an error, and ends a list.
  void apply(std::uintptr_t identifier, short filter, unsigned short flags, unsigned notes = 0,
             void* data = nullptr) const noexcept {
    Change change;
    EV_SET(&change, identifier, filter, flags, notes, 0, data);
    ::kevent(queue.get(), &change, 1, nullptr, 0, nullptr);
  }

  // Adding what is there changes it.
  void set(int fd, Token token, std::uint32_t interest) const noexcept {
    const auto flags = [interest](std::uint32_t wanted) {
      return static_cast<unsigned short>((interest & wanted) != 0 ? EV_ADD : EV_DELETE);
    };
    const auto identifier = static_cast<std::uintptr_t>(fd);
    apply(identifier, EVFILT_READ, flags(kReadable), 0, pack(token));
    apply(identifier, EVFILT_WRITE, flags(kWritable), 0, pack(token));
  }
};

Poller::Poller() : system_(std::make_unique<System>()) {}

int Poller::open() noexcept {
  if (system_->queue) return 0;
  system_->queue = Descriptor(::kqueue());
  if (!system_->queue) return errno;
  system_->apply(kWakeIdentifier, EVFILT_USER, EV_ADD | EV_CLEAR);
  return 0;
}

Poller::~Poller() = default;

void Poller::add(NativeSocket fd, Token token, std::uint32_t interest) noexcept {
  system_->set(fd, token, interest);
}

void Poller::change(NativeSocket fd, Token token, std::uint32_t interest) noexcept {
  system_->set(fd, token, interest);
}

void Poller::remove(NativeSocket fd) noexcept { system_->set(fd, {}, 0); }

std::size_t Poller::wait(int timeout_ms, std::span<Event> events) noexcept {
  std::array<Change, 128> raw;
  const int most = static_cast<int>(std::min(raw.size(), events.size()));
  const timespec limit{timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  count_system_call();
  const int count = ::kevent(system_->queue.get(), nullptr, 0, raw.data(), most,
                             timeout_ms < 0 ? nullptr : &limit);
  std::size_t used = 0;
  for (int i = 0; i < count; ++i) {
    const Change& event = raw[static_cast<std::size_t>(i)];
    if (event.filter == EVFILT_USER) continue;
    Event& out = events[used++];
    out.token = unpack(event.udata);
    out.ready = event.filter == EVFILT_READ ? kReadable : kWritable;
    // Reading finds the end by itself; an error, or nobody left to write to, is the end of both.
    const bool over = (event.flags & EV_EOF) != 0;
    if (over && (event.fflags != 0 || event.filter == EVFILT_WRITE)) {
      out.ready = kReadable | kWritable | kBroken;
    }
  }
  return used;
}

void Poller::wake() noexcept {
  count_system_call();
  system_->apply(kWakeIdentifier, EVFILT_USER, 0, NOTE_TRIGGER);
}

NativeSocket Poller::descriptor() const noexcept { return system_->queue.get(); }

bool Poller::has_events() const noexcept {
  pollfd self{system_->queue.get(), POLLIN, 0};
  return ::poll(&self, 1, 0) > 0;
}

}  // namespace aiomqtt
