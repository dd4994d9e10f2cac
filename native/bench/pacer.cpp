// Publishes at an even pace, for the benchmarks: writes what is due every 100 µs until its standard
// input ends, so that a broker passes the messages on one by one.
//
//   pacer <port> <messages a second> <qos: 0 or 1> <payload bytes> <topics>
//
// The payload's first byte counts up to 255 and starts again; at kTimeOffset stands when it was
// written, in seconds and nanoseconds of the monotonic clock, 32 bits each, little endian.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <thread>
#include <vector>
#ifdef __linux__
#include <sys/prctl.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr std::chrono::microseconds kTick{100};
constexpr std::size_t kTimeOffset = 8;
constexpr std::size_t kSmallestPayload = kTimeOffset + 8;
constexpr std::size_t kPubackSize = 4;
constexpr std::uint32_t kPacketIdentifiers = 65535;
// With more than this unacknowledged the broker does not keep up, and there is no pace.
constexpr std::uint64_t kMostUnderWay = 20'000;

struct Parameters {
  std::uint16_t port = 0;
  std::uint64_t rate = 0;
  int qos = 0;
  std::size_t payload = 0;
  std::size_t topics = 0;
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void append_u16(std::vector<std::uint8_t>& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value));
}

void append_text(std::vector<std::uint8_t>& to, const std::string& text) {
  append_u16(to, text.size());
  to.insert(to.end(), text.begin(), text.end());
}

void append_packet(std::vector<std::uint8_t>& to, std::uint8_t head,
                   std::span<const std::uint8_t> body) {
  to.push_back(head);
  std::size_t rest = body.size();
  do {
    to.push_back(static_cast<std::uint8_t>((rest & 127) | (rest > 127 ? 128 : 0)));
    rest >>= 7;
  } while (rest > 0);
  to.insert(to.end(), body.begin(), body.end());
}

void put_u32(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// One topic's PUBLISH, and where in it the parts are that differ between two messages.
struct Template {
  std::vector<std::uint8_t> bytes;
  std::size_t identifier = 0;
  std::size_t payload = 0;
};

Template make_template(const Parameters& parameters, std::size_t topic) {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "fleet/device-%03zu/measure", topic);
  std::vector<std::uint8_t> body;
  append_text(body, name.data());
  const std::size_t identifier = body.size();
  if (parameters.qos > 0) append_u16(body, 0);
  const std::size_t payload = body.size();
  body.resize(payload + parameters.payload, 'm');
  Template result;
  append_packet(result.bytes, static_cast<std::uint8_t>(0x30 | parameters.qos << 1), body);
  const std::size_t head = result.bytes.size() - body.size();
  result.identifier = head + identifier;
  result.payload = head + payload;
  return result;
}

class Pacer {
 public:
  explicit Pacer(const Parameters& parameters) : parameters_(parameters) {
    for (std::size_t i = 0; i < parameters.topics; ++i) {
      templates_.push_back(make_template(parameters, i));
    }
    connect();
  }

  // Returns when standard input has ended.
  void run() {
    const Clock::time_point start = Clock::now();
    Clock::time_point tick = start;
    while (!input_ended()) {
      tick += kTick;
      std::this_thread::sleep_until(tick);
      const auto elapsed = static_cast<std::uint64_t>(nanoseconds(Clock::now() - start).count());
      const std::uint64_t due = static_cast<std::uint64_t>(
          static_cast<double>(elapsed) * static_cast<double>(parameters_.rate) / 1e9);
      while (sent_ < due) append_message();
      write_all();
      take_acknowledgements();
    }
  }

 private:
  void connect() {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(parameters_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      fail("connect");
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::vector<std::uint8_t> body;
    append_text(body, "MQTT");
    body.insert(body.end(), {4, 2, 0, 0});  // MQTT 3.1.1, a clean session, no keepalive
    append_text(body, "pacer");
    append_packet(out_, 0x10, body);
    write_all();
    std::array<std::uint8_t, 4> connack{};
    if (::recv(socket_, connack.data(), connack.size(), MSG_WAITALL) != 4 || connack[3] != 0) {
      fail("CONNACK");
    }
  }

  void append_message() {
    const Template& packet = templates_[sent_ % templates_.size()];
    const std::size_t at = out_.size();
    out_.insert(out_.end(), packet.bytes.begin(), packet.bytes.end());
    if (parameters_.qos > 0) {
      const auto identifier = static_cast<std::uint32_t>(1 + sent_ % kPacketIdentifiers);
      out_[at + packet.identifier] = static_cast<std::uint8_t>(identifier >> 8);
      out_[at + packet.identifier + 1] = static_cast<std::uint8_t>(identifier);
    }
    std::uint8_t* const payload = &out_[at + packet.payload];
    const nanoseconds now = Clock::now().time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    payload[0] = static_cast<std::uint8_t>(sent_);
    put_u32(payload + kTimeOffset, static_cast<std::uint32_t>(seconds.count()));
    put_u32(payload + kTimeOffset + 4, static_cast<std::uint32_t>((now - seconds).count()));
    ++sent_;
  }

  void write_all() {
    std::span<const std::uint8_t> rest(out_);
    while (!rest.empty()) {
      const ssize_t count = ::send(socket_, rest.data(), rest.size(), 0);
      if (count < 0 && errno != EINTR) fail("send");
      if (count > 0) rest = rest.subspan(static_cast<std::size_t>(count));
    }
    out_.clear();
  }

  void take_acknowledgements() {
    if (parameters_.qos == 0) return;
    std::array<std::uint8_t, 16 * 1024> bytes;
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0) fail("the broker closed the connection");
    if (count > 0) acknowledged_bytes_ += static_cast<std::uint64_t>(count);
    if (sent_ - acknowledged_bytes_ / kPubackSize > kMostUnderWay) {
      std::fputs("the broker does not keep up\n", stderr);
      std::exit(1);
    }
  }

  static bool input_ended() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0;
  }

  const Parameters parameters_;
  std::vector<Template> templates_;
  std::vector<std::uint8_t> out_;
  int socket_ = -1;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_bytes_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    std::fputs("pacer <port> <messages a second> <qos> <payload bytes> <topics>\n", stderr);
    return 2;
  }
  Parameters parameters;
  parameters.port = static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10));
  parameters.rate = std::strtoull(arguments[2], nullptr, 10);
  parameters.qos = static_cast<int>(std::strtol(arguments[3], nullptr, 10));
  parameters.payload = std::strtoul(arguments[4], nullptr, 10);
  parameters.topics = std::strtoul(arguments[5], nullptr, 10);
  if (parameters.rate == 0 || parameters.payload < kSmallestPayload || parameters.topics == 0) {
    std::fputs("pacer: a rate, 16 bytes and a topic are the least\n", stderr);
    return 2;
  }
#ifdef __linux__
  // The kernel's usual slack of 50 µs is half a tick.
  ::prctl(PR_SET_TIMERSLACK, 1UL);
#endif
  Pacer(parameters).run();
  return 0;
}
