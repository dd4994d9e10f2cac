#include "streams/connector.h"

#include <algorithm>
#include <cerrno>

namespace aiomqtt {
namespace {

// RFC 8305 section 4: families take turns, the order of preference kept within each.
std::vector<Address> interleave(std::vector<Address> addresses) {
  std::vector<Address> result;
  std::vector<Address> others;
  if (addresses.empty()) return result;
  const int first_family = addresses.front().family;
  std::vector<Address> firsts;
  for (Address& address : addresses) {
    (address.family == first_family ? firsts : others).push_back(std::move(address));
  }
  for (std::size_t i = 0; i < std::max(firsts.size(), others.size()); ++i) {
    if (i < firsts.size()) result.push_back(std::move(firsts[i]));
    if (i < others.size()) result.push_back(std::move(others[i]));
  }
  if (result.size() > Connector::kMostAttempts) result.resize(Connector::kMostAttempts);
  return result;
}

}  // namespace

Connector::Connector(std::vector<Address> addresses, SocketSetup setup, Poller& poller,
                     std::uint32_t connection)
    : addresses_(interleave(std::move(addresses))),
      setup_(std::move(setup)),
      poller_(poller),
      connection_(connection) {}

Connector::~Connector() {
  for (const Descriptor& attempt : attempts_) {
    if (attempt) poller_.remove(attempt.get());
  }
}

Connector::State Connector::start(Clock::time_point now) {
  error_ = EADDRNOTAVAIL;
  return start_next(now);
}

Connector::State Connector::start_next(Clock::time_point now) {
  next_attempt_at_ = Clock::time_point::max();
  while (attempts_.size() < addresses_.size()) {
    const Address& address = addresses_[attempts_.size()];
    const std::size_t attempt = attempts_.size();
    sockaddr_storage storage{};
    socklen_t length = 0;
    int error = to_socket_address(address, storage, length);
    Descriptor socket;
    if (error == 0) {
      socket = Descriptor(open_socket(address.family, error));
    }
    if (error == 0) {
      error = set_up(socket.get(), address.family, setup_);
    }
    if (error == 0) {
      error = start_connecting(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length);
    }
    attempts_.push_back(std::move(socket));
    if (error == 0) return win(attempt);
    if (error == EINPROGRESS) {
      poller_.add(attempts_[attempt].get(), {connection_, static_cast<std::uint32_t>(attempt)},
                  Poller::kWritable);
      ++pending_;
      if (attempts_.size() < addresses_.size()) next_attempt_at_ = now + kAttemptDelay;
      return State::kConnecting;
    }
    attempts_[attempt].reset();
    error_ = error;
    address_ = address.text();
  }
  return pending_ > 0 ? State::kConnecting : State::kFailed;
}

Connector::State Connector::on_ready(std::size_t attempt, Clock::time_point now) {
  if (attempt >= attempts_.size() || !attempts_[attempt]) return State::kConnecting;
  const int error = pending_error(attempts_[attempt].get());
  poller_.remove(attempts_[attempt].get());
  --pending_;
  return error == 0 ? win(attempt) : fail(attempt, error, now);
}

Connector::State Connector::on_time(Clock::time_point now) {
  return now >= next_attempt_at_ ? start_next(now) : State::kConnecting;
}

Connector::State Connector::fail(std::size_t attempt, int error, Clock::time_point now) {
  attempts_[attempt].reset();
  error_ = error;
  address_ = addresses_[attempt].text();
  return start_next(now);
}

std::unique_ptr<Stream> Connector::take_stream() {
  return std::make_unique<SocketStream>(std::move(winner_), winner_kind_);
}

Connector::State Connector::win(std::size_t attempt) {
  winner_ = std::move(attempts_[attempt]);
  winner_kind_ =
      addresses_[attempt].family == AF_UNIX ? SocketStream::Kind::kLocal : SocketStream::Kind::kTcp;
  address_ = addresses_[attempt].text();
  for (Descriptor& other : attempts_) {
    if (!other) continue;
    poller_.remove(other.get());
    other.reset();
  }
  pending_ = 0;
  next_attempt_at_ = Clock::time_point::max();
  return State::kConnected;
}

}  // namespace aiomqtt
