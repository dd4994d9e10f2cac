// WSAPoll, which keeps no list of its own and cannot be told of a change while it waits: the list
// is here, and whoever changes it ends the wait through a socket that is connected to itself.
#include "platform/poller.h"

#include <algorithm>
#include <mutex>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "platform/system_calls.h"

namespace aiomqtt {
namespace {

// How long a failed connection may go unnoticed by WSAPoll, which before Windows 10 version 2004
// does not report it.
constexpr int kConnectingCheckMs = 100;

// select() does report it.
bool connecting_failed(NativeSocket socket) noexcept {
  fd_set failed;
  FD_ZERO(&failed);
  FD_SET(socket, &failed);
  timeval at_once{0, 0};
  return ::select(static_cast<int>(socket) + 1, nullptr, nullptr, &failed, &at_once) == 1;
}

// A datagram socket of the loopback interface, connected to itself: others cannot reach it.
Descriptor self_connected() {
  Descriptor socket(::socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (!socket || ::bind(socket.get(), generic, length) != 0 ||
      ::getsockname(socket.get(), generic, &length) != 0 ||
      ::connect(socket.get(), generic, length) != 0) {
    throw std::system_error(last_socket_error(), std::generic_category(), "poller");
  }
  return socket;
}

short flags_of(std::uint32_t interest) noexcept {
  short flags = 0;
  if ((interest & Poller::kReadable) != 0) flags |= POLLRDNORM;
  if ((interest & Poller::kWritable) != 0) flags |= POLLWRNORM;
  return flags;
}

std::uint32_t ready_of(short flags) noexcept {
  std::uint32_t ready = 0;
  if ((flags & POLLRDNORM) != 0) ready |= Poller::kReadable;
  if ((flags & POLLWRNORM) != 0) ready |= Poller::kWritable;
  if ((flags & (POLLERR | POLLHUP)) != 0) {
    ready |= Poller::kReadable | Poller::kWritable | Poller::kBroken;
  }
  return ready;
}

}  // namespace

struct Poller::System {
  struct Registration {
    Token token;
    std::uint32_t interest = 0;
    // Numbers are given out again: this tells a descriptor from an earlier one of the same number.
    std::uint64_t serial = 0;
  };

  Descriptor bell = self_connected();
  std::mutex mutex;
  std::unordered_map<NativeSocket, Registration> registrations;
  std::uint64_t last_serial = 0;
  bool waiting = false;
  bool rung = false;
  // The I/O thread's.
  std::vector<WSAPOLLFD> polled;
  std::vector<std::uint64_t> serials;

  void ring_locked() noexcept {
    if (std::exchange(rung, true)) return;
    const char anything = 0;
    ::send(bell.get(), &anything, 1, 0);
  }

  void on_change_locked() noexcept {
    if (waiting) ring_locked();
  }

  // The bell comes first. True if a connection is under way among them.
  bool collect() {
    const std::lock_guard lock(mutex);
    bool connecting = false;
    polled.assign(1, {bell.get(), POLLRDNORM, 0});
    serials.assign(1, 0);
    for (const auto& [socket, registration] : registrations) {
      polled.push_back({socket, flags_of(registration.interest), 0});
      serials.push_back(registration.serial);
      connecting = connecting || registration.interest == kWritable;
    }
    waiting = true;
    return connecting;
  }

  void stop_waiting() noexcept {
    const std::lock_guard lock(mutex);
    waiting = false;
    if (polled[0].revents == 0) return;
    char anything = 0;
    ::recv(bell.get(), &anything, 1, 0);
    rung = false;
  }
};

Poller::Poller() : system_(std::make_unique<System>()) {}

int Poller::open() noexcept { return 0; }

Poller::~Poller() = default;

void Poller::add(NativeSocket fd, Token token, std::uint32_t interest) noexcept {
  const std::lock_guard lock(system_->mutex);
  system_->registrations[fd] = {token, interest, ++system_->last_serial};
  system_->on_change_locked();
}

void Poller::change(NativeSocket fd, Token token, std::uint32_t interest) noexcept {
  const std::lock_guard lock(system_->mutex);
  const auto found = system_->registrations.find(fd);
  if (found == system_->registrations.end()) return;
  found->second.token = token;
  found->second.interest = interest;
  system_->on_change_locked();
}

void Poller::remove(NativeSocket fd) noexcept {
  const std::lock_guard lock(system_->mutex);
  system_->registrations.erase(fd);
  system_->on_change_locked();
}

std::size_t Poller::wait(int timeout_ms, std::span<Event> events) noexcept {
  System& system = *system_;
  const bool connecting = system.collect();
  if (connecting && (timeout_ms < 0 || timeout_ms > kConnectingCheckMs)) {
    timeout_ms = kConnectingCheckMs;
  }
  count_system_call();
  ::WSAPoll(system.polled.data(), static_cast<ULONG>(system.polled.size()), timeout_ms);
  system.stop_waiting();
  std::size_t used = 0;
  const std::lock_guard lock(system.mutex);
  for (std::size_t i = 1; i < system.polled.size() && used < events.size(); ++i) {
    const WSAPOLLFD& polled = system.polled[i];
    const auto found = system.registrations.find(polled.fd);
    if (found == system.registrations.end()) continue;
    const System::Registration& registration = found->second;
    if (registration.serial != system.serials[i]) continue;
    std::uint32_t ready = ready_of(polled.revents);
    if (ready == 0 && registration.interest == kWritable && connecting_failed(polled.fd)) {
      ready = kReadable | kWritable | kBroken;
    }
    if (ready != 0) events[used++] = {registration.token, ready};
  }
  return used;
}

void Poller::wake() noexcept {
  const std::lock_guard lock(system_->mutex);
  count_system_call();
  system_->ring_locked();
}

NativeSocket Poller::descriptor() const noexcept { return kNoSocket; }

bool Poller::has_events() const noexcept { return false; }

}  // namespace aiomqtt
