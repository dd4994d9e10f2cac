// What a connection holds of what its broker sent, in bytes, for JavaScript's account of it
// (ClientStats). The I/O thread says so after each read; any thread looks.
#pragma once

#include <atomic>
#include <cstdint>

namespace aiomqtt {

struct Account {
  std::uint64_t unread = 0;      // read from the stream and not taken in
  std::uint64_t delivered = 0;   // messages that went to the inbox so far
  std::uint64_t unreleased = 0;  // QoS 2 messages that wait for their PUBREL
  std::uint64_t aliases = 0;     // topics of topic aliases
};

class SharedAccount {
 public:
  // I/O thread.
  void set(const Account& account) noexcept {
    unread_.store(account.unread, std::memory_order_relaxed);
    delivered_.store(account.delivered, std::memory_order_relaxed);
    unreleased_.store(account.unreleased, std::memory_order_relaxed);
    aliases_.store(account.aliases, std::memory_order_relaxed);
  }
  [[nodiscard]] Account get() const noexcept {
    return {unread_.load(std::memory_order_relaxed), delivered_.load(std::memory_order_relaxed),
            unreleased_.load(std::memory_order_relaxed), aliases_.load(std::memory_order_relaxed)};
  }

 private:
  std::atomic<std::uint64_t> unread_{0};
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> unreleased_{0};
  std::atomic<std::uint64_t> aliases_{0};
};

}  // namespace aiomqtt
