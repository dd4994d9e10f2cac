#include "platform/poller.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "platform/system_calls.h"

namespace aiomqtt {
namespace {

constexpr std::uint64_t kWakeToken = 0;

std::uint64_t pack(Poller::Token token) noexcept {
  return static_cast<std::uint64_t>(token.connection) << 32 | token.part;
}

epoll_event registration(Poller::Token token, std::uint32_t interest) noexcept {
  epoll_event event{};
  if ((interest & Poller::kReadable) != 0) event.events |= EPOLLIN;
  if ((interest & Poller::kWritable) != 0) event.events |= EPOLLOUT;
  event.data.u64 = pack(token);
  return event;
}

}  // namespace

struct Poller::System {
  Descriptor epoll;
  Descriptor wake;
};

Poller::Poller() : system_(std::make_unique<System>()) {}

int Poller::open() noexcept {
  if (system_->epoll) return 0;
  Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return errno;
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return errno;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeToken;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return errno;
  system_->wake = std::move(wake);
  system_->epoll = std::move(epoll);
  return 0;
}

Poller::~Poller() = default;

void Poller::add(NativeSocket fd, Token token, std::uint32_t interest) noexcept {
  epoll_event event = registration(token, interest);
  ::epoll_ctl(system_->epoll.get(), EPOLL_CTL_ADD, fd, &event);
}

void Poller::change(NativeSocket fd, Token token, std::uint32_t interest) noexcept {
  epoll_event event = registration(token, interest);
  ::epoll_ctl(system_->epoll.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(NativeSocket fd) noexcept {
  ::epoll_ctl(system_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::size_t Poller::wait(int timeout_ms, std::span<Event> events) noexcept {
  std::array<epoll_event, 128> raw;
  const int most = static_cast<int>(std::min(raw.size(), events.size()));
  count_system_call();
  const int count = ::epoll_wait(system_->epoll.get(), raw.data(), most, timeout_ms);
  std::size_t used = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = raw[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeToken) {
      std::uint64_t value = 0;
      [[maybe_unused]] const auto ignored = ::read(system_->wake.get(), &value, sizeof value);
      continue;
    }
    Event& out = events[used++];
    out.token = {static_cast<std::uint32_t>(event.data.u64 >> 32),
                 static_cast<std::uint32_t>(event.data.u64)};
    out.ready = 0;
    if ((event.events & EPOLLIN) != 0) out.ready |= kReadable;
    if ((event.events & EPOLLOUT) != 0) out.ready |= kWritable;
    if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) out.ready |= kReadable | kWritable | kBroken;
  }
  return used;
}

void Poller::wake() noexcept {
  count_system_call();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto ignored = ::write(system_->wake.get(), &one, sizeof one);
}

NativeSocket Poller::descriptor() const noexcept { return system_->epoll.get(); }

bool Poller::has_events() const noexcept {
  pollfd self{system_->epoll.get(), POLLIN, 0};
  return ::poll(&self, 1, 0) > 0;
}

}  // namespace aiomqtt
