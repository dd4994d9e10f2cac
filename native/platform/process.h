// What the engine needs of the process that it lives in.
#pragma once

namespace aiomqtt {

// Signals are Node's: this thread, and those it starts, take none.
void block_signals() noexcept;
// The engine's threads outlive the worker that loaded the addon, so its code must stay.
void stay_loaded() noexcept;
// Runs when the process exits, before anything is taken down that the engine's threads may touch.
// Not where the system has ended all other threads by then.
void call_at_exit(void (*function)()) noexcept;
[[noreturn]] void sleep_for_ever() noexcept;
// The address of what the process exports under this name, null if it does not.
[[nodiscard]] void* find_symbol(const char* name) noexcept;

}  // namespace aiomqtt
