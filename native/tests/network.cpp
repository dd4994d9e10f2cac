#include "tests/network.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw Failure(what + ": " + std::strerror(errno));
}

void set_option(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) fail("setsockopt()");
}

void wait_for(int fd, short event, const char* what) {
  pollfd entry{fd, event, 0};
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience);
  const int ready = ::poll(&entry, 1, static_cast<int>(patience.count()));
  if (ready < 0) fail("poll()");
  if (ready == 0) throw Failure(std::string("waited in vain for ") + what);
}

sockaddr* as_generic(sockaddr_storage& storage) { return reinterpret_cast<sockaddr*>(&storage); }

Descriptor new_socket(int family) {
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("socket()");
  return socket;
}

// Binds to the loopback address, or to a path of its own; the address with the port that it got.
Address bind_locally(int fd, int family) {
  static std::atomic<int> paths = 0;
  Address address{"127.0.0.1", 0, family};
  if (family == AF_INET6) address.host = "::1";
  if (family == AF_UNIX) {
    address.host =
        std::filesystem::temp_directory_path() /
        ("aiomqtt-tests-" + std::to_string(::getpid()) + "-" + std::to_string(++paths) + ".sock");
  }
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (to_socket_address(address, storage, length) != 0) throw Failure("no local address");
  if (::bind(fd, as_generic(storage), length) != 0) fail("bind()");
  if (family == AF_UNIX) return address;
  if (::getsockname(fd, as_generic(storage), &length) != 0) fail("getsockname()");
  address.port = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(storage).sin6_port
                                          : reinterpret_cast<sockaddr_in&>(storage).sin_port);
  return address;
}

}  // namespace

// -- Peer --

Peer::Peer(Descriptor socket) : socket_(std::move(socket)) {
  // Fails on a unix socket, which has no such delay.
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::string Peer::client_host() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(socket_.get(), as_generic(storage), &length) != 0) fail("getpeername()");
  char host[NI_MAXHOST];
  if (::getnameinfo(as_generic(storage), length, host, sizeof host, nullptr, 0, NI_NUMERICHOST)) {
    throw Failure("getnameinfo() failed");
  }
  return host;
}

void Peer::send(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent =
        ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno != EAGAIN) fail("send()");
      wait_for(socket_.get(), POLLOUT, "the client to read");
      continue;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

void Peer::send_bytewise(Bytes bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) send(bytes.subspan(i, 1));
}

Peer::Received Peer::receive(std::size_t most) {
  wait_for(socket_.get(), POLLIN, "the client to send");
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(taken_));
  taken_ = 0;
  const std::size_t have = received_.size();
  received_.resize(have + most);
  const ssize_t got = ::recv(socket_.get(), received_.data() + have, most, 0);
  received_.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) return Received::kBytes;
  if (got == 0) return Received::kEnd;
  if (errno != ECONNRESET) fail("recv()");
  return Received::kReset;
}

void Peer::receive_bytes(std::size_t most) {
  switch (receive(most)) {
    case Received::kBytes:
      return;
    case Received::kEnd:
      throw Failure("the client ended the stream");
    case Received::kReset:
      throw Failure("the client reset the stream");
  }
}

Bytes Peer::untaken() const { return Bytes(received_).subspan(taken_); }

Buffer Peer::read_bytes(std::size_t count, std::size_t at_once) {
  while (untaken().size() < count) receive_bytes(at_once);
  const Buffer taken = copy_of(untaken().first(count));
  taken_ += count;
  return taken;
}

Buffer Peer::read_packet(std::size_t at_once) {
  for (;;) {
    const Bytes have = untaken();
    const auto length =
        have.empty() ? VariableByteInteger{} : read_variable_byte_integer(have.subspan(1));
    if (length.state == VariableByteInteger::State::kMalformed) {
      throw Failure("the client sent a malformed remaining length");
    }
    if (length.state == VariableByteInteger::State::kComplete) {
      const std::size_t total = 1 + length.length + length.value;
      if (have.size() >= total) return read_bytes(total);
    }
    receive_bytes(at_once);
  }
}

void Peer::expect(const Buffer& packet) { CHECK_EQ(read_packet(), packet); }

void Peer::expect_end() {
  CHECK_EQ(untaken(), Buffer{});
  CHECK_EQ(receive(kAtOnce), Received::kEnd);
}

Buffer Peer::read_to_end() {
  while (receive(kAtOnce) == Received::kBytes) continue;
  const Buffer rest = copy_of(untaken());
  taken_ = received_.size();
  return rest;
}

void Peer::close() { socket_.reset(); }

void Peer::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

// -- Listeners --

Listener::Listener(const Options& options) : socket_(new_socket(options.family)) {
  const int fd = socket_.get();
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.receive_buffer > 0) set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (options.segment_size > 0) set_option(fd, IPPROTO_TCP, TCP_MAXSEG, options.segment_size);
  address_ = bind_locally(fd, options.family);
  if (::listen(fd, options.backlog) != 0) fail("listen()");
}

Listener::~Listener() {
  if (address_.family == AF_UNIX) ::unlink(address_.host.c_str());
}

Peer Listener::accept() {
  wait_for(socket_.get(), POLLIN, "a connection");
  Descriptor accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!accepted) fail("accept()");
  return Peer(std::move(accepted));
}

bool Listener::has_waiting() const {
  pollfd entry{socket_.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

// Bound, so that nobody else gets the port, and not listening.
RefusingPort::RefusingPort(int family)
    : socket_(new_socket(family)), address_(bind_locally(socket_.get(), family)) {}

// A backlog of 0 has room for one connection; the kernel drops the SYNs of further ones.
SilentPort::SilentPort(int family)
    : listener_([family] {
        Listener::Options options;
        options.family = family;
        options.backlog = 0;
        return options;
      }()),
      filler_(new_socket(family)) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (to_socket_address(address(), storage, length) != 0) throw Failure("no loopback address");
  if (::connect(filler_.get(), as_generic(storage), length) != 0) fail("connect()");
}

// -- Background --

Background::Background(std::function<void()> action)
    : thread_([this, action = std::move(action)] {
        try {
          action();
        } catch (...) {
          failure_ = std::current_exception();
        }
      }) {}

Background::~Background() {
  if (thread_.joinable()) thread_.join();
}

void Background::join() {
  thread_.join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace aiomqtt::testing
