#include "streams/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/harness.h"
#include "tests/network.h"
#include "tests/open_poller.h"

namespace aiomqtt::testing {
namespace {

using State = Connector::State;
using Clock = Connector::Clock;

constexpr std::uint32_t kConnection = 5;

// A connector driven as the I/O thread does.
class Connecting {
  OpenPoller poller_;

 public:
  explicit Connecting(std::vector<Address> addresses, SocketSetup setup = {})
      : connector(std::make_unique<Connector>(std::move(addresses), std::move(setup), poller_,
                                              kConnection)) {}

  std::unique_ptr<Connector> connector;

  // Until it is decided.
  State run() {
    const auto deadline = Clock::now() + kPatience;
    State state = connector->start(Clock::now());
    while (state == State::kConnecting) {
      if (Clock::now() > deadline) throw Failure("connecting takes for ever");
      state = step(50);
    }
    return state;
  }
  // What the next events, or the time, make of it.
  State step(int timeout_ms) {
    std::array<Poller::Event, 8> events;
    const std::size_t count = poller_.wait(timeout_ms, events);
    State state = State::kConnecting;
    for (std::size_t i = 0; i < count && state == State::kConnecting; ++i) {
      CHECK_EQ(events[i].token.connection, kConnection);
      state = connector->on_ready(events[i].token.part, Clock::now());
    }
    return state == State::kConnecting ? connector->on_time(Clock::now()) : state;
  }
  // The number of descriptors that are ready.
  std::size_t ready() {
    std::array<Poller::Event, 8> events;
    return poller_.wait(0, events);
  }
};

void check_talks(Stream& stream, Peer peer) {
  const Buffer hello = bytes("hello");
  const Transfer sent = stream.write(hello);
  CHECK_EQ(sent.state, Transfer::State::kMoved);
  CHECK_EQ(sent.bytes, hello.size());
  CHECK_EQ(peer.read_bytes(hello.size()), hello);
  stream.end_writing();
  peer.expect_end();
}

TEST("connector: the first address that answers gives a stream that works") {
  for (const int family : {AF_INET, AF_INET6}) {
    Listener::Options options;
    options.family = family;
    Listener listener(options);
    Connecting connecting({listener.address()});
    CHECK_EQ(connecting.run(), State::kConnected);
    CHECK_EQ(connecting.connector->address(), listener.address().text());
    CHECK_EQ(connecting.connector->next_attempt_at(), Clock::time_point::max());
    const std::unique_ptr<Stream> stream = connecting.connector->take_stream();
    check_talks(*stream, listener.accept());
    // The winner is not polled any more, although it could be written to.
    CHECK_EQ(connecting.ready(), 0U);
  }
}

TEST("connector: a refused connection fails with its address and errno") {
  const RefusingPort refusing;
  Connecting connecting({refusing.address()});
  CHECK_EQ(connecting.run(), State::kFailed);
  CHECK_EQ(connecting.connector->error(), ECONNREFUSED);
  CHECK_EQ(connecting.connector->address(), refusing.address().text());
}

TEST("connector: after a refusal the next address is tried at once") {
  const RefusingPort first;
  const RefusingPort second;
  Listener listener;
  Connecting connecting({first.address(), second.address(), listener.address()});
  const auto start = Clock::now();
  CHECK_EQ(connecting.run(), State::kConnected);
  CHECK(Clock::now() - start < Connector::kAttemptDelay);
  CHECK_EQ(connecting.connector->address(), listener.address().text());
}

TEST("connector: when all addresses fail, the last failure is told") {
  const RefusingPort first;
  const RefusingPort second(AF_INET6);
  Connecting connecting({first.address(), second.address()});
  CHECK_EQ(connecting.run(), State::kFailed);
  CHECK_EQ(connecting.connector->error(), ECONNREFUSED);
  CHECK_EQ(connecting.connector->address(), second.address().text());
}

TEST("connector: no address at all, and one that is none, fail at once") {
  Connecting none({});
  CHECK_EQ(none.connector->start(Clock::now()), State::kFailed);
  CHECK_EQ(none.connector->error(), EADDRNOTAVAIL);

  Connecting bad({{"not an address", 1883, AF_INET}});
  CHECK_EQ(bad.connector->start(Clock::now()), State::kFailed);
  CHECK_EQ(bad.connector->error(), EINVAL);
  CHECK_EQ(bad.connector->address(), "not an address:1883");

  Listener listener;
  Connecting mixed({{"256.1.1.1", 1883, AF_INET}, listener.address()});
  CHECK_EQ(mixed.run(), State::kConnected);
}

TEST("connector: IPv4 wins when IPv6 is silent for a quarter of a second") {
  const SilentPort silent(AF_INET6);
  Listener listener;
  Connecting connecting({silent.address(), listener.address()});
  const auto start = Clock::now();
  CHECK_EQ(connecting.connector->start(start), State::kConnecting);
  CHECK_EQ(connecting.connector->next_attempt_at(), start + Connector::kAttemptDelay);
  // Not a moment before.
  CHECK_EQ(connecting.connector->on_time(start + Connector::kAttemptDelay -
                                         std::chrono::milliseconds(1)),
           State::kConnecting);
  CHECK(!listener.has_waiting());
  State state = connecting.connector->on_time(start + Connector::kAttemptDelay);
  while (state == State::kConnecting) state = connecting.step(1'000);
  CHECK_EQ(state, State::kConnected);
  CHECK_EQ(connecting.connector->address(), listener.address().text());
  check_talks(*connecting.connector->take_stream(), listener.accept());
}

TEST("connector: families take turns, whatever the order of the addresses") {
  // Two silent IPv6 addresses come first; the IPv4 one is the second attempt, not the third.
  const SilentPort first(AF_INET6);
  const SilentPort second(AF_INET6);
  Listener listener;
  Connecting connecting({first.address(), second.address(), listener.address()});
  const auto start = Clock::now();
  CHECK_EQ(connecting.connector->start(start), State::kConnecting);
  State state = connecting.connector->on_time(start + Connector::kAttemptDelay);
  for (int i = 0; i < 3 && state == State::kConnecting; ++i) {
    std::array<Poller::Event, 8> events;
    state = connecting.step(100);
  }
  CHECK_EQ(state, State::kConnected);
  CHECK_EQ(connecting.connector->address(), listener.address().text());
}

TEST("connector: a silent first address that is left alone does not spoil what comes after") {
  const SilentPort silent;
  const RefusingPort refusing(AF_INET6);
  Connecting connecting({silent.address(), refusing.address()});
  const auto start = Clock::now();
  CHECK_EQ(connecting.connector->start(start), State::kConnecting);
  State state = connecting.connector->on_time(start + Connector::kAttemptDelay);
  // The second is refused; the first is still pending, and nothing else is left to try.
  if (state == State::kConnecting) state = connecting.step(1'000);
  CHECK_EQ(state, State::kConnecting);
  CHECK_EQ(connecting.connector->next_attempt_at(), Clock::time_point::max());
  CHECK_EQ(connecting.connector->on_time(start + std::chrono::hours(1)), State::kConnecting);
  CHECK_EQ(connecting.connector->error(), ECONNREFUSED);
}

TEST("connector: events of attempts that are over are ignored") {
  const RefusingPort refusing;
  const SilentPort silent;
  Connecting connecting({refusing.address(), silent.address()});
  State state = connecting.connector->start(Clock::now());
  while (connecting.connector->error() != ECONNREFUSED) state = connecting.step(1'000);
  CHECK_EQ(state, State::kConnecting);
  CHECK_EQ(connecting.connector->on_ready(0, Clock::now()), State::kConnecting);
  CHECK_EQ(connecting.connector->on_ready(17, Clock::now()), State::kConnecting);
}

TEST("connector: destroying it closes its attempts and takes them from the poller") {
  Listener listener;
  {
    Connecting connecting({listener.address()});
    // Loopback may answer at once; either way nobody takes the stream.
    (void)connecting.connector->start(Clock::now());
    connecting.connector.reset();
    CHECK_EQ(connecting.ready(), 0U);
  }
  listener.accept().expect_end();
}

TEST("connector: of very many addresses only so many are tried") {
  std::vector<Address> addresses(200, {"not an address", 1, AF_INET});
  Listener listener;
  addresses.push_back(listener.address());
  Connecting connecting(addresses);
  CHECK_EQ(connecting.run(), State::kFailed);
  CHECK(!listener.has_waiting());
}

TEST("connector: a unix socket is connected to by its path") {
  Listener::Options options;
  options.family = AF_UNIX;
  Listener listener(options);
  Connecting connecting({listener.address()});
  CHECK_EQ(connecting.run(), State::kConnected);
  CHECK_EQ(connecting.connector->address(), listener.address().host);
  check_talks(*connecting.connector->take_stream(), listener.accept());
}

TEST("connector: a unix socket that is not there, or whose path is too long, fails") {
  Connecting missing({{"/nowhere/to/be.found", 0, AF_UNIX}});
  CHECK_EQ(missing.run(), State::kFailed);
  CHECK_EQ(missing.connector->error(), ENOENT);
  CHECK_EQ(missing.connector->address(), "/nowhere/to/be.found");
  Connecting endless({{"/" + std::string(500, 'x'), 0, AF_UNIX}});
  CHECK_EQ(endless.run(), State::kFailed);
  CHECK_EQ(endless.connector->error(), ENAMETOOLONG);
}

TEST("connector: a socket is bound to the address that was asked for") {
  for (const int family : {AF_INET, AF_INET6}) {
    Listener::Options options;
    options.family = family;
    Listener listener(options);
    SocketSetup setup;
    setup.bind.host = family == AF_INET6 ? "::1" : "127.0.0.5";
    Connecting connecting({listener.address()}, setup);
    CHECK_EQ(connecting.run(), State::kConnected);
    const std::unique_ptr<Stream> stream = connecting.connector->take_stream();
    CHECK_EQ(listener.accept().client_host(), setup.bind.host);
  }
}

TEST("connector: an address of another family, or of another machine, cannot be bound to") {
  Listener listener;
  for (const char* host : {"::1", "192.0.2.1", "nonsense"}) {
    const Note note(host);
    SocketSetup setup;
    setup.bind.host = host;
    Connecting connecting({listener.address()}, setup);
    CHECK_EQ(connecting.run(), State::kFailed);
    CHECK_EQ(connecting.connector->error(), EADDRNOTAVAIL);
  }
}

TEST("connector: socket options are set before connecting, TCP_NODELAY unasked") {
  Listener listener;
  SocketSetup setup;
  const int on = 1;
  SocketOption option{SOL_SOCKET, SO_KEEPALIVE, Buffer(sizeof on)};
  std::memcpy(option.value.data(), &on, sizeof on);
  setup.options.push_back(option);
  Connecting connecting({listener.address()}, setup);
  CHECK_EQ(connecting.run(), State::kConnected);
  const std::unique_ptr<Stream> stream = connecting.connector->take_stream();
  const auto value_of = [&stream](int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    CHECK_EQ(::getsockopt(stream->descriptor(), level, name, &value, &length), 0);
    return value;
  };
  CHECK_EQ(value_of(SOL_SOCKET, SO_KEEPALIVE), 1);
  CHECK_EQ(value_of(IPPROTO_TCP, TCP_NODELAY), 1);

  setup.options.push_back({SOL_SOCKET, 0x7fff, option.value});
  Connecting impossible({listener.address()}, setup);
  CHECK_EQ(impossible.run(), State::kFailed);
  CHECK_EQ(impossible.connector->error(), ENOPROTOOPT);
}

TEST("addresses: their text is what a user would write") {
  CHECK_EQ((Address{"127.0.0.1", 1883, AF_INET}.text()), "127.0.0.1:1883");
  CHECK_EQ((Address{"::1", 8883, AF_INET6}.text()), "[::1]:8883");
  CHECK_EQ((Address{"/run/mosquitto.sock", 0, AF_UNIX}.text()), "/run/mosquitto.sock");
}

}  // namespace
}  // namespace aiomqtt::testing
