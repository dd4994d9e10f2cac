#include "platform/process.h"

#include <windows.h>

namespace aiomqtt {

void block_signals() noexcept {}

void stay_loaded() noexcept {
  HMODULE here = nullptr;
  ::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                       reinterpret_cast<LPCWSTR>(&stay_loaded), &here);
}

// All other threads have ended when a DLL hears of the exit, whatever locks they held.
void call_at_exit(void (*)()) noexcept {}

void sleep_for_ever() noexcept {
  for (;;) ::Sleep(INFINITE);
}

void* find_symbol(const char* name) noexcept {
  return reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(nullptr), name));
}

}  // namespace aiomqtt
