// The engine without Node: subscribes to everything at a peer, takes in a number of messages, and
// prints how long that took. What JavaScript adds is the difference to this.
//
//   engine-bench <port> <messages> <qos> [warm-up messages]
//
// Prints one line of JSON: {"messages": …, "seconds": …, "cpuSeconds": …}
#include <sys/resource.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "engine/engine.h"

namespace {

using namespace aiomqtt;

// Set by the engine's doorbell.
class Bell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    ready_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  bool rung_ = false;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<std::uint8_t> subscribe_command(std::uint32_t connection, std::uint8_t qos) {
  const std::uint32_t words[] = {36, command::kSubscribe, connection, 1, 1, 0, 0};
  const std::uint8_t filter[] = {qos, 1, 0, '#', 0};  // options, length, text and NUL
  std::vector<std::uint8_t> bytes(words[0]);
  std::memcpy(bytes.data(), words, sizeof words);
  std::memcpy(bytes.data() + sizeof words, filter, sizeof filter);
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: engine-bench <port> <messages> <qos> [warm-up messages]\n");
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const auto total = std::strtoull(argv[2], nullptr, 10);
  const auto qos = static_cast<std::uint8_t>(std::atoi(argv[3]));
  const auto warm_up = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0ULL;

  Bell bell;
  Engine& engine = Engine::instance();
  std::shared_ptr<Inbox> inbox;
  const std::shared_ptr<Lane> lane = engine.make_lane();
  inbox = std::make_shared<Inbox>([&bell] { bell.ring(); }, [&] { lane->resume_all(inbox); });
  ConnectionOptions options;
  options.addresses = {{"127.0.0.1", port, AF_INET}};
  options.fields.identifier = "engine-bench";
  const std::uint32_t connection = engine.open(std::move(options), inbox, lane);

  std::vector<std::uint8_t> slab(4 * Inbox::kBytesAChunk);
  std::vector<std::uint32_t> index(Inbox::kRecordsAChunk * record::kWords);
  std::uint64_t got = 0;
  std::uint64_t looked_at = 0;
  auto started = std::chrono::steady_clock::now();
  double cpu_before = cpu_seconds();
  for (;;) {
    const Inbox::Drained drained = inbox->drain(slab, 0, index);
    if (drained.needed > 0) {
      slab.resize(drained.needed);
      continue;
    }
    if (drained.records == 0) {
      bell.wait();
      continue;
    }
    for (std::size_t i = 0; i < drained.records; ++i) {
      const std::uint32_t* const words = &index[i * record::kWords];
      const std::uint32_t kind = words[0] & 0xff;
      // What it leads to is drained by this loop.
      if (kind == event::kOpened) (void)engine.submit(subscribe_command(connection, qos), inbox);
      if (kind == event::kClosed) {
        std::fprintf(stderr, "the connection ended: cause %u\n", words[2]);
        return 1;
      }
      if (kind != event::kMessage) continue;
      looked_at += slab[words[3] + words[4] + words[5]] + words[2];
      if (++got == warm_up) {
        started = std::chrono::steady_clock::now();
        cpu_before = cpu_seconds();
      }
    }
    if (got >= warm_up + total) break;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  std::printf("{\"messages\": %llu, \"seconds\": %.6f, \"cpuSeconds\": %.6f, \"checksum\": %llu}\n",
              static_cast<unsigned long long>(got - warm_up), elapsed.count(),
              cpu_seconds() - cpu_before, static_cast<unsigned long long>(looked_at));
  std::fflush(stdout);
  std::_Exit(0);
}
