// How many system calls the engine has made to move bytes and to wait: what buffering is for,
// counted so that a test can hold it to a bound.
#pragma once

#include <atomic>
#include <cstdint>

namespace aiomqtt {

inline std::atomic<std::uint64_t> system_calls{0};

inline void count_system_call() noexcept { system_calls.fetch_add(1, std::memory_order_relaxed); }

}  // namespace aiomqtt
