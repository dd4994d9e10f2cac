// All connections of the process by their numbers, from open() until the engine is done with them.
// Any thread; one lock, within which nothing is called but each()'s visitor, which takes no other.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "engine/connection.h"

namespace aiomqtt {

class Connections {
 public:
  // `make` gets the number that the connection is to have.
  template <typename Make>
  std::shared_ptr<Connection> add(Make make) {
    const std::lock_guard lock(mutex_);
    // Paho keeps it as a socket, hence a positive int.
    do {
      last_number_ = last_number_ == 0x7fffffff ? 1 : last_number_ + 1;
    } while (by_number_.contains(last_number_));
    std::shared_ptr<Connection> connection = make(last_number_);
    by_number_.emplace(last_number_, connection);
    return connection;
  }
  // Null if there is none.
  [[nodiscard]] std::shared_ptr<Connection> find(std::uint32_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_number_.find(number);
    return found == by_number_.end() ? nullptr : found->second;
  }
  template <typename Visit>
  void each(Visit visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, connection] : by_number_) visit(*connection);
  }
  void forget(std::uint32_t number) {
    std::shared_ptr<Connection> last;
    const std::lock_guard lock(mutex_);
    const auto found = by_number_.find(number);
    if (found == by_number_.end()) return;
    last = std::move(found->second);
    by_number_.erase(found);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, std::shared_ptr<Connection>> by_number_;
  std::uint32_t last_number_ = 0;
};

}  // namespace aiomqtt
